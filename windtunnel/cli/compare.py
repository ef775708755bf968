"""``windtunnel compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from windtunnel.cli.controlled import ControlVariateOption, emit_controlled
from windtunnel.cli.examples import examples
from windtunnel.cli.options import (
    ExecutorOption,
    FewestOption,
    FidelityOption,
    JsonOption,
    MostOption,
    OutOption,
    ProcessesOption,
    ScenarioArgument,
    SeedOption,
    StrategiesOption,
    UntilOption,
    VaryOption,
    kinds_named,
)
from windtunnel.cli.output import emit_json, emit_text
from windtunnel.cli.progress import counted
from windtunnel.cli.verdict import precision_text

if TYPE_CHECKING:
    from windtunnel.simulating import ComparisonOutcome

__all__ = ["add_to"]

_EXAMPLES = examples(
    "compare shop-release",
    "compare shop-release --strategies canary,blue-green --until 'difference rto of checkout +-0.5s'",
    "compare bake-time --vary release.strategy.canary.bake=1m,5m,10m",
)


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("compare", epilog=_EXAMPLES)(compare)


def compare(
    scenario: ScenarioArgument,
    strategies: StrategiesOption = None,
    vary: VaryOption = None,
    replications: FewestOption = None,
    until: UntilOption = None,
    max_replications: MostOption = None,
    seed: SeedOption = 1,
    processes: ProcessesOption = None,
    executor: ExecutorOption = "local",
    fidelity: FidelityOption = None,
    control_variate: ControlVariateOption = None,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Simulate several strategies, or values, on the same draws.

    Without --strategies and --vary, all strategies of the scenario.
    """
    if control_variate is not None:
        emit_controlled(
            scenario,
            control_variate,
            strategies=strategies,
            replications=replications,
            seed=seed,
            processes=processes,
            as_json=as_json,
            others={
                "vary": vary,
                "until": until,
                "max-replications": max_replications,
                "executor": None if executor == "local" else executor,
                "fidelity": fidelity,
            },
        )
        return
    from scenarios.loading import load
    from windtunnel import simulating

    loaded, source = load(scenario)
    with counted("replications") as progress:
        outcome = simulating.compare(
            loaded,
            source,
            strategies=kinds_named(strategies),
            vary=vary or (),
            replications=replications,
            until=until or (),
            max_replications=max_replications,
            seed=seed,
            processes=processes,
            executor=executor,
            fidelity=fidelity,
            out=out,
            progress=lambda _, done, total: progress(done, total),
        )
    if as_json:
        emit_json(_document(outcome, seed))
    else:
        _emit_text(outcome)


def _document(outcome: ComparisonOutcome, seed: int) -> dict[str, Any]:
    headers = {label: each.record.header for label, each in outcome.by_label.items()}
    first = outcome.simulations[0].record.header
    return {
        **outcome.comparison.to_json(),
        "replications": first.replications,
        "seed": seed,
        **outcome.stopped,
        "caveats": outcome.caveats,
        "variants": {label: header.variant.changes for label, header in headers.items() if header.variant is not None},
        "records": {label: str(each.record.folder) for label, each in outcome.by_label.items()},
    }


def _emit_text(outcome: ComparisonOutcome) -> None:
    from evidence.report.text import comparison_text

    emit_text(comparison_text(outcome.comparison, outcome.caveats))
    first = outcome.simulations[0].record.header
    if first.until is not None:
        emit_text(precision_text(first))
    emit_text("\n".join(f"record of {label}: {each.record.folder}" for label, each in outcome.by_label.items()))
