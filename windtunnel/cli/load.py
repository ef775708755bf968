"""``windtunnel load worker``: send a share of a drill's load, from here or from another machine."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.output import say

__all__ = ["add_to"]

_load = typer.Typer(help="Have several machines send a drill's load.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.add_typer(_load, name="load")


@_load.callback()
def _group() -> None:
    """Have several machines send a drill's load."""


@_load.command("worker", epilog=examples("load worker --master 10.0.0.5:5557 --allow 10.0.0.0/24"))
def worker(
    master: Annotated[
        str, typer.Option("--master", metavar="HOST:PORT", help="What the drill's --load-master says, seen from here.")
    ],
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="NETWORK", help="Load goes only there (repeatable); else loopback only."),
    ] = None,
) -> None:
    """Send a share of a drill's load, and end with it.

    Waits for the drill to begin. Exit code 0 when all of it was sent.
    """
    from chaos.load.run import child_environment
    from chaos.load.target import LOOPBACK, require_network
    from chaos.load.workers import Address

    address = Address.parse(master, "--master")
    for network in allow or ():
        require_network(network, "--allow")
    say(f"waiting for a drill at {address}; its load may go to {', '.join(allow or LOOPBACK)}")
    command = [sys.executable, "-m", "chaos.load.worker", str(address)]
    command += [text for network in allow or () for text in ("--allow", network)]
    # Locust patches the process that it is in: this one becomes the worker, so that signals reach it.
    os.execve(sys.executable, command, child_environment())  # noqa: S606
