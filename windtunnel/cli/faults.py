"""``windtunnel faults``: what can be broken."""

from __future__ import annotations

from dataclasses import asdict

import typer

from windtunnel.cli.options import JsonOption
from windtunnel.cli.output import emit_json, emit_table

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("faults")(faults)


def faults(as_json: JsonOption = False) -> None:
    """List the kinds of faults.

    What each is on and does, how a drill confirms it, and whether it is simulated.
    """
    from windtunnel.fault_kinds import kinds_of_faults

    kinds = kinds_of_faults()
    if as_json:
        emit_json([asdict(each) for each in kinds])
        return
    emit_table(
        ("KIND", "ON", "WHAT IT DOES", "KEYS ([]: OPTIONAL)", "IN FORCE WHEN", "ROOT", "SIMULATED"),
        [
            (
                each.kind,
                each.target,
                each.what,
                " ".join(map(str, each.parameters)),
                each.confirmed,
                each.root,
                "no" if each.simulated.startswith("no:") else each.simulated,
            )
            for each in kinds
        ],
    )
