"""``windtunnel simulate``."""

from __future__ import annotations

from pathlib import Path

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import (
    DrawnDefectOption,
    ExecutorOption,
    FewestOption,
    FidelityOption,
    JsonOption,
    MostOption,
    OutOption,
    ProcessesOption,
    ScenarioArgument,
    SeedOption,
    StrategyOption,
    UntilOption,
)
from windtunnel.cli.progress import counted
from windtunnel.cli.verdict import emit_judged

__all__ = ["add_to"]

_EXAMPLES = examples(
    "simulate shop-release",
    "simulate my-release.yaml --strategy blue-green --defect coupon-errors",
    "simulate shop-release --until 'rto_attainment of checkout +-1%'",
)


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("simulate", epilog=_EXAMPLES)(simulate)


def simulate(
    scenario: ScenarioArgument,
    strategy: StrategyOption = None,
    defect: DrawnDefectOption = None,
    replications: FewestOption = None,
    until: UntilOption = None,
    max_replications: MostOption = None,
    seed: SeedOption = 1,
    processes: ProcessesOption = None,
    executor: ExecutorOption = "local",
    fidelity: FidelityOption = None,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Play a release in the simulator many times, and judge it."""
    from scenarios.loading import load
    from windtunnel import simulating

    loaded, source = load(scenario)
    with counted("replications") as progress:
        outcome = simulating.simulate(
            loaded,
            source,
            strategy=strategy,
            replications=replications,
            until=until or (),
            max_replications=max_replications,
            seed=seed,
            processes=processes,
            executor=executor,
            fidelity=fidelity,
            defects=defect,
            out=out,
            progress=progress,
        )
    emit_judged(outcome.record, outcome.verdict, as_json=as_json)
    raise typer.Exit(outcome.verdict.exit_code)
