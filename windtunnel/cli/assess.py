"""``windtunnel assess``: judge a stored run again."""

from __future__ import annotations

import typer

from windtunnel.cli.options import JsonOption, RunArgument
from windtunnel.cli.verdict import emit_judged

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("assess")(assess)


def assess(run: RunArgument, as_json: JsonOption = False) -> None:
    """Judge a stored run from its record and nothing else; its verdict is written anew."""
    from evidence.assess import assess as judge_again
    from evidence.record import RunRecord

    verdict = judge_again(run)
    emit_judged(RunRecord.open(run), verdict, as_json=as_json)
    raise typer.Exit(verdict.exit_code)
