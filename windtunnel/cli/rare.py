"""``windtunnel rare``: how likely is a collapse that plain replications hardly ever see."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import (
    COUNT_MAX,
    DrawnDefectOption,
    FidelityOption,
    JsonOption,
    ProcessesOption,
    ScenarioArgument,
    SeedOption,
    StrategyOption,
)
from windtunnel.cli.output import emit_json, emit_text, say
from windtunnel.cli.progress import counted

if TYPE_CHECKING:
    from evidence.statistics import Estimate
    from simulator.rare.collapse import Collapse, Foretold, Part, Rest

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
        int,
        typer.Option(
            "--effort", metavar="N", min=20, max=COUNT_MAX, help="Trajectories for each level, in each of 16 runs."
        ),
    ] = 100,
    seed: SeedOption = 1,
    processes: ProcessesOption = None,
    fidelity: FidelityOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate how likely a rare collapse is, by splitting.

    A collapse is a load that never comes back, though what began it is over.
    """
    from scenarios.loading import load
    from simulator.rare.collapse import collapse_probability
    from windtunnel.simulating import settled

    loaded, source = load(scenario)
    loaded, source = settled(loaded.at_fidelity(fidelity), source, seed)
    with counted("runs") as progress:
        found = collapse_probability(
            loaded.at_fidelity(fidelity),
            source.text,
            strategy=strategy,
            effort=effort,
            seed=seed,
            processes=processes,
            defects=defect,
            foretold=partial(_say_foretold, scenario),
            progress=progress,
        )
    if as_json:
        emit_json({"scenario": loaded.name, "seed": seed, "effort": effort, **_plain(found)})
    else:
        emit_text(_text(found, loaded.duration_s))


def _plain(found: Collapse) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(found)


def _say_foretold(scenario: str, found: Foretold) -> None:
    """Before it starts: where plain replications are about as cheap."""
    chance, times = found.probability, found.times
    if chance == 0.0 or times >= _TIMES_MIN:
        return
    width = max(0.01, (1.0 - chance) / 3.0) if chance > 0.5 else chance / 3.0
    why = f"would take {times:.2g} times as many trajectories" if times > 1.0 else "are played, for it is not rare"
    say(
        f"about {chance:.2g}, by a pilot: plain replications {why}; windtunnel simulate {scenario} --until "
        f"'collapse +-{100.0 * width:.2g}%' may do as well"
    )


def _text(found: Collapse, duration_s: float) -> str:
    chance = found.probability
    lines = [
        f"Probability that a run of {duration_s:g} s ends in a collapse, a load that never comes back:",
        f"  {_interval(chance)} (95 %)",
        *_part_lines(found),
        f"trajectories: {found.trajectories:,}, of which {found.hits:,} collapsed",
    ]
    if found.plain_replications is not None:
        lines.append(f"plain replications for as precise an estimate: {found.plain_replications:,}")
    if _left_open(found):
        lines.append(
            "The upper end is mostly what replications in which nothing collapsed leave open; it falls with --effort."
        )
    return "\n".join(lines)


def _left_open(found: Collapse) -> bool:
    """Whether most of what the interval has above the estimate is of kinds that nothing was found of."""
    shares = [(each.share, each.probability) for each in (*found.parts, found.rest) if each is not None]
    nothing = sum((share * each.high) ** 2 for share, each in shares if each.value == 0.0)
    return nothing > (found.probability.high - found.probability.value) ** 2 / 2.0


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3g} [{estimate.low:.3g}, {estimate.high:.3g}]"


def _part_lines(found: Collapse) -> list[str]:
    if found.rest is None and len(found.parts) == 1:
        return [f"levels (jobs in the system): {_levels(found.parts[0])}"]
    if found.rest is not None and found.rest.kinds == ("",) and not found.parts:
        return [f"levels: none: no pilot met a collapse{_driven(found.rest)}, so plain replications were played"]
    lines = [
        f"  {part.kind or 'none of these'} ({100.0 * part.share:.3g} % of the runs): {_interval(part.probability)} of "
        f"them; levels (jobs in the system): {_levels(part)}"
        for part in found.parts
    ]
    return lines if found.rest is None else [*lines, _rest_line(found.rest)]


def _levels(part: Part) -> str:
    return ", ".join(f"{level:g}" for level in part.levels) or "none: all trajectories are plain replications"


def _rest_line(rest: Rest) -> str:
    kinds = ", ".join(name or "none of these" for name in rest.kinds)
    return (
        f"  {kinds} ({100.0 * rest.share:.3g} % of the runs): {_interval(rest.probability)} of them, by "
        f"{rest.replications:,} plain replications, for no pilot of theirs met a collapse{_driven(rest)}"
    )


def _driven(rest: Rest) -> str:
    return f", even with as many jobs inside as only {rest.reach:.1g} of them come to" if rest.reach < 1.0 else ""
