"""``windtunnel contract``: whether the new version keeps the old one's contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.exits import ExitCode
from windtunnel.cli.options import (
    DefectOption,
    GoodOption,
    JsonOption,
    SeedOption,
    StateOption,
    defects_to_switch_on,
)
from windtunnel.cli.output import emit_json, emit_text, say
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from chaos.contract.check import ContractReport

__all__ = ["add_to"]

_EXAMPLES = examples("contract shop-contract", "contract --documents old.yaml new.yaml")


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("contract", epilog=_EXAMPLES)(contract)


def contract(
    scenario: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="A scenario file, or a name in the library.")
    ] = None,
    documents: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--documents", metavar="OLD NEW", help="Two OpenAPI files, YAML or JSON, instead of a scenario."),
    ] = None,
    defect: DefectOption = None,
    good: GoodOption = False,
    seed: SeedOption = 1,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find what the new version breaks for those who call it.

    Both versions' OpenAPI documents are compared, and their consumers' calls replayed against both; of two files, only
    the documents are compared. Exit code 1 if anything breaks.
    """
    if documents is not None:
        if scenario is not None or defect or good or state is not None:
            raise UsageError("--documents compares two files: it takes no SCENARIO, --defect, --good or --state")
        _compare(*documents, as_json=as_json)
        return
    if scenario is None:
        raise UsageError("SCENARIO: must be given, or --documents OLD NEW")
    from scenarios.loading import load
    from windtunnel import contracting

    defects = defects_to_switch_on(defect, good=good)
    loaded, _ = load(scenario)
    report = contracting.contract(loaded, defects=defects, seed=seed, state_dir=state, say=say)
    if as_json:
        emit_json(report.to_json())
    else:
        emit_text(_text(report))
    if not report.kept:
        raise typer.Exit(ExitCode.FAIL)


def _compare(old: Path, new: Path, *, as_json: bool) -> None:
    from chaos.contract.oasdiff import breaking_files

    found = breaking_files(old, new, say)
    if as_json:
        emit_json({"old": str(old), "new": str(new), "kept": not found, "breaking": [vars(each) for each in found]})
    else:
        head = f"{old} -> {new}: contract {'BROKEN' if found else 'kept'}"
        emit_text("\n".join([head, *(f"  document: {each}" for each in found)]))
    if found:
        raise typer.Exit(ExitCode.FAIL)


def _text(report: ContractReport) -> str:
    head = f"{report.service} {report.old} -> {report.new}: contract {'kept' if report.kept else 'BROKEN'}"
    calls = (
        f"{report.calls} consumers' calls replayed against both versions, {len(report.differences)} answered otherwise"
    )
    return "\n".join([head, *(f"  {line}" for line in report.lines()), calls])
