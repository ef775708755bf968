"""Replications spread over local processes.

Which process plays a replication changes nothing about it, and answers come back in the order of the replications.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

from simulator.chunks import chunked
from simulator.errors import WorkerDied
from simulator.work import Plays, Task

__all__ = ["measures_of", "stopped"]

Answer = TypeVar("Answer")


def measures_of(task: Task[Answer], replications: Sequence[int], processes: int) -> Iterator[list[Answer]]:
    """What the task's player measures of each replication, chunk by chunk, in their order.

    The compiled kernel must be loaded already, so that forked workers have it. An interrupt, or an error of one worker,
    stops all of them after the replications that they are at, or where their player asks `stopped`. Raises WorkerDied
    when a worker ends by itself.
    """
    chunks = chunked(replications, processes)
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    stop = context.Event()
    executor = ProcessPoolExecutor(processes, context, _begin, (task, stop))
    try:
        with warnings.catch_warnings():
            # Python 3.12 and later warn of forks beside threads; those here are numpy's idle ones, which know of forks.
            warnings.filterwarnings("ignore", r"This process .* is multi-threaded", DeprecationWarning)
            futures = [executor.submit(_play, chunk) for chunk in chunks]
        for future in futures:
            yield future.result()
    except BrokenProcessPool as error:
        raise WorkerDied(
            f"a worker of {processes} ended before its replications were done; out of memory, or killed?"
        ) from error
    finally:
        stop.set()
        executor.shutdown(wait=True, cancel_futures=True)


def stopped() -> bool:
    """Whether this process is a worker for whose answer nobody waits any more."""
    return _worker is not None and _worker.stop.is_set()


@dataclass
class _Worker:
    player: Plays[Any]
    stop: Event


_worker: _Worker | None = None


def _begin(task: Task[Any], stop: Event) -> None:
    """In a new worker. The parent alone hears Ctrl-C, and tells."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = _Worker(task.player(), stop)


def _end_with_parent() -> None:
    """A parent that was killed cannot stop its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _play(replications: Sequence[int]) -> list[Any]:
    assert _worker is not None
    measured = []
    for replication in replications:
        if stopped():
            break
        measured.append(_worker.player.measures(replication))
    return measured
