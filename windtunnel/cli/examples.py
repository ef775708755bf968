"""Examples below a command's help."""

from __future__ import annotations

__all__ = ["examples"]


def examples(*lines: str) -> str:
    """The epilog of a command: each line as it is typed, `windtunnel` left out."""
    # \b: what follows is not wrapped.
    return "\n".join(["\b", "Examples:", *(f"  windtunnel {line}" for line in lines)])
