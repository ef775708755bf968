"""``windtunnel drill`` and ``windtunnel undo``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.exits import ExitCode
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
    StrategyOption,
    defects_to_switch_on,
)
from windtunnel.cli.output import emit_json, emit_text, say
from windtunnel.cli.verdict import emit_judged

if TYPE_CHECKING:
    from chaos.watching import Watcher
    from scenarios.models import Scenario

__all__ = ["add_to"]

_EXAMPLES = examples(
    "drill shop-release",
    "drill shop-release --good --seed 7",
    "drill my-release.yaml --staging staging.yaml --dry-run",
)


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("drill", epilog=_EXAMPLES)(drill)
    app.command("undo")(undo)


def drill(
    scenario: ScenarioArgument,
    strategy: StrategyOption = None,
    defect: DefectOption = None,
    good: GoodOption = False,
    contract: Annotated[
        bool, typer.Option("--contract", help="Begin only if the new version keeps the old one's contract.")
    ] = False,
    load_workers: LoadWorkersOption = 1,
    load_master: Annotated[
        str | None,
        typer.Option("--load-master", metavar="HOST:PORT", help="Where those workers join, started elsewhere."),
    ] = None,
    dry_run: DryRunOption = False,
    seed: SeedOption = 1,
    staging: StagingOption = "local",
    state: StateOption = None,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Play a release on a staging, for real, and judge it.

    Whatever happens, everything is undone and read back. Exit code 5 if anything stays.
    """
    from chaos.load.workers import Address, Workers
    from scenarios.loading import load
    from windtunnel import drilling, stagings

    defects = defects_to_switch_on(defect, good=good)
    loaded, source = load(scenario)
    on = stagings.named(staging)
    workers = Workers(load_workers, None if load_master is None else Address.parse(load_master, "--load-master"))
    if dry_run:
        plan = drilling.drill_plan(loaded, strategy=strategy, defects=defects, state_dir=state, on=on)
        if as_json:
            emit_json(asdict(plan))
        else:
            emit_text(plan.text())
        return
    with _shown(loaded) as (tell, watcher):
        outcome = drilling.drill(
            loaded, source, strategy=strategy, defects=defects, seed=seed, state_dir=state, on=on, out=out, say=tell,
            watcher=watcher, contract=contract, workers=workers,
        )  # fmt: skip
    stopped = outcome.report.stopped
    if stopped is not None:
        say(f"the drill was stopped early: {stopped}")
    undone = [str(result) for result in outcome.report.healed]
    code = _exit_code(stopped, outcome.verdict.exit_code)
    emit_judged(outcome.record, outcome.verdict, as_json=as_json, stopped=stopped, undone=undone, exit_code=int(code))
    # Not by way of Typer, which takes 130 for a Ctrl-C that nobody has answered yet.
    raise SystemExit(int(code))


@contextmanager
def _shown(scenario: Scenario) -> Iterator[tuple[Callable[[str], None], Watcher | None]]:
    """A live view at a terminal, plain lines elsewhere."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield say, None
        return
    from windtunnel.cli.live import live_view

    with live_view(scenario) as view:
        yield view.say, view


def _exit_code(stopped: str | None, judged: int) -> int:
    """An interrupted drill says so, whatever could still be judged of it."""
    for signal_name, code in (
        ("SIGINT", ExitCode.INTERRUPTED),
        ("SIGTERM", ExitCode.TERMINATED),
        ("SIGHUP", ExitCode.HUNG_UP),
    ):
        if stopped is not None and signal_name in stopped:
            return code
    return judged


def undo(staging: StagingOption = "local", state: StateOption = None, as_json: JsonOption = False) -> None:
    """Heal what a dead run left behind, and read it back. Exit code 5 if anything stays."""
    from chaos.safety.undo import heal
    from windtunnel.stagings import state_dir_named

    folder = state_dir_named(staging, state)
    report = heal(folder) if folder.is_dir() else None
    results = report.results if report is not None else ()
    if as_json:
        clean = report is None or report.clean
        emit_json({"clean": clean, "undone": [asdict(result) for result in results]})
    else:
        emit_text("\n".join(map(str, results)) or "Nothing was left to undo.")
    if report is not None and not report.clean:
        say("\n".join(report.damaged))
        raise typer.Exit(ExitCode.UNCLEAN)
