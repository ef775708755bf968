"""What a replica finds when it tries to have more than a fault's limit: so that the limit is felt by who has it.

Each attempt takes a moment in the replica's loop, and gives back what it got.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["attempt"]


def attempt(resource: str, most: int, folder: Path) -> str | None:
    """Try to have `most` of a resource: bytes of memory, of a file, or of the room in a folder; or descriptors.

    Returns the error's name, such as ENOMEM; None when it got them. Raises ValueError for another resource.
    """
    tries: dict[str, Callable[[], None]] = {
        "memory": lambda: _memory(most),
        "descriptors": lambda: _descriptors(most),
        "disk": lambda: _file(most, folder),
        "room": lambda: _room(most, folder),
    }
    if resource not in tries:
        raise ValueError(f"resource(={resource!r}) must be one of {', '.join(tries)}")
    try:
        tries[resource]()
    except MemoryError:
        return errno.errorcode[errno.ENOMEM]
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return None


def _memory(most: int) -> None:
    """Address space that nobody can write to: no page of the host is used, nor promised."""
    mmap.mmap(-1, most, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ).close()


def _descriptors(most: int) -> None:
    opened: list[int] = []
    try:
        while len(opened) < most:
            opened.append(os.dup(0))
    finally:
        for each in opened:
            os.close(each)


def _file(most: int, folder: Path) -> None:
    """One byte at that place of a file that is gone afterwards: it has a hole, and takes no room."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        os.pwrite(file.fileno(), b"x", most)


def _room(most: int, folder: Path) -> None:
    """Reserved, all or nothing."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, most)
