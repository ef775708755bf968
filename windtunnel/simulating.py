"""A simulation from its scenario to its verdict, and strategies compared, each with its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.assess import assess
from evidence.comparison import Comparison
from evidence.comparison import compare as compare_measures
from evidence.record import RunRecord
from evidence.verdicts import Verdict
from scenarios.loading import ScenarioText
from scenarios.models import Scenario
from simulator.compare import compare as simulate_each
from simulator.replications import SimulationResult
from simulator.replications import simulate as play
from windtunnel.choices import compared_kinds

__all__ = ["ComparisonOutcome", "SimulationOutcome", "compare", "simulate"]


@dataclass(frozen=True, slots=True)
class SimulationOutcome:
    """A simulation, its record and what the judge said."""

    result: SimulationResult
    record: RunRecord
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ComparisonOutcome:
    """Strategies side by side, and the judged simulation of each, in the order asked for."""

    comparison: Comparison
    simulations: tuple[SimulationOutcome, ...]


def simulate(
    scenario: Scenario,
    source: ScenarioText,
    *,
    strategy: str | None = None,
    replications: int = 200,
    seed: int = 1,
    processes: int | None = None,
    executor: str = "local",
    defects: Sequence[str] | None = None,
    out: Path = Path("runs"),
    progress: Callable[[int, int], None] | None = None,
) -> SimulationOutcome:
    """Play a release in the simulator `replications` times, record and judge it.

    Arguments as of simulator.replications.simulate. Raises RequestError and EvidenceError.
    """
    result = play(
        scenario,
        source.text,
        strategy=strategy,
        replications=replications,
        seed=seed,
        processes=processes,
        executor=executor,
        defects=defects,
        out=out,
        source=source.source,
        progress=progress,
    )
    return _judged(result)


def compare(
    scenario: Scenario,
    source: ScenarioText,
    *,
    strategies: Sequence[str] | None = None,
    replications: int = 200,
    seed: int = 1,
    processes: int | None = None,
    executor: str = "local",
    defects: Sequence[str] | None = None,
    out: Path = Path("runs"),
    progress: Callable[[str, int, int], None] | None = None,
) -> ComparisonOutcome:
    """Simulate several strategies on the same random draws; None: as `windtunnel.choices.compared_kinds` chooses.

    `defects` None draws them by their probabilities; otherwise the release has those named, in every replication.
    Raises RequestError and EvidenceError.
    """
    results = simulate_each(
        scenario,
        source.text,
        compared_kinds(scenario) if strategies is None else strategies,
        replications=replications,
        seed=seed,
        processes=processes,
        executor=executor,
        defects=defects,
        out=out,
        source=source.source,
        progress=progress,
    )
    comparison = compare_measures(scenario.name, {result.strategy.kind: result.measures for result in results})
    return ComparisonOutcome(comparison, tuple(_judged(result) for result in results))


def _judged(result: SimulationResult) -> SimulationOutcome:
    assert result.record is not None, "a simulation asked for with `out` has a record"
    verdict = assess(result.record)
    return SimulationOutcome(result, RunRecord.open(result.record), verdict)
