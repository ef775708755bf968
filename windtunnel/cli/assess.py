"""``windtunnel assess`` and ``windtunnel report``: stored runs, judged again and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import JsonOption, RunArgument
from windtunnel.cli.output import emit_text, write_page
from windtunnel.cli.verdict import emit_judged

__all__ = ["add_to"]

_EXAMPLES = examples(
    "report runs/20261130T030000Z-shop-release-canary-staging",
    "report SIMULATION DRILL --output beside.html",
    "report RUN --format junit --output junit.xml",
)
_FORMATS = "html, text, markdown, junit or json"


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("assess")(assess)
    app.command("report", epilog=_EXAMPLES)(report)


def assess(run: RunArgument, as_json: JsonOption = False) -> None:
    """Judge a stored run again, from its record alone.

    Its verdict is written anew, and is the exit code.
    """
    from evidence.assess import assess as judge_again
    from evidence.record import RunRecord

    verdict = judge_again(run)
    emit_judged(RunRecord.open(run), verdict, as_json=as_json)
    raise typer.Exit(verdict.exit_code)


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="One run; a simulation and a drill side by side; simulations compared."),
    ],
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help=f"{_FORMATS}.")] = "html",
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Else RUN/report.html for HTML, stdout for others."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of judged runs."""
    from windtunnel.errors import UsageError
    from windtunnel.reporting import Format
    from windtunnel.reporting import report as render

    if form not in set(Format):
        raise UsageError(f"--format(={form}) must be {_FORMATS}")
    chosen = Format.JSON if as_json else Format(form)
    text = render(runs, chosen)
    if output is None and chosen is Format.HTML:
        output = runs[0] / "report.html"
    if output is None:
        emit_text(text)
        return
    write_page(output, text, "--output")
    emit_text(f"report: {output}")
