"""What a PostgreSQL server has in the kernel besides its folder: a segment of shared memory (System V).

By it a server sees whether another one is at its data. One that ends takes it along; one that is killed leaves it, and
the next one on the same data takes it over. So who deletes the data of a killed server has to delete the segment, which
nobody would ever find again; a host has room for some thousands of them.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from chaos.errors import StagingUnclean

__all__ = ["forget", "segments"]

_SEGMENTS = Path("/proc/sysvipc/shm")
_REMOVE = 0  # IPC_RMID
# The line of a server's lock file that has the segment's key and id.
_LINE = 6


def segments() -> dict[tuple[int, int], int]:
    """All of this host: key and id, and the process that made each; none where the kernel does not tell."""
    if not _SEGMENTS.exists():
        return {}
    rows = [line.split() for line in _SEGMENTS.read_text(encoding="ascii").splitlines()[1:]]
    return {(int(row[0]), int(row[1])): int(row[4]) for row in rows}


def forget(data: Path) -> None:
    """Delete the segment that a killed server of this data directory has left, if any. Raises StagingUnclean."""
    try:
        told = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[_LINE]
        key, number = map(int, told.split())
    except (FileNotFoundError, IndexError, ValueError):  # it ended in order, or had not come so far
        return
    if (key, number) not in segments():
        return
    ctypes.CDLL(None).shmctl(number, _REMOVE, None)
    if (key, number) in segments():
        raise StagingUnclean(f"shared memory of the database in {data} is left: ipcrm -m {number}")
