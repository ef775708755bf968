"""Soft limits of processes: what setrlimit sets, for another process (prlimit)."""

from __future__ import annotations

import resource as rlimits
import stat
from pathlib import Path

import psutil

from chaos.errors import StagingError
from chaos.staging import processes
from chaos.staging.processes import ProcessId

__all__ = ["set_soft", "soft", "used"]

_RESOURCES = {
    "memory": rlimits.RLIMIT_AS,
    "descriptors": rlimits.RLIMIT_NOFILE,
    "disk": rlimits.RLIMIT_FSIZE,
}


def used(process: ProcessId, resource: str) -> int:
    """Bytes of its address space, open descriptors, or bytes of its largest open file; 0 when it is gone."""
    try:
        found = psutil.Process(process.pid)
        if resource == "memory":
            return int(found.memory_info().vms)
        if resource == "descriptors":
            return int(found.num_fds())
        return max(_file_sizes(process.pid), default=0)
    except (psutil.NoSuchProcess, FileNotFoundError):
        return 0


def soft(process: ProcessId, resource: str) -> int | None:
    """The soft limit; None: without limit, or the process is gone."""
    if not processes.alive(process):
        return None
    try:
        limit, _ = rlimits.prlimit(process.pid, _RESOURCES[resource])
    except ProcessLookupError:
        return None
    return None if limit == rlimits.RLIM_INFINITY else limit


def set_soft(process: ProcessId, resource: str, most: int | None) -> None:
    """Set the soft limit; nothing happens to a process that is gone. Raises StagingError."""
    if not processes.alive(process):
        return
    try:
        _, hard = rlimits.prlimit(process.pid, _RESOURCES[resource])
        wanted = rlimits.RLIM_INFINITY if most is None else most
        rlimits.prlimit(process.pid, _RESOURCES[resource], (wanted, hard))
    except ProcessLookupError:
        return
    except (OSError, ValueError) as error:
        raise StagingError(f"limit of {resource} of process {process.pid}(={most}): {error}") from error


def _file_sizes(pid: int) -> list[int]:
    """Of the regular files that it has open."""
    sizes = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            status = entry.stat()
        except FileNotFoundError:
            continue  # closed meanwhile
        if stat.S_ISREG(status.st_mode):
            sizes.append(status.st_size)
    return sizes
