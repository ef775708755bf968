"""The main job end to end: compare strategies, drill one for real, and put prediction beside measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evidence.beside import Beside, predicted_beside_measured
from evidence.report.content import gather
from scenarios.loading import load
from windtunnel.choices import chosen_defects
from windtunnel.drilling import DrillOutcome, drill, require_free, state_folder
from windtunnel.reporting import Format
from windtunnel.reporting import report as report_of
from windtunnel.simulating import ComparisonOutcome, SimulationOutcome, compare, simulate

__all__ = ["SCENARIO", "DemoOutcome", "demo"]

SCENARIO = "shop-release"
_REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """What the demo found, and where its report is; nothing beside a prediction of a drill that was stopped early."""

    compared: ComparisonOutcome
    predicted: SimulationOutcome
    drilled: DrillOutcome
    beside: Beside | None
    report: Path


def demo(
    *,
    replications: int = 200,
    seed: int = 1,
    state_dir: Path | None = None,
    out: Path = Path("runs"),
    say: Callable[[str], None] = lambda _: None,
) -> DemoOutcome:
    """Play the shop's release in both worlds. The drill has the scenario's first defect, and so has its prediction.

    Raises UsageError, ChaosError and EvidenceError.
    """
    scenario, source = load(SCENARIO)
    require_free(scenario, seed, state_folder(state_dir, None))
    defects = chosen_defects(scenario, None)
    say(f"1/3 simulating {scenario.name} by every strategy, {replications} times each")
    compared = compare(
        scenario,
        source,
        replications=replications,
        seed=seed,
        out=out,
        progress=lambda kind, done, total: say(f"    {kind}") if done == total else None,
    )
    main = scenario.release.strategy.kind
    say(f"2/3 predicting the drill: {main}, the new version has {', '.join(defects)}")
    predicted = simulate(scenario, source, replications=replications, seed=seed, defects=defects, out=out)
    say(f"3/3 drilling {main} on the embedded staging, {scenario.duration_s:g} s of real load")
    drilled = drill(scenario, source, defects=defects, seed=seed, state_dir=state_dir, out=out, say=say)
    report = drilled.record.folder / _REPORT
    if drilled.report.stopped is not None:
        report.write_text(report_of([drilled.record.folder], Format.HTML), encoding="utf-8")
        return DemoOutcome(compared, predicted, drilled, None, report)
    beside = predicted_beside_measured(predicted.record, drilled.record)
    report.write_text(_page(compared, predicted, drilled), encoding="utf-8")
    return DemoOutcome(compared, predicted, drilled, beside, report)


def _page(compared: ComparisonOutcome, predicted: SimulationOutcome, drilled: DrillOutcome) -> str:
    from evidence.report.html import side_by_side_html

    return side_by_side_html(
        gather(predicted.record.folder),
        gather(drilled.record.folder),
        compared.comparison,
        {each.result.strategy.kind: each.result.measures for each in compared.simulations},
    )
