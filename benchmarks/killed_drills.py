"""The drills that are killed, made short, and what is seen of one from outside: its processes, what is in force."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from chaos.staging.config import SERVICES
from chaos.staging.embedded import Staging
from chaos.staging.postgres import SHARED_TEMPORARY
from chaos.staging.processes import TOKEN_VARIABLE
from evidence.errors import EvidenceError
from evidence.record import RunRecord
from scenarios.loading import read

__all__ = ["DRILLS", "Shortened", "happened", "in_force", "of_drill", "remains", "strays", "tokens_of"]


@dataclass(frozen=True)
class Shortened:
    """A drill of the library's scenario `shop-<name>`, made short by texts that replace others."""

    name: str
    shorter: dict[str, str]

    def write(self, folder: Path) -> Path:
        """The scenario as a file in `folder`."""
        text = read(f"shop-{self.name}").text
        for old, new in self.shorter.items():
            if old not in text:
                raise SystemExit(f"shop-{self.name} no longer says {old!r}")
            text = text.replace(old, new)
        path = folder / f"killed-{self.name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path


DRILLS = {
    each.name: each
    for each in (
        Shortened(  # a canary rolled back, with a fault of each kind at once
            "release",
            {
                "duration: 36s": "duration: 10s",
                "window: 3s, consecutive: 12": "window: 1s, consecutive: 3",
                "at: 10s\n": "at: 4s\n",
                "{weight: 20%}, {bake: 8s}, {weight: 60%}, {bake: 8s}": "{weight: 50%}, {bake: 6s}",
                "  - {at: 12s, for: 6s, latency: {on: checkout -> payments, add: 100ms, jitter: 20ms}}": (
                    "  - {at: 4500ms, for: 4s, latency: {on: checkout -> payments, add: 50ms}}\n"
                    "  - {at: 5s, for: 4s, error: {on: catalogue, share: 10%}}\n"
                    "  - {at: 5500ms, for: 3s, kill: {of: checkout, version: any}}\n"
                    "  - {at: 6s, for: 2s, cut: {on: edge -> catalogue}}"
                ),
            },
        ),
        Shortened(  # the primary dies while the standby is behind; the standby takes over
            "failover",
            {
                "duration: 30s": "duration: 11s",
                "window: 2s, consecutive: 4": "window: 1s, consecutive: 3",
                "detect: 2s": "detect: 1s",
                "at: 6s\n": "at: 4s\n",
                "{bake: 16s}": "{bake: 5s}",
                "{at: 8s, for: 12s, lag:": "{at: 4500ms, for: 4s, lag:",
                "{at: 12s, for: 8s, primary:": "{at: 6s, for: 3s, primary:",
            },
        ),
        Shortened(  # the primary is destroyed; a fresh one is made from base backup and archive
            "restore",
            {
                "duration: 36s": "duration: 14s",
                "window: 2s, consecutive: 4": "window: 1s, consecutive: 3",
                "archive_every: 2s": "archive_every: 1s",
                "at: 6s\n": "at: 4s\n",
                "{bake: 22s}": "{bake: 8s}",
                "{at: 14s, for: 14s,": "{at: 6s, for: 6s,",
            },
        ),
        Shortened(  # expanded and filled, then rolled back, reconciled, and reverted
            "migration",
            {
                "duration: 36s": "duration: 15s",
                "window: 2s, consecutive: 4": "window: 1s, consecutive: 3",
                "at: 6s\n": "at: 4s\n",
                "window: 4s, minimum: 20": "window: 2s, minimum: 10",
            },
        ),
        Shortened(  # deployed dark, turned on for a cohort, turned off by the kill switch
            "toggle",
            {
                "duration: 36s": "duration: 11s",
                "window: 3s, consecutive: 12": "window: 1s, consecutive: 3",
                "at: 10s\n": "at: 4s\n",
                "{bake: 6s}, {on: 100%}, {bake: 6s}": "{bake: 2s}, {on: 100%}, {bake: 2s}",
                "window: 5s, minimum: 30": "window: 2s, minimum: 10",
            },
        ),
    )
}


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


def remains(paths: tuple[Path, ...], tokens: set[str]) -> list[str]:
    """What is left of a drill that brought its own staging up: processes, and the database's files."""
    data = [SHARED_TEMPORARY / f"windtunnel-pg-{token}" for token in tokens]
    return [
        *(f"process {process.pid}: {_command(process)}" for process in of_drill(paths, tokens)),
        *(f"folder {path}" for path in data if path.exists()),
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
        "dead": staging.dead(),
    }


def strays(staging: Staging, drill: tuple[Path, ...]) -> list[str]:
    """Processes beside the staging's own: the drill's helpers, and what was started and is recorded nowhere."""
    state = staging.state()
    recorded = {process.pid for process in (*state.components.values(), *(each.process for each in state.replicas))}
    found = of_drill((staging.state_dir, *drill), {state.token})
    return [f"process {each.pid}: {_command(each)}" for each in found if not _lineage(each) & recorded]


def happened(runs: Path) -> list[str]:
    """Kinds of the events that the record of the drill holds so far, in order."""
    for folder in (path for path in runs.glob("*") if (path / "run.json").exists()):
        with contextlib.suppress(EvidenceError):  # it is just being replaced by the whole timeline
            return [str(event.kind) for event in RunRecord.open(folder).events()]
    return []


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
