"""``windtunnel abort`` and ``windtunnel lever``: how people stop drills."""

from __future__ import annotations

from typing import Annotated

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import JsonOption, StateOption
from windtunnel.cli.output import emit_json, emit_text

__all__ = ["add_to"]

_lever = typer.Typer(help="Block every new drill, and end those that run.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("abort", epilog=examples("abort 'customers complain'"))(abort)
    app.add_typer(_lever, name="lever")


def abort(
    reason: Annotated[str, typer.Argument(metavar="[REASON]", help="For the record.")] = "windtunnel abort",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the drill that runs on a staging, in order.

    Its faults and its release are undone. Exit code 2 when none runs.
    """
    from chaos.safety.stop import ask_to_abort
    from chaos.staging.paths import state_dir_default

    folder = state or state_dir_default()
    ask_to_abort(folder, reason)
    if as_json:
        emit_json({"state_dir": str(folder), "reason": reason})
    else:
        emit_text(f"The drill in {folder} is told to stop and undo.")


@_lever.command("on", epilog=examples("lever on 'sale until Monday'"))
def on(
    reason: Annotated[str, typer.Argument(metavar="REASON", help="Told to everybody whom it stops.")],
    as_json: JsonOption = False,
) -> None:
    """Block every new drill with this reason, and end those that run."""
    from chaos.safety.lever import turn_on
    from windtunnel.errors import UsageError

    if not reason.strip():
        raise UsageError(f"reason(={reason!r}) must say why")
    turn_on(reason.strip())
    _tell(as_json=as_json)


@_lever.command("off")
def off(as_json: JsonOption = False) -> None:
    """Let drills start again; off already is no error."""
    from chaos.safety.lever import turn_off

    turn_off()
    _tell(as_json=as_json)


@_lever.command("status")
def status(as_json: JsonOption = False) -> None:
    """Show whether the lever is on, and why."""
    _tell(as_json=as_json)


def _tell(*, as_json: bool) -> None:
    from chaos.safety.lever import lever_path, lever_reason

    reason = lever_reason()
    if as_json:
        emit_json({"on": reason is not None, "reason": reason, "file": str(lever_path())})
    else:
        emit_text(f"The lever is on: {reason}" if reason is not None else "The lever is off.")
