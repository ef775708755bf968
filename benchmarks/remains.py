"""What is seen of a drill from outside: its processes, what is in force on its staging, and what is on the host."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from chaos.safety.journal import JOURNAL_NAME
from chaos.staging import diversion
from chaos.staging.config import SERVICES
from chaos.staging.embedded import Staging
from chaos.staging.postgres import SHARED_TEMPORARY
from chaos.staging.processes import TOKEN_VARIABLE
from chaos.staging.room import room_of
from chaos.staging.shared_memory import segments
from evidence.errors import EvidenceError
from evidence.record import RunRecord

__all__ = ["happened", "in_force", "of_drill", "remains", "strays", "tokens_of"]

_DEVICES = Path("/sys/class/net")

Segments = Mapping[tuple[int, int], int]
"""Of shared memory, as chaos.staging.shared_memory tells them."""


def of_drill(paths: tuple[Path, ...], tokens: set[str]) -> list[psutil.Process]:
    """Processes that name one of the paths, or carry one of the tokens."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join([*process.cmdline(), process.cwd()])
            token = process.environ().get(TOKEN_VARIABLE)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if token in tokens or any(str(path) in words for path in paths):
            found.append(process)
    return found


def tokens_of(state: Path) -> set[str]:
    """The token of the staging that is recorded, if one is."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return {str(json.loads((state / "state.json").read_text(encoding="utf-8"))["token"])}
    return set()


def remains(state: Path, runs: Path, tokens: set[str], before: Segments) -> list[str]:
    """What is left of a drill that brought its own staging up: processes, the database's files, what is on the host.

    `before`: shared memory that was there already.
    """
    data = [SHARED_TEMPORARY / f"windtunnel-pg-{token}" for token in tokens]
    return [
        *(f"process {process.pid}: {_command(process)}" for process in of_drill((state, runs), tokens)),
        *(f"folder {path}" for path in data if path.exists()),
        *(f"mount {path}" for path in _mounts(state)),
        *_diverted(state),
        *_shared_memory(state, before),
    ]


def in_force(staging: Staging) -> dict[str, Any]:
    """Everything that a drill changes, as the staging itself tells it."""
    return {
        "proxies": {name: (p.enabled, len(p.toxics)) for name, p in staging.toxiproxy.proxies().items()},
        "errors": {name: staging.envoy.abort_share(name) for name in SERVICES},
        "replicas": {name: staging.replicas(name) for name in SERVICES},
        "ordered": {name: staging.ordered(name) for name in SERVICES},
        "routes": {name: staging.routes(name) for name in SERVICES},
        "steering": {name: staging.steering(name) for name in SERVICES},
        "defects": {v: len(staging.defects("checkout", v)) for v in staging.config.services["checkout"].versions},
        "store": staging.data.store_differences(),
        "disks": {name: _disk_bytes(staging, name) for name in SERVICES},
        "mounts": _mounts(staging.state_dir),
        "zones": (*staging.zones.out(), *staging.zones.misplaced()),
        "dead": staging.dead(),
    }


def strays(staging: Staging, drill: tuple[Path, ...], before: Segments) -> list[str]:
    """Beside the staging's own: the drill's helpers, processes that are recorded nowhere, and what is on the host."""
    state = staging.state()
    recorded = {process.pid for process in (*state.components.values(), *(each.process for each in state.replicas))}
    found = of_drill((staging.state_dir, *drill), {state.token})
    processes = [f"process {each.pid}: {_command(each)}" for each in found if not _lineage(each) & recorded]
    return [*processes, *_diverted(staging.state_dir), *_shared_memory(staging.state_dir, before)]


def happened(runs: Path) -> list[str]:
    """Kinds of the events that the record of the drill holds so far, in order."""
    for folder in (path for path in runs.glob("*") if (path / "run.json").exists()):
        with contextlib.suppress(EvidenceError):  # it is just being replaced by the whole timeline
            return [str(event.kind) for event in RunRecord.open(folder).events()]
    return []


def _disk_bytes(staging: Staging, service: str) -> int | None:
    """The size of a service's own disk, if it has one; how much of it is used may change."""
    folder = staging.disk(service)
    room = None if folder is None else room_of(folder)
    return None if room is None else room.total_bytes


def _mounts(state: Path) -> list[str]:
    """Below the staging's folder."""
    points = (part.mountpoint for part in psutil.disk_partitions(all=True))
    return sorted(point for point in points if Path(point).is_relative_to(state))


def _diverted(state: Path) -> list[str]:
    """Of all diversions of packets that the journal has ever named: filters, what held them, devices."""
    path = state / JOURNAL_NAME
    found = []
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.split("\n")[:-1]:  # a last line that is torn was never acted upon
        entry = json.loads(line)
        if entry["op"] != "open" or entry["kind"] != "packets":
            continue
        number = entry["undo"]["number"]
        left = diversion.left(number)
        found += [] if left is None else [left]
        found += [f"device {each.name}" for each in _DEVICES.glob(f"windtunnel{number}")]
    return found


def _shared_memory(state: Path, before: Segments) -> list[str]:
    """Of database servers that run no more; their logs, which stay, have their pids, which others had before them."""
    logs = "".join(path.read_text(encoding="utf-8", errors="replace") for path in (state / "log").glob("*.log"))
    ours = {int(pid) for pid in re.findall(r" \[(\d+)\] ", logs)}
    fresh = {segment: pid for segment, pid in segments().items() if segment not in before}
    return [
        f"shared memory {number}" for (_, number), pid in fresh.items() if pid in ours and not psutil.pid_exists(pid)
    ]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:200]
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return "(gone meanwhile)"


def _lineage(process: psutil.Process) -> set[int]:
    """Its own pid and its ancestors'."""
    try:
        return {process.pid, *(parent.pid for parent in process.parents())}
    except psutil.NoSuchProcess:
        return set()
