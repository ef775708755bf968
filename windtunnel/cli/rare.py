"""``windtunnel rare``: how likely is a collapse that plain replications hardly ever see."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import (
    DrawnDefectOption,
    JsonOption,
    ProcessesOption,
    ScenarioArgument,
    SeedOption,
    StrategyOption,
)
from windtunnel.cli.output import emit_json, emit_text, say
from windtunnel.cli.progress import counted

if TYPE_CHECKING:
    from simulator.rare.collapse import Collapse, Foretold, Part

__all__ = ["add_to"]

_TIMES_MIN = 10.0
"""How much splitting must save to be worth its name."""


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("rare", epilog=examples("rare metastable"))(rare)


def rare(
    scenario: ScenarioArgument,
    strategy: StrategyOption = None,
    defect: DrawnDefectOption = None,
    effort: Annotated[
        int, typer.Option("--effort", metavar="N", min=20, help="Trajectories for each level, in each of 16 runs.")
    ] = 100,
    seed: SeedOption = 1,
    processes: ProcessesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate how likely a rare collapse is, by splitting.

    A collapse is a load that never comes back, though what began it is over.
    """
    from scenarios.loading import load
    from simulator.rare.collapse import collapse_probability

    loaded, source = load(scenario)
    with counted("runs") as progress:
        found = collapse_probability(
            loaded,
            source.text,
            strategy=strategy,
            effort=effort,
            seed=seed,
            processes=processes,
            defects=defect,
            foretold=partial(_say_foretold, loaded.name),
            progress=progress,
        )
    if as_json:
        emit_json({"scenario": loaded.name, "seed": seed, "effort": effort, **_plain(found)})
    else:
        emit_text(_text(found, loaded.duration_s))


def _plain(found: Collapse) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(found)


def _say_foretold(name: str, found: Foretold) -> None:
    """Before it starts: where plain replications are about as cheap."""
    if found.probability > 0.0 and found.times < _TIMES_MIN:
        width = f"{100.0 * found.probability / 3.0:.2g}%"
        say(
            f"about {found.probability:.2g}, by a pilot: plain replications would take {found.times:.2g} times as many "
            f"trajectories, so windtunnel simulate {name} --until 'collapse +-{width}' may do as well"
        )


def _text(found: Collapse, duration_s: float) -> str:
    chance = found.probability
    lines = [
        f"Probability that a run of {duration_s:g} s ends in a collapse, a load that never comes back:",
        f"  {chance.value:.3g} [{chance.low:.3g}, {chance.high:.3g}] (95 %)",
        *(_part_line(part, alone=len(found.parts) == 1) for part in found.parts),
        f"trajectories: {found.trajectories:,}, of which {found.hits:,} collapsed",
    ]
    if found.plain_replications is not None:
        lines.append(f"plain replications for the same precision: {found.plain_replications:,}")
    if found.hits == 0:
        lines.append(
            "No trajectory collapsed: the upper end is what the plain replications among them rule out, and falls with "
            "--effort."
        )
    return "\n".join(lines)


def _part_line(part: Part, *, alone: bool) -> str:
    levels = ", ".join(f"{level:g}" for level in part.levels) or "none: all trajectories are plain replications"
    if alone:
        return f"levels (jobs in the system): {levels}"
    head = f"{part.kind or 'none of these'} ({100.0 * part.share:.3g} % of the runs)"
    if not part.looked_for:
        return f"  {head}: no trajectory of its pilot collapsed, and {part.reach:.1g} of them come so far: left out"
    return f"  {head}: {part.probability:.3g} of them; levels (jobs in the system): {levels}"
