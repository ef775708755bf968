"""``windtunnel scenario validate|show|list|export`` and ``windtunnel schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.exits import ExitCode
from windtunnel.cli.options import JsonOption, ScenarioArgument, ScenariosArgument, StrategyOption
from windtunnel.cli.output import emit_json, emit_table, emit_text, say

__all__ = ["add_to"]

_group = typer.Typer(help="Check, show, list and export scenarios.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.add_typer(_group, name="scenario")
    app.command("schema", epilog=examples("schema > windtunnel.schema.json"))(schema)


@_group.command(epilog=examples("scenario validate my-release.yaml"))
def validate(
    scenarios: ScenariosArgument,
    as_json: JsonOption = False,
) -> None:
    """Check scenarios, and tell every problem.

    Each with file, line, path, value and rule; exit code 2 then.
    """
    from scenarios.errors import InvalidScenario, ScenarioError
    from scenarios.loading import load

    answers: list[dict[str, Any]] = []
    for reference in scenarios:
        try:
            scenario, _ = load(reference)
        except InvalidScenario as error:
            problems = [str(problem) for problem in error.problems]
            answers.append({"source": reference, "valid": False, "problems": problems})
        except ScenarioError as error:
            answers.append({"source": reference, "valid": False, "problems": [str(error)]})
        else:
            answers.append({"source": reference, "valid": True, "name": scenario.name})
    if as_json:
        emit_json(answers)
    for answer in answers:
        if not answer["valid"]:
            say("\n".join(answer["problems"]))
        elif not as_json:
            emit_text(f"{answer['source']}: valid ({answer['name']})")
    if not all(answer["valid"] for answer in answers):
        raise typer.Exit(ExitCode.USAGE)


@_group.command()
def show(reference: ScenarioArgument, as_json: JsonOption = False) -> None:
    """Print a scenario's text, after checking it.

    With --json the values as they are understood.
    """
    from scenarios.loading import load

    scenario, source = load(reference)
    if as_json:
        emit_json(scenario.model_dump(mode="json", exclude_none=True))
    else:
        emit_text(source.text)


@_group.command(epilog=examples("scenario export shop-release --to chaostoolkit --out experiment.json"))
def export(
    reference: ScenarioArgument,
    to: Annotated[str, typer.Option("--to", metavar="chaostoolkit", help="An experiment whose method is the drill.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Else it is printed.")] = None,
    strategy: StrategyOption = None,
) -> None:
    """Write a scenario in the form of another tool."""
    from chaos.experiments.exporting import exported
    from chaos.realise import require_realisable
    from scenarios.loading import load
    from simulator.strategies import strategy_named
    from windtunnel.errors import UsageError

    if to != "chaostoolkit":
        raise UsageError(f"--to {to}: must be chaostoolkit")
    scenario, source = load(reference)
    strategy_named(scenario, strategy)  # raises for one that it has not
    require_realisable(scenario)
    text = json.dumps(exported(scenario, source.source, strategy), indent=2)
    if out is None:
        emit_text(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written: {error.strerror}") from error


@_group.command("list")
def list_library(as_json: JsonOption = False) -> None:
    """List the library's scenarios."""
    from scenarios.catalogue import library_names
    from scenarios.loading import load

    loaded = [load(name)[0] for name in library_names()]
    if as_json:
        emit_json([{"name": s.name, "description": s.description} for s in loaded])
    else:
        emit_table(("SCENARIO", "WHAT IT ASKS"), [(s.name, s.description.strip()) for s in loaded])


def schema(
    staging: Annotated[bool, typer.Option("--staging", help="Of staging files, not of scenarios.")] = False,
) -> None:
    """Print the JSON Schema of scenarios, or of staging files."""
    if staging:
        from chaos.staging.files.loading import staging_schema

        emit_json(staging_schema())
        return
    from scenarios.schema import json_schema

    emit_json(json_schema())
