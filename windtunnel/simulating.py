"""A simulation from its scenario to its verdict, and strategies or variants compared, each with its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evidence.assess import assess, scenario_of
from evidence.caveats import caveats, caveats_compared
from evidence.comparison import Comparison
from evidence.comparison import compare as compare_measures
from evidence.header import ScenarioText as RecordedText
from evidence.header import Variant
from evidence.record import RunRecord
from evidence.strata import chances_of, risks_of
from evidence.verdicts import Verdict
from scenarios.editing import edited
from scenarios.fidelity import Fidelity
from scenarios.loading import ScenarioText, load_text
from scenarios.models import Scenario
from scenarios.warmup import AUTO
from simulator.replications import Simulation, SimulationResult, check_request
from simulator.warmup import warmup_s
from windtunnel import sequential
from windtunnel.errors import UsageError
from windtunnel.sequential import Stop, stop_of
from windtunnel.variants import Contender, contenders

__all__ = ["ComparisonOutcome", "SimulationOutcome", "compare", "settled", "simulate"]

REPLICATIONS = 200
"""Where nothing else is said."""


@dataclass(frozen=True, slots=True)
class SimulationOutcome:
    """A simulation, its record and what the judge said."""

    result: SimulationResult
    record: RunRecord
    verdict: Verdict

    @property
    def caveats(self) -> list[str]:
        """What to know before the figures are believed."""
        return caveats(scenario_of(self.record), self.result.measures, self.record.header.defects)


@dataclass(frozen=True, slots=True)
class ComparisonOutcome:
    """Strategies or variants side by side, and the judged simulation of each by its label, in the order asked for."""

    comparison: Comparison
    simulations: tuple[SimulationOutcome, ...]

    @property
    def by_label(self) -> dict[str, SimulationOutcome]:
        """The simulations by the label that the comparison calls them by."""
        return {each.record.header.label: each for each in self.simulations}

    @property
    def caveats(self) -> list[str]:
        """What to know before the figures are believed."""
        played = {
            label: (scenario_of(each.record), each.result.measures, None) for label, each in self.by_label.items()
        }
        return caveats_compared(played)

    @property
    def stopped(self) -> dict[str, object]:
        """Where it was played until it is precise: what was asked for, and what was reached; else empty."""
        header = self.simulations[0].record.header
        return {} if header.until is None else {name: getattr(header, name) for name in ("until", "precise", "reached")}


def simulate(
    scenario: Scenario,
    source: ScenarioText,
    *,
    strategy: str | None = None,
    replications: int | None = None,
    until: Sequence[str] = (),
    max_replications: int | None = None,
    seed: int = 1,
    processes: int | None = None,
    executor: str = "local",
    defects: Sequence[str] | None = None,
    out: Path = Path("runs"),
    progress: Callable[[int, int], None] | None = None,
    fidelity: Fidelity | None = None,
) -> SimulationOutcome:
    """Play a release in the simulator `replications` times (200), record and judge it.

    With `until`, such as 'rto_attainment +-1%', it is played until all of these precisions are reached: `replications`
    are then the fewest, `max_replications` (10,000) the most. `fidelity` None: the scenario's. Other arguments as of
    simulator.replications.simulate. Raises UsageError, RequestError and EvidenceError.
    """
    scenario, source = settled(scenario.at_fidelity(fidelity), source, seed)
    [outcome] = _play(
        [Contender("", strategy, scenario.at_fidelity(fidelity), source, {})],
        replications=replications,
        stop=_stop(scenario, until, replications, max_replications, compared=False),
        base=source,
        seed=seed,
        processes=processes,
        executor=executor,
        defects=defects,
        out=out,
        progress=None if progress is None else lambda _, done, total: progress(done, total),
    )
    return outcome


def compare(
    scenario: Scenario,
    source: ScenarioText,
    *,
    strategies: Sequence[str] | None = None,
    vary: Sequence[str] = (),
    replications: int | None = None,
    until: Sequence[str] = (),
    max_replications: int | None = None,
    seed: int = 1,
    processes: int | None = None,
    executor: str = "local",
    defects: Sequence[str] | None = None,
    out: Path = Path("runs"),
    progress: Callable[[str, int, int], None] | None = None,
    fidelity: Fidelity | None = None,
) -> ComparisonOutcome:
    """Simulate several strategies, or variants of the scenario, on the same random draws.

    `strategies` and `vary` (`PATH=V1,V2` each) as windtunnel.variants.contenders takes them; `until` and
    `max_replications` as `simulate`, of every one of them, or with 'difference MEASURE +-WIDTH' of every pair.
    `defects` None draws them by their probabilities; otherwise the release has those named, in every replication.
    Raises UsageError, RequestError, ScenarioError and EvidenceError.
    """
    scenario, source = settled(scenario.at_fidelity(fidelity), source, seed)
    found = [
        replace(each, scenario=each.scenario.at_fidelity(fidelity))
        for each in contenders(scenario, source, strategies, vary)
    ]
    outcomes = _play(
        found,
        replications=replications,
        stop=_stop(scenario, until, replications, max_replications, compared=len(found) > 1),
        base=source,
        seed=seed,
        processes=processes,
        executor=executor,
        defects=defects,
        out=out,
        progress=progress,
    )
    measures = {each.label: outcome.result.measures for each, outcome in zip(found, outcomes, strict=True)}
    chances = {each.label: chances_of(each.scenario, defects) for each in found}
    return ComparisonOutcome(compare_measures(scenario.name, measures, chances), tuple(outcomes))


def _play(
    found: Sequence[Contender],
    *,
    replications: int | None,
    stop: Stop | None,
    base: ScenarioText,
    seed: int,
    processes: int | None,
    executor: str,
    defects: Sequence[str] | None,
    out: Path,
    progress: Callable[[str, int, int], None] | None,
) -> list[SimulationOutcome]:
    """The judged simulation of each. What can be refused is, before anything is written."""
    wanted = REPLICATIONS if replications is None else replications
    for each in found:
        check_request(
            each.scenario,
            strategy=each.strategy,
            replications=wanted,
            seed=seed,
            processes=processes,
            executor=executor,
            defects=defects,
        )
    simulations = {
        each.label: Simulation(
            each.scenario,
            each.source.text,
            ceiling=wanted if stop is None else stop.most,
            strategy=each.strategy,
            seed=seed,
            processes=processes,
            executor=executor,
            defects=defects,
            out=out,
            source=each.source.source,
            variant=_variant(each, base),
            until=None if stop is None else stop.text,
        )
        for each in found
    }
    try:
        if stop is None:
            precise, reached = None, None
            for name, simulation in simulations.items():
                simulation.play_to(wanted, None if progress is None else _named(progress, name))
        else:
            chances = {each.label: chances_of(each.scenario, defects) for each in found}
            risks = {each.label: risks_of(each.scenario) for each in found}
            precise, reached = sequential.play(simulations, stop, chances, risks, progress)
        return [_judged(simulation.finish(precise=precise, reached=reached)) for simulation in simulations.values()]
    except BaseException as error:  # Ctrl-C, a lost worker, a full disk
        for told in filter(None, (simulation.salvage() for simulation in simulations.values())):
            error.add_note(told)
        raise


def _stop(
    scenario: Scenario, until: Sequence[str], replications: int | None, most: int | None, *, compared: bool
) -> Stop | None:
    if until:
        return stop_of(scenario, until, replications, most, compared=compared)
    if most is not None:
        raise UsageError(
            f"max-replications(={most}) must come with until: without, replications are as many as asked for"
        )
    return None


def settled(scenario: Scenario, source: ScenarioText, seed: int) -> tuple[Scenario, ScenarioText]:
    """With the warm-up found where the scenario leaves it to us; the text then says so. Raises RequestError."""
    if scenario.measure.warmup != AUTO:
        return scenario, source
    value = f"{warmup_s(scenario, seed) * 1e3:g}ms"
    found = ScenarioText(f"{source.source} (measure.warmup={value})", edited(source.text, "measure.warmup", value))
    return load_text(found.text, found.source), found


def _variant(contender: Contender, base: ScenarioText) -> Variant | None:
    if not contender.changes:
        return None
    return Variant(label=contender.label, changes=contender.changes, base=RecordedText.of("", base.text).digest)


def _named(progress: Callable[[str, int, int], None], name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


def _judged(result: SimulationResult) -> SimulationOutcome:
    assert result.record is not None, "a simulation asked for with `out` has a record"
    verdict = assess(result.record)
    return SimulationOutcome(result, RunRecord.open(result.record), verdict)
