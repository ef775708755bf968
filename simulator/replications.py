"""Many replications of one release: the simulator's front door."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.measures import FunctionMeasure
from scenarios.models import Scenario, Strategy
from scenarios.uncertain import uncertain
from simulator import unmodelled
from simulator.cores import cores
from simulator.errors import RequestError
from simulator.executors import DaskCluster, Executor, executor_of
from simulator.fidelity import require_modelled
from simulator.pool import measures_of
from simulator.replication import Player, Timeline, named_defects
from simulator.strategies import strategy_named
from simulator.uncertain import UncertainPlayer
from simulator.work import Work

if TYPE_CHECKING:
    from evidence.header import Variant
    from evidence.record import RunRecord

__all__ = ["Progress", "Simulation", "SimulationResult", "check_request", "most_critical", "simulate"]

Progress = Callable[[int, int], None]
"""Called with the replications done and their number."""

# Below this many requests in all, starting processes would take longer than the work.
_ALONE_REQUESTS_MAX = 100_000


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation found.

    `measures` holds one row per replication and function, in order; `timelines` the replications whose timelines are
    kept, in order; `record` the folder of the run record where one was asked for.
    """

    strategy: Strategy
    seed: int
    replications: int
    measures: list[FunctionMeasure]
    timelines: list[Timeline]
    record: Path | None


class Simulation:
    """A release whose replications are played as they are asked for: the first n are the same, whatever comes after.

    Arguments as of `simulate`; `ceiling` is the number of replications that will not be exceeded, `variant` and `until`
    are for the record, which is begun at once where there is an `out`. Raises as `simulate` does.
    """

    def __init__(
        self,
        scenario: Scenario,
        text: str,
        *,
        ceiling: int,
        strategy: str | None = None,
        seed: int = 1,
        processes: int | None = None,
        executor: str = "local",
        defects: Sequence[str] | None = None,
        out: Path | None = None,
        source: str = "",
        variant: Variant | None = None,
        until: str | None = None,
    ) -> None:
        _check(ceiling, seed)
        self._where = executor_of(executor, processes)
        chosen = strategy_named(scenario, strategy)
        inputs = uncertain(text, source)
        self._work = Work(scenario, chosen, seed, None if defects is None else tuple(defects), inputs)
        self._player = self._work.player()
        self._record = (
            None if out is None else _begin_record(scenario, text, source, self._work, ceiling, out, variant, until)
        )
        self._played = 0
        self.measures: list[FunctionMeasure] = []

    def play_to(self, replications: int, progress: Progress | None = None, of: int | None = None) -> None:
        """Play until there are so many; `progress` is told of how many in all, of `of` where that is more."""
        wanted = range(self._played, replications)
        for measured in _measured(self._player, self._work, wanted, self._where):
            self.measures += measured
            self._played += 1
            if progress is not None:
                progress(self._played, replications if of is None else of)

    def salvage(self) -> str | None:
        """Of a simulation that ends before its time: leave what was played in its record, which stays unfinished.

        Says what is kept, or why it cannot be; None where there is nothing, or the record is complete.
        """
        from evidence.errors import RecordNotWrittenError

        if self._record is None or self._record.complete or not self._played:
            return None
        played = f"the measures of {self._played} of {self._record.header.replications} replications"
        try:
            self._record.write_measures(self.measures)
        except RecordNotWrittenError as error:
            return f"{played} are lost: {error}"
        return f"{played} are kept in {self._record.folder}, which is no finished run"

    def finish(
        self, keep: Sequence[int] | None = None, *, precise: bool | None = None, reached: str | None = None
    ) -> SimulationResult:
        """Play once more what is to be kept, and complete the record.

        `precise` is whether `until` was reached, `reached` how far, in words.
        """
        work = self._work
        kept = _typical(self.measures, most_critical(work.scenario)) if keep is None else sorted(set(keep))
        timelines = [self._player.timeline(replication) for replication in kept]
        if self._record is not None:
            _complete_record(self._record, self.measures, timelines, self._played, precise, reached)
        folder = None if self._record is None else self._record.folder
        return SimulationResult(work.strategy, work.seed, self._played, self.measures, timelines, folder)


def simulate(
    scenario: Scenario,
    text: str,
    *,
    strategy: str | None = None,
    replications: int = 200,
    seed: int = 1,
    processes: int | None = None,
    executor: str = "local",
    defects: Sequence[str] | None = None,
    out: Path | None = None,
    source: str = "",
    keep: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> SimulationResult:
    """Play a scenario `replications` times; the same answer wherever they are played.

    `text` and `source` are the scenario as its author wrote it, for the record. `strategy` is a kind (by default the
    scenario's own strategy); `defects` None draws them by their probabilities, otherwise they are those named, in every
    replication. `processes` None: the cores available, or this process alone where the work is small; `executor` is
    local, or dask=ADDRESS for a cluster that plays instead. `keep` names the replications whose timelines are kept, by
    default those of the best, the median and the worst RTO of the most critical function. With `out`, a run record is
    written in that folder, its header before the first replication. Raises RequestError for what the scenario does not
    have and for a cluster that does not answer, WorkerDied, ClusterError, and what evidence raises for the record.
    """
    _check_kept(keep, replications)
    simulation = Simulation(
        scenario,
        text,
        ceiling=replications,
        strategy=strategy,
        seed=seed,
        processes=processes,
        executor=executor,
        defects=defects,
        out=out,
        source=source,
    )
    simulation.play_to(replications, progress)
    return simulation.finish(keep)


def check_request(
    scenario: Scenario,
    *,
    strategy: str | None,
    replications: int,
    seed: int,
    processes: int | None,
    executor: str,
    defects: Sequence[str] | None,
) -> None:
    """Refuse what a simulation would refuse, before anything is written; raises RequestError."""
    _check(replications, seed)
    executor_of(executor, processes)
    unmodelled.require_modelled(scenario)
    strategy_named(scenario, strategy)
    require_modelled(scenario)
    if defects is not None:
        named_defects(scenario, defects)


def most_critical(scenario: Scenario) -> str:
    """The function of the highest tier (1 is highest), the first of equals."""
    return min(scenario.functions, key=lambda name: scenario.functions[name].tier)


def _check(replications: int, seed: int) -> None:
    if replications < 1:
        raise RequestError(f"replications(={replications}) must be at least 1")
    if seed < 0:
        raise RequestError(f"seed(={seed}) must be at least 0")


def _check_kept(keep: Sequence[int] | None, replications: int) -> None:
    for replication in keep or ():
        if not 0 <= replication < replications:
            raise RequestError(f"keep: replication {replication} must be 0..{replications - 1}")


def _measured(
    player: Player | UncertainPlayer, work: Work, replications: range, where: Executor
) -> Iterator[list[FunctionMeasure]]:
    """Measures of each replication in order. The first is played here, which loads the compiled kernel."""
    if not replications:
        return
    yield player.measures(replications[0])
    rest = replications[1:]
    if isinstance(where, DaskCluster):
        from simulator import dask_cluster

        for chunk in dask_cluster.measures_of(work, rest, where.address):
            yield from chunk
        return
    processes = _paying_processes(work, len(replications)) if where.processes is None else where.processes
    if processes == 1 or len(rest) < 2:
        yield from (player.measures(replication) for replication in rest)
        return
    for chunk in measures_of(work, rest, min(processes, len(rest))):
        yield from chunk


def _paying_processes(work: Work, replications: int) -> int:
    start, duration_s = work.scenario.clock, work.scenario.duration_s
    requests = sum(function.requests(start, duration_s) for function in work.scenario.functions.values())
    return 1 if requests * (replications - 1) < _ALONE_REQUESTS_MAX else cores()


def _typical(measures: Sequence[FunctionMeasure], function: str) -> list[int]:
    """Replications with the best, the median and the worst RTO; unknown ones are worse than any that is known."""
    rows = [row for row in measures if row.function == function]
    rows.sort(key=lambda row: (row.rto_censored, row.rto_s, row.failed_share or 0.0, row.replication))
    return sorted({rows[place].replication for place in (0, (len(rows) - 1) // 2, len(rows) - 1)})


def _begin_record(
    scenario: Scenario,
    text: str,
    source: str,
    work: Work,
    replications: int,
    out: Path,
    variant: Variant | None,
    until: str | None,
) -> RunRecord:
    # pyarrow takes a third of a second to import, and is needed for records only.
    from evidence.header import World
    from evidence.provenance import header_for
    from evidence.record import RunRecord

    header = header_for(
        scenario,
        text,
        world=World.SIMULATION,
        strategy=work.strategy.kind,
        seed=work.seed,
        replications=replications,
        source=source,
        defects=work.defects,
        variant=variant,
        until=until,
    )
    return RunRecord.create_in(out, header)


def _complete_record(
    record: RunRecord,
    measures: list[FunctionMeasure],
    timelines: list[Timeline],
    replications: int,
    precise: bool | None,
    reached: str | None,
) -> None:
    from evidence.tables import Ledger, Samples

    record.write_measures(measures)  # first: should the disk be full, what took longest is there
    record.write_events([event for timeline in timelines for event in timeline.events])
    bins = len(record.header.edges_s) + 1
    record.write_samples(Samples.join([Samples.empty(bins), *(timeline.samples for timeline in timelines)]))
    record.write_ledger(Ledger.join([Ledger.empty(), *(timeline.ledger for timeline in timelines)]))
    kept = [timeline.replication for timeline in timelines]
    record.recorded(timelines=kept, replications=replications, precise=precise, reached=reached)
