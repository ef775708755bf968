"""What a check found."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["COMMAND_TIMEOUT_S", "Finding", "Status", "first_line"]

COMMAND_TIMEOUT_S = 20.0


class Status(StrEnum):
    """`missing` stops something from working; `note` is worth knowing."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried: what was found, and for what is missing, the remedy."""

    name: str
    status: Status
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """As a plain document."""
        return {
            "name": self.name,
            "status": self.status.value,
            "found": self.found,
            "remedy": self.remedy,
        }


def first_line(command: Sequence[str], *, user: str | None = None) -> str:
    """First line that a command prints; raises OSError or SubprocessError when it fails."""
    result = subprocess.run(
        list(command),
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=True,
        cwd="/",
        user=user,
    )
    lines = (result.stdout or result.stderr).strip().splitlines()
    return lines[0] if lines else ""
