"""What an exported experiment asks of Windtunnel beyond its command line."""

from __future__ import annotations

from pathlib import Path

from evidence.errors import EvidenceError
from evidence.record import RunRecord

__all__ = ["NONE", "verdict"]

NONE = "none"


def verdict(out: str) -> str:
    """The verdict of the newest run in the folder `out`; "none" before the first, "error" for one without a verdict."""
    folder = Path(out)
    runs = sorted(folder.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns) if folder.is_dir() else []
    if not runs:
        return NONE
    try:
        found = RunRecord.open(runs[-1].parent).verdict()
    except EvidenceError:
        return "error"
    return "error" if found is None else str(found["status"])
