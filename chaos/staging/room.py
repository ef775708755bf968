"""A disk of its own for what a service writes: a tmpfs at a folder, where root may mount one, so that it can be full.

Its size is a limit, no reservation: it takes as much memory as is in it. Without root, or where mounts are forbidden,
the folder is like any other.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import StagingError, StagingUnclean
from chaos.staging.host import run_on_host

__all__ = ["PAGE_BYTES", "ROOM_BYTES", "Room", "give_back", "make", "resize", "room_of"]

ROOM_BYTES = 1 << 30
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_UNMOUNT_WITHIN_S = 5.0
_POLL_S = 0.05


@dataclass(frozen=True)
class Room:
    """Of a disk of its own, in bytes of whole pages."""

    total_bytes: int
    used_bytes: int


def make(folder: Path) -> str | None:
    """The folder, on a disk of its own if that can be had; why not, if not."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() != 0:
        return "it needs root"
    if os.path.ismount(folder):
        return None
    options = f"size={ROOM_BYTES},mode=700,nosuid,nodev,noexec"
    try:
        run_on_host("mount", "-t", "tmpfs", "-o", options, "windtunnel", str(folder))
    except StagingError as error:
        return str(error)
    return None


def room_of(folder: Path) -> Room | None:
    """As the kernel has it; None when the folder has no disk of its own."""
    if not os.path.ismount(folder):
        return None
    found = os.statvfs(folder)
    return Room(found.f_blocks * found.f_frsize, (found.f_blocks - found.f_bfree) * found.f_frsize)


def resize(folder: Path, total_bytes: int) -> None:
    """Another size, at least what is used. Raises StagingError."""
    run_on_host("mount", "-o", f"remount,size={total_bytes}", str(folder))


def give_back(folder: Path) -> None:
    """Delete the folder and all in it, with its disk; none is fine. Raises StagingUnclean."""
    deadline_s = time.monotonic() + _UNMOUNT_WITHIN_S
    while os.path.ismount(folder):
        try:
            run_on_host("umount", str(folder))
        except StagingError as error:  # a process that was killed may hold a file of it for a moment
            if time.monotonic() > deadline_s:
                raise StagingUnclean(f"{folder} is still mounted: {error}") from error
            time.sleep(_POLL_S)
    shutil.rmtree(folder, ignore_errors=True)
