"""``windtunnel reach``: single points of failure, cascades and reach, beside what the simulator found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import COUNT_MAX, JsonOption, ScenarioArgument, SeedOption
from windtunnel.cli.output import emit_json, emit_table, emit_text
from windtunnel.cli.progress import counted

if TYPE_CHECKING:
    from evidence.dependence import Dependency, Saturation
    from scenarios.models import Scenario
    from simulator.outages import Outage, Outages

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("reach", epilog=examples("reach shop-release", "reach shop-release --no-simulate"))(reach)


def reach(
    scenario: ScenarioArgument,
    simulated: Annotated[
        bool, typer.Option("--simulate/--no-simulate", help="Play an outage of each service and store as well.")
    ] = True,
    replications: Annotated[
        int, typer.Option("--replications", "-n", metavar="N", min=1, max=COUNT_MAX, help="Of each outage.")
    ] = 5,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Find single points of failure, and whom an outage reaches."""
    from evidence.dependence import dependencies
    from scenarios.loading import load
    from simulator.outages import outages
    from windtunnel.simulating import settled

    loaded, source = load(scenario)
    found = dependencies(loaded)
    played: Outages | None = None
    if simulated:
        loaded, _ = settled(loaded, source, seed)
        with counted("outages") as progress:
            played = outages(
                loaded, [each.name for each in found], replications=replications, seed=seed, progress=progress
            )
    if as_json:
        emit_json(_document(loaded, found, played, seed))
    else:
        _emit_text(loaded, found, played)


def _document(scenario: Scenario, found: list[Dependency], played: Outages | None, seed: int) -> dict[str, Any]:
    from dataclasses import asdict

    from evidence.reach import reach_of

    return {
        "scenario": scenario.name,
        "seed": seed,
        "dependencies": [
            {**asdict(each), "saturations": [_plain(saturation) for saturation in each.saturations]} for each in found
        ],
        "simulated": [] if played is None else [asdict(each) for each in played.played],
        "unsteady": [] if played is None else [*played.unsteady],
        "release": [asdict(reach_of(scenario, change.service)) for change in scenario.release.changes],
    }


def _plain(saturation: Saturation) -> dict[str, Any]:
    from dataclasses import asdict

    # JSON has no infinity: a call without timeout holds its worker for ever.
    return {**asdict(saturation), "held": saturation.held if math.isfinite(saturation.held) else None}


def _emit_text(scenario: Scenario, found: list[Dependency], played: Outages | None) -> None:
    outcomes = {} if played is None else {(each.name, each.mode): each for each in played.played}
    columns = ["DEPENDENCY", "KIND", "COPIES", "SINGLE POINT", "LOAD", "DOWN: REACHES", "SLOW: REACHES"]
    rows = []
    for each in found:
        cells = [
            each.name,
            each.kind,
            str(each.copies),
            each.single or "-",
            f"{each.request_share:.0%}".replace("%", " %"),
        ]
        cells += [_names(scenario, each.down), _names(scenario, each.slow)]
        if outcomes:
            cells += [_found(scenario, each.down, outcomes[each.name, "down"])]
            cells += [_found(scenario, each.slow, outcomes[each.name, "slow"])]
        rows.append(cells)
    if outcomes:
        columns += ["DOWN: SIMULATED", "SLOW: SIMULATED"]
    emit_table(columns, rows)
    if played is not None and played.unsteady:
        emit_text(
            f"not good without any outage either: {', '.join(played.unsteady)}; simulated is only what made it last "
            "longer (`windtunnel simulate` says more)"
        )
    cascades = [saturation for each in found for saturation in each.saturations]
    for one in dict.fromkeys(cascades):
        held = "every worker, for want of a timeout" if math.isinf(one.held) else f"{one.held:.0f} workers"
        emit_text(f"cascade: when {one.callee} hangs, {one.caller} needs {held}, and has {one.workers}")
    if not cascades:
        emit_text("cascade: none; every caller has workers enough to wait for a callee that hangs")
    from evidence.report.reach import reach_text

    emit_text(reach_text(scenario))


def _names(scenario: Scenario, functions: tuple[str, ...]) -> str:
    return "all" if len(functions) == len(scenario.functions) else ", ".join(functions) or "none"


def _found(scenario: Scenario, told: tuple[str, ...], outage: Outage) -> str:
    """What was breached, and where that differs from what the graph says."""
    text = _names(scenario, outage.breached)
    beyond = [name for name in outage.breached if name not in told]
    spared = [name for name in told if name not in outage.breached]
    notes = [f"beyond the graph: {', '.join(beyond)}"] if beyond else []
    notes += [f"spared: {', '.join(spared)}"] if spared else []
    notes += [f"never recovered: {', '.join(outage.unrecovered)}"] if outage.unrecovered else []
    return f"{text} ({'; '.join(notes)})" if notes else text
