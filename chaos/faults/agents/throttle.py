"""Replicas that run for a share of the time only: stopped and continued together, ten times a second."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from chaos.staging import processes
from chaos.staging.embedded import Staging

__all__ = ["play"]

_PERIOD_S = 0.1
# How often the list of replicas is read anew, in turns: reading it takes longer than a signal.
_TURNS = 5


def play(state_dir: Path, service: str, share: float) -> None:
    """Never returns."""
    staging = Staging.attach(state_dir)
    while True:
        replicas = [replica.process for replica in staging.running(service)]
        for _ in range(_TURNS):
            for signum, wait_s in ((signal.SIGSTOP, 1.0 - share), (signal.SIGCONT, share)):
                for process in replicas:
                    processes.send(process, signum)
                time.sleep(wait_s * _PERIOD_S)
