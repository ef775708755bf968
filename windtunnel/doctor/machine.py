"""What the machine must offer: an unprivileged user beside root, loopback, room, folders."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from windtunnel.doctor.finding import Finding, Status, first_line

__all__ = ["compiled_cache", "cores", "disk", "folders", "loopback", "packets", "unprivileged_user"]

_MIB = 1 << 20
DISK_FREE_MIN_BYTES = 1024 * _MIB
CORES_MIN = 2


def unprivileged_user() -> Finding:
    """PostgreSQL refuses to run as root, so root must be able to run something as somebody else."""
    if os.geteuid() != 0:
        return Finding("unprivileged user", Status.OK, "not running as root")
    try:
        name = first_line(["id", "-un"], user="nobody")
    except (OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
        return Finding(
            "unprivileged user",
            Status.MISSING,
            f"root cannot run a command as nobody: {error}",
            "run windtunnel as an ordinary user",
        )
    return Finding("unprivileged user", Status.OK, f"root may run commands as {name}")


def loopback() -> Finding:
    """A port of 127.0.0.1 can be listened on and reached."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            with socket.create_connection(address, timeout=5):
                pass
    except OSError as error:
        return Finding("loopback", Status.MISSING, str(error), "bring the interface lo up and allow 127.0.0.1")
    return Finding("loopback", Status.OK, "127.0.0.1 listens and answers")


def packets() -> Finding:
    """Packets of a port can be diverted, which one kind of fault needs and nothing else."""
    from chaos.staging.diversion import why_not

    reason = why_not()
    if reason is None:
        return Finding("packets", Status.OK, "can be diverted: faults may be `packets`")
    return Finding("packets", Status.NOTE, f"no faults of kind `packets`: {reason}", "all others are there without")


def cores() -> Finding:
    """Processors this process may use; load and staging share them."""
    count = len(os.sched_getaffinity(0))
    if count >= CORES_MIN:
        return Finding("processors", Status.OK, str(count))
    return Finding(
        "processors",
        Status.NOTE,
        f"{count}: drills need {CORES_MIN} for load that keeps its schedule",
        "a drill says whether its load was valid",
    )


def folders() -> list[Finding]:
    """The staging's state folder and the cache can be written."""
    from chaos.staging.paths import cache_dir, state_dir_default

    return [
        _writable("state folder", state_dir_default(), "WINDTUNNEL_STATE"),
        _writable("cache folder", cache_dir(), "XDG_CACHE_HOME"),
    ]


def disk() -> Finding:
    """Room for databases and run records."""
    from chaos.staging.paths import state_dir_default

    place = _existing(state_dir_default())
    free = shutil.disk_usage(place).free
    found = f"{free // _MIB} MiB free at {place}"
    if free >= DISK_FREE_MIN_BYTES:
        return Finding("disk", Status.OK, found)
    return Finding(
        "disk",
        Status.MISSING,
        found,
        f"free {DISK_FREE_MIN_BYTES // _MIB} MiB, or point WINDTUNNEL_STATE elsewhere",
    )


def compiled_cache() -> Finding:
    """The compiled kernel is kept on disk; without that, each run compiles it again."""
    import simulator

    chosen = os.environ.get("NUMBA_CACHE_DIR")
    beside = Path(next(iter(simulator.__path__)))
    candidates = [Path(chosen)] if chosen else [beside, Path("~/.cache").expanduser()]
    for folder in candidates:
        if _writable("", folder, "").status is Status.OK:
            return Finding("compiled kernel cache", Status.OK, f"{folder} can be written")
    return Finding(
        "compiled kernel cache",
        Status.NOTE,
        f"none of {', '.join(map(str, candidates))} can be written: each run compiles anew",
        "set NUMBA_CACHE_DIR to a folder that can be written",
    )


def _writable(name: str, folder: Path, variable: str) -> Finding:
    place = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"windtunnel")
    except OSError as error:
        remedy = f"set {variable} to a folder that can be written"
        return Finding(name, Status.MISSING, f"{place}: {error.strerror}", remedy)
    return Finding(name, Status.OK, str(folder))


def _existing(folder: Path) -> Path:
    """The folder, or its nearest ancestor that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
