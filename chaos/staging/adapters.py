"""The adapter of a state directory, made anew from what is on disk there: how an undo finds its staging."""

from __future__ import annotations

from pathlib import Path

from chaos.staging.adapter import StagingAdapter
from chaos.staging.embedded_adapter import EmbeddedAdapter

__all__ = ["attach"]


def attach(state_dir: Path) -> StagingAdapter:
    """The staging whose state is in this directory. Raises StagingNotUp."""
    return EmbeddedAdapter.attach(state_dir)
