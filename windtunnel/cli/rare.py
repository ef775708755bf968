"""``windtunnel rare``: how likely is a collapse that plain replications hardly ever see."""

from __future__ import annotations

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
from windtunnel.cli.output import emit_json, emit_text
from windtunnel.cli.progress import counted

if TYPE_CHECKING:
    from simulator.rare.collapse import Collapse

__all__ = ["add_to"]


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
            progress=progress,
        )
    if as_json:
        emit_json({"scenario": loaded.name, "seed": seed, "effort": effort, **_plain(found)})
    else:
        emit_text(_text(found, loaded.duration_s))


def _plain(found: Collapse) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(found)


def _text(found: Collapse, duration_s: float) -> str:
    chance = found.probability
    levels = ", ".join(f"{level:g}" for level in found.levels) or "none: all trajectories are plain replications"
    lines = [
        f"Probability that a run of {duration_s:g} s ends in a collapse, a load that never comes back:",
        f"  {chance.value:.3g} [{chance.low:.3g}, {chance.high:.3g}] (95 %)",
        f"levels (jobs in the system): {levels}",
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
