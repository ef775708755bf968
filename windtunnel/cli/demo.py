"""``windtunnel demo``."""

from __future__ import annotations

from pathlib import Path

import typer

from windtunnel.cli.options import (
    JsonOption,
    OutOption,
    ReplicationsOption,
    SeedOption,
    StateOption,
)
from windtunnel.cli.output import emit_json, emit_text, say

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("demo")(demo)


def demo(
    replications: ReplicationsOption = 200,
    seed: SeedOption = 1,
    state: StateOption = None,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Compare four strategies, drill one for real, show both."""
    from evidence.report.content import gather
    from evidence.report.text import beside_text, comparison_text, run_text
    from windtunnel.demo import demo as run_demo

    outcome = run_demo(replications=replications, seed=seed, state_dir=state, out=out, say=say)
    verdict = outcome.drilled.verdict
    if as_json:
        emit_json(
            {
                "comparison": outcome.compared.comparison.to_json(),
                "beside": None if outcome.beside is None else outcome.beside.to_json(),
                "drill": {
                    "record": str(outcome.drilled.record.folder),
                    "verdict": verdict.to_json(),
                },
                "report": str(outcome.report),
                "exit_code": verdict.exit_code,
            }
        )
    else:
        emit_text("\n" + comparison_text(outcome.compared.comparison))
        if outcome.beside is None:
            emit_text("\n" + run_text(gather(outcome.drilled.record.folder)))
            say(f"the drill was stopped early: {outcome.drilled.report.stopped}")
        else:
            emit_text("\n" + beside_text(outcome.beside))
        emit_text(f"The drill's verdict: {verdict.status.value}")
        emit_text(f"Report with figures: {outcome.report}")
    raise typer.Exit(verdict.exit_code)
