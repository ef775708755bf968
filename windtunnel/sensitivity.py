"""Which assumption matters: a scenario simulated with its uncertain inputs drawn, and the inputs ranked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.measures import FunctionMeasure
from evidence.sensitivity import Influence, rank_inputs
from scenarios.loading import ScenarioText, load_text
from scenarios.ranges import Range
from scenarios.uncertain import Uncertain, uncertain
from scenarios.widening import widened
from windtunnel.errors import UsageError
from windtunnel.simulating import SimulationOutcome, simulate

__all__ = ["MEASURES", "SensitivityOutcome", "sensitivity"]

MEASURES: dict[str, Callable[[FunctionMeasure], float | None]] = {
    "rto_s": lambda row: row.rto_s,
    "rto_missed": lambda row: float(row.met_rto is False),
    "rpo_s": lambda row: row.rpo_s,
    "failed_share": lambda row: row.failed_share,
    "revenue_lost": lambda row: row.revenue_lost,
}
"""What inputs can be ranked by. A censored RTO counts at its bound."""

DEFAULT_SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class SensitivityOutcome:
    """The ranking, by function and measure; `spread` is None where the scenario's own ranges were drawn.

    `constant` names the (function, measure) that did not vary, and so are ranked by nothing; `unknown` those without
    data in some replication.
    """

    simulation: SimulationOutcome
    ranges: tuple[Range, ...]
    spread: float | None
    influences: tuple[Influence, ...]
    constant: tuple[tuple[str, str], ...]
    unknown: tuple[tuple[str, str], ...]


def sensitivity(
    source: ScenarioText,
    *,
    spread: float | None = None,
    measures: Sequence[str] = ("rto_s", "failed_share"),
    strategy: str | None = None,
    defects: Sequence[str] | None = None,
    replications: int = 1000,
    seed: int = 1,
    processes: int | None = None,
    executor: str = "local",
    out: Path = Path("runs"),
    progress: Callable[[int, int], None] | None = None,
) -> SensitivityOutcome:
    """Simulate with every uncertain input drawn anew in each replication, and rank the inputs.

    The inputs are the scenario's ranges. Without any, or with `spread`, every assumed quantity is drawn from itself
    - spread to + spread (as shares; 20 % where nothing is said). Raises UsageError for an unknown measure or spread,
    JudgeError for too few replications, and what `simulate` raises.
    """
    for name in measures:
        if name not in MEASURES:
            raise UsageError(f"measure(={name}) must be one of {', '.join(MEASURES)}")
    if spread is not None and not 0 < spread < 1:
        raise UsageError(f"spread(={spread:g}) must be above 0% and below 100%")
    if spread is None and uncertain(source.text, source.source) is None:
        spread = DEFAULT_SPREAD
    if spread is not None:
        source = ScenarioText(f"{source.source} (+-{spread:.0%})", widened(source.text, source.source, spread))
    scenario = load_text(source.text, source.source)
    inputs = uncertain(source.text, source.source)
    if inputs is None:
        raise UsageError(f"scenario {scenario.name} must have an assumption to vary: it has no quantities")
    outcome = simulate(
        scenario,
        source,
        strategy=strategy,
        defects=defects,
        replications=replications,
        seed=seed,
        processes=processes,
        executor=executor,
        out=out,
        progress=progress,
    )
    outputs, unknown = _outputs(outcome.result.measures, measures)
    varying = {key: values for key, values in outputs.items() if len(set(values)) > 1}
    ranked = rank_inputs(_inputs(inputs, seed, replications), varying, seed)
    constant = tuple(key for key in outputs if key not in varying)
    return SensitivityOutcome(outcome, inputs.ranges, spread, tuple(ranked), constant, unknown)


def _inputs(inputs: Uncertain, seed: int, replications: int) -> dict[str, list[float]]:
    drawn = [inputs.shares(seed, replication) for replication in range(replications)]
    return {each.name: [shares[place] for shares in drawn] for place, each in enumerate(inputs.ranges)}


_Output = tuple[str, str]


def _outputs(
    rows: Sequence[FunctionMeasure], measures: Sequence[str]
) -> tuple[dict[_Output, list[float]], tuple[_Output, ...]]:
    """Values by function and measure, for each replication in order; and those that lack some of them."""
    found: dict[_Output, list[float]] = {}
    unknown: list[_Output] = []
    for function in dict.fromkeys(row.function for row in rows):
        mine = [row for row in rows if row.function == function]
        for name in measures:
            values = [MEASURES[name](row) for row in mine]
            present = [value for value in values if value is not None]
            if len(present) == len(values):
                found[function, name] = present
            else:
                unknown.append((function, name))
    return found, tuple(unknown)
