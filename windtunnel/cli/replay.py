"""``windtunnel replay``: published incidents, predicted beside what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import COUNT_MAX, JsonOption, SeedOption
from windtunnel.cli.output import emit_json, emit_text
from windtunnel.cli.progress import counted

if TYPE_CHECKING:
    from windtunnel.replaying import Replay

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("replay", epilog=examples("replay", "replay gitlab-2017-01-31"))(replay)


def replay(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO...]", help="Files or names of the library with `published`; else all of it."),
    ] = None,
    replications: Annotated[
        int, typer.Option("--replications", "-n", metavar="N", min=1, max=COUNT_MAX, help="Of each incident.")
    ] = 100,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Play published incidents again, beside what happened."""
    from windtunnel import replaying

    with counted("incidents") as progress:
        found = replaying.replay(scenarios or (), replications=replications, seed=seed, progress=progress)
    if as_json:
        incidents = [{"scenario": each.scenario, "figures": [row.to_json() for row in each.rows]} for each in found]
        emit_json({"seed": seed, "replications": replications, "incidents": incidents})
    else:
        emit_text(_text(found))


def _text(found: list[Replay]) -> str:
    from evidence.report.beside_tables import replays_table

    lines = [replays_table([(each.scenario, row) for each in found for row in each.rows]).text()]
    rows = [(each.scenario, row) for each in found for row in each.rows]
    inside = sum(row.inside is True for _, row in rows)
    lines.append(f"{inside} of {len(rows)} published figures lie inside the prediction.")
    why = {scenario: row.not_reproduced for scenario, row in rows if row.inside is not True}
    for scenario, reason in why.items():
        lines.append(f"{scenario}: {' '.join(reason.split()) if reason else 'not inside, and nothing says why'}")
    return "\n".join(lines)
