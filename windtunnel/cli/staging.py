"""``windtunnel staging up|down|status``: the embedded staging."""

from __future__ import annotations
import typer

__all__ = ["add_to"]
_group = typer.Typer(help="Start, stop and look at the embedded staging.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
