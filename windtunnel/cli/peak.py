"""``windtunnel peak``: both versions at the scenario's peak, side by side."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import (
    DefectOption,
    DryRunOption,
    GoodOption,
    JsonOption,
    LoadWorkersOption,
    OutOption,
    ScenarioArgument,
    SeedOption,
    StagingOption,
    StateOption,
    defects_to_switch_on,
    ratio_of,
)
from windtunnel.cli.output import emit_json, emit_text, say

if TYPE_CHECKING:
    from scenarios.models import Scenario
    from scenarios.peak_window import PeakWindow

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("peak", epilog=examples("peak shop-release", "peak shop-release --good --pairs 10"))(peak)


def peak(
    scenario: ScenarioArgument,
    defect: DefectOption = None,
    good: GoodOption = False,
    pairs: Annotated[
        int, typer.Option("--pairs", metavar="N", help="Pairs of blocks: one of the old version, one of the new.")
    ] = 6,
    block: Annotated[
        str,
        typer.Option(
            "--block",
            metavar="TIME",
            help="How long a block is counted: that part of the scenario with most load.",
        ),
    ] = "5s",
    slower: Annotated[
        str,
        typer.Option("--slower", metavar="SHARE", help="How far the new version's p95 may be above the old's."),
    ] = "10%",
    failures: Annotated[
        str,
        typer.Option(
            "--failures",
            metavar="SHARE",
            help="How far the new version's failed share may be above the old's.",
        ),
    ] = "0.5%",
    load_workers: LoadWorkersOption = 1,
    dry_run: DryRunOption = False,
    seed: SeedOption = 1,
    staging: StagingOption = "local",
    state: StateOption = None,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Load old and new with the peak: regression or noise.

    Both versions in turn, in pairs of blocks. Exit code as of a drill.
    """
    from chaos.load.workers import Workers
    from chaos.peak import PeakPlan
    from evidence.regression import Tolerance
    from scenarios.loading import load
    from windtunnel import peaking, stagings
    from windtunnel.cli.verdict import verdict_text

    defects = defects_to_switch_on(defect, good=good)
    loaded, _ = load(scenario)
    plan = PeakPlan(pairs, _window(loaded, block))
    tolerance = Tolerance(ratio_of("--slower", slower), ratio_of("--failures", failures))
    on, workers = stagings.named(staging), Workers(load_workers)
    if dry_run:
        planned = peaking.outline(loaded, defects=defects, plan=plan, tolerance=tolerance, state_dir=state, on=on)
        if as_json:
            emit_json(asdict(planned))
        else:
            emit_text(planned.text())
        return
    outcome = peaking.peak(
        loaded, defects=defects, plan=plan, tolerance=tolerance, seed=seed, state_dir=state, on=on, out=out, say=say,
        workers=workers,
    )  # fmt: skip
    code = outcome.verdict.exit_code
    if as_json:
        emit_json({"record": str(outcome.folder), **outcome.verdict.to_json(), "exit_code": code})
    else:
        emit_text(verdict_text(outcome.verdict))
        emit_text(f"blocks: {outcome.folder}")
    raise typer.Exit(code)


def _window(scenario: Scenario, block: str) -> PeakWindow:
    from scenarios.peak_window import peak_window
    from scenarios.quantities import parse_positive_duration_s
    from windtunnel.errors import UsageError

    try:
        return peak_window(scenario, parse_positive_duration_s(block))
    except ValueError as error:
        raise UsageError(f"--block(={block}) {error}") from error
