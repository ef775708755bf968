"""``windtunnel check``: scenarios as regression tests."""

from __future__ import annotations

from pathlib import Path

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import JsonOption, OutOption, ReplicationsOption, ScenariosArgument, SeedOption
from windtunnel.cli.output import emit_json, emit_text, say
from windtunnel.cli.verdict import verdict_text

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("check", epilog=examples("check shop-release slow-leak", "check releases/*.yaml"))(check)


def check(
    scenarios: ScenariosArgument,
    replications: ReplicationsOption = 200,
    seed: SeedOption = 1,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Judge scenarios as regression tests, by simulation.

    The exit code is that of the worst verdict.
    """
    from windtunnel.checking import called
    from windtunnel.checking import check as check_all

    outcomes = check_all(scenarios, replications=replications, seed=seed, out=out, say=say)
    worst = max((outcome.verdict for outcome in outcomes), key=lambda each: each.status.rank)
    each_of = list(zip(scenarios, outcomes, strict=True))
    if as_json:
        checked = [
            {
                "scenario": outcome.record.header.scenario.name,
                "reference": reference,
                "record": str(outcome.record.folder),
                "verdict": outcome.verdict.to_json(),
            }
            for reference, outcome in each_of
        ]
        emit_json({"checked": checked, "status": worst.status.value, "exit_code": worst.exit_code})
    else:
        for reference, outcome in each_of:
            name = called(reference, outcome.record.header.scenario.name)
            emit_text(f"{name}\n{verdict_text(outcome.verdict)}\n")
    raise typer.Exit(worst.exit_code)
