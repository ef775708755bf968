"""Agents are started, found and ended by the id of the journal's entry, which each carries in its environment.

So one that was started and never recorded is found all the same; and each carries the staging's token as well, and ends
with the staging.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from chaos.errors import StagingUnclean
from chaos.staging import processes
from chaos.staging.processes import ProcessId

__all__ = ["ENTRY_VARIABLE", "end", "found", "start"]

ENTRY_VARIABLE = "WINDTUNNEL_FAULT"
_KILL = ((signal.SIGKILL, 5.0),)


def start(
    state_dir: Path, token: str, entry_id: str, agent: str, arguments: Mapping[str, Any], lifetime_s: float
) -> ProcessId:
    """Start one; it says in its log what it does. Raises ComponentFailed."""
    root = str(Path(__file__).resolve().parents[3])
    return processes.spawn(
        [sys.executable, "-m", "chaos.faults.agents", agent, str(state_dir), json.dumps(arguments), str(lifetime_s)],
        log=state_dir / "log" / f"{agent}.log",
        environment={**os.environ, "PYTHONPATH": root, ENTRY_VARIABLE: entry_id},
        token=token,
        cwd=state_dir,
    )


def found(entry_id: str) -> list[ProcessId]:
    """Those of the entry that run."""
    ours = []
    for process in psutil.process_iter():
        try:
            if (
                processes.environment_of(process).get(ENTRY_VARIABLE) == entry_id
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                ours.append(processes.identify(process.pid))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, ProcessLookupError):
            continue
    return [process for process in ours if processes.alive(process)]


def end(entry_id: str) -> None:
    """End those of the entry, also what one of them has started just before it died. Raises StagingUnclean."""
    while running := found(entry_id):
        left = processes.stop(running, ladder=_KILL)
        if left:
            raise StagingUnclean(f"agents {left} still run after SIGKILL")
