"""Replications as flows, a few of them request by request too: what evidence.control_variate makes estimates from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evidence.measures import FunctionMeasure
from scenarios.fidelity import Fidelity
from scenarios.models import Scenario, Strategy
from simulator.cores import cores
from simulator.errors import RequestError
from simulator.fidelity import require_modelled
from simulator.pool import measures_of
from simulator.replication import Player
from simulator.streams import defects_drawn

__all__ = ["PAIRED_MIN", "ControlledSimulation"]

PAIRED_MIN = 4
"""Replications to be played at both fidelities at the least: two releases with a defect, two without."""


_Job = tuple[int, int, Fidelity]
_ByStrategy = dict[str, list[FunctionMeasure]]


@dataclass(frozen=True)
class _Jobs:
    """What is played, by number: the strategy, the replication, the fidelity."""

    scenario: Scenario
    strategies: tuple[Strategy, ...]
    seed: int
    jobs: tuple[_Job, ...]

    def player(self) -> _Player:
        return _Player(self)


class _Player:
    """Plays jobs; a strategy's own player is made when its first job comes."""

    def __init__(self, work: _Jobs) -> None:
        self._work = work
        self._players: dict[tuple[int, Fidelity], Player] = {}

    def measures(self, number: int) -> list[FunctionMeasure]:
        strategy, replication, fidelity = self._work.jobs[number]
        key = strategy, fidelity
        if key not in self._players:
            scenario = self._work.scenario.at_fidelity(fidelity)
            self._players[key] = Player(scenario, self._work.strategies[strategy], self._work.seed)
        return self._players[key].measures(replication)


def paired_replications(scenario: Scenario, seed: int, replications: int, paired: int) -> list[int]:
    """The first releases with a defect and the first without: three with for two without, two of each at the least.

    Replications are drawn by their number alone, so the first of a kind are as good as any. Where all releases are of
    one kind, all pairs are.
    """
    bad = {number for number in range(replications) if defects_drawn(scenario.release.defects, seed, number)}
    kinds = [sorted(bad), [number for number in range(replications) if number not in bad]]
    if not all(kinds):
        return [number for kind in kinds for number in kind][:paired]
    with_defect = min(max(2, round(0.6 * paired)), paired - 2)
    return sorted([*kinds[0][:with_defect], *kinds[1][: paired - with_defect]])


class ControlledSimulation:
    """Replications as flows, the paired ones request by request too, under each strategy."""

    def __init__(
        self,
        scenario: Scenario,
        strategies: Mapping[str, Strategy],
        *,
        replications: int,
        paired: int,
        seed: int,
    ) -> None:
        """Raises RequestError for numbers that make no estimate and for what flows do not model."""
        if not PAIRED_MIN <= paired <= replications:
            raise RequestError(f"paired(={paired}) must be {PAIRED_MIN} to the replications(={replications})")
        require_modelled(scenario.at_fidelity("fluid"))
        self.replications = replications
        self.chosen = paired_replications(scenario, seed, replications, paired)
        self._bad = {number for number in self.chosen if defects_drawn(scenario.release.defects, seed, number)}
        places = range(len(strategies))
        flows: list[_Job] = [(place, number, "fluid") for number in range(replications) for place in places]
        costly: list[_Job] = [(place, number, "requests") for number in self.chosen for place in places]
        self._work = _Jobs(scenario, tuple(strategies.values()), seed, tuple(_spread(costly, flows)))
        self._names = list(strategies)
        self._found: dict[_Job, list[FunctionMeasure]] = {}

    def play(self, processes: int | None = None, progress: Callable[[int, int], None] | None = None) -> None:
        """Play all of them; raises WorkerDied."""
        jobs = self._work.jobs
        answers = _played(self._work, cores() if processes is None else processes)
        for job, measured in zip(jobs, answers, strict=True):
            self._found[job] = measured
            if progress is not None:
                progress(len(self._found), len(jobs))

    def measures(self) -> tuple[_ByStrategy, _ByStrategy]:
        """By strategy: as flows, and request by request; of the replications that are `played` so far."""
        flows, pairs = self.played()
        return self._of("fluid", flows), self._of("requests", pairs)

    def enough(self) -> bool:
        """Whether what is played so far makes an estimate: PAIRED_MIN pairs, two of each kind (or all there are)."""
        _, pairs = self.played()
        wanted, there = (Counter(number in self._bad for number in numbers) for numbers in (self.chosen, pairs))
        return len(pairs) >= PAIRED_MIN and all(there[kind] >= min(2, count) for kind, count in wanted.items())

    def played(self) -> tuple[list[int], list[int]]:
        """Replications that all strategies have played: as flows, and of those the ones request by request too."""
        counts = Counter((number, fidelity) for _, number, fidelity in self._found)
        done = {each for each, count in counts.items() if count == len(self._names)}
        flows = sorted(number for number, fidelity in done if fidelity == "fluid")
        return flows, [number for number in flows if (number, "requests") in done]

    def _of(self, fidelity: Fidelity, numbers: Sequence[int]) -> _ByStrategy:
        found: _ByStrategy = defaultdict(list)
        for number in numbers:
            for place, name in enumerate(self._names):
                found[name] += self._found[place, number, fidelity]
        return dict(found)


def _spread(few: Sequence[_Job], many: Sequence[_Job]) -> list[_Job]:
    """The few long jobs evenly among the first half of the many short ones: chunks of jobs take equally long.

    The other half is for the end: a worker that is left with a long job is not waited for by idle ones.
    """
    every = max(1, len(many) // 2 // max(1, len(few)))
    spread: list[_Job] = []
    for place, job in enumerate(few):
        spread += [job, *many[place * every : (place + 1) * every]]
    return [*spread, *many[len(few) * every :]]


def _played(work: _Jobs, processes: int) -> Iterator[list[FunctionMeasure]]:
    numbers = range(len(work.jobs))
    if processes == 1:
        player = work.player()
        return (player.measures(number) for number in numbers)
    for fidelity in {fidelity for _, _, fidelity in work.jobs}:
        Player(work.scenario.at_fidelity(fidelity), work.strategies[0], work.seed).load()
    return (measured for chunk in measures_of(work, numbers, processes) for measured in chunk)
