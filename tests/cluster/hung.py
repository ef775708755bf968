"""Processes for pods that have none: what is executed in a simulated pod runs on this machine, as nobody."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaos.cluster.commands import NOBODY
from tests.e2e.drills import PATIENCE_S, wait_for

# Of these tests alone: others run beside them on the same machine.
PROCESS = f"wt-{os.getpid()}"
# A process may choose what /proc/PID/comm says of it.
_SCRIPT = f"printf {PROCESS} > /proc/self/comm; while sleep 0.1; do :; done"

needs_nobody = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to execute in pods as nobody")

__all__ = ["PROCESS", "is_still", "needs_nobody", "serving_process"]


@contextmanager
def serving_process() -> Iterator[int]:
    """The pid of a process of that name."""
    with subprocess.Popen(["sh", "-c", _SCRIPT], user=NOBODY, group=NOBODY, cwd="/", start_new_session=True) as process:
        try:
            wait_for(lambda: Path(f"/proc/{process.pid}/comm").read_text() == f"{PROCESS}\n", PATIENCE_S, "its name")
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def is_still(pid: int) -> bool:
    """Whether it was stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
