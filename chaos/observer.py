"""What each version of each service answered, read from Envoy at the scenario's resolution.

Envoy counts since its start; the observer takes differences between polls. A poll's difference belongs to the cell that
ended with it. Envoy does not know cohorts and functions: both are empty in these rows, and so is the version of a
service that has only one. Its histograms hold the times of all answers, errors included.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chaos.errors import ChaosError
from chaos.staging.envoy_stats import EnvoyStats
from evidence.tables import Samples
from rollout.world import Observation

__all__ = ["Observer"]

Key = tuple[str, str]


class Observer:
    """Polls in a thread of its own between `start` and `stop`.

    `read` returns the counters of all services, those of `unversioned` of one version only; `edges_s` are the record's
    histogram edges.
    """

    def __init__(
        self,
        read: Callable[[], list[EnvoyStats]],
        unversioned: Collection[str],
        edges_s: NDArray[np.float64],
        resolution_s: float,
    ) -> None:
        self._read = read
        self._resolution_s = resolution_s
        self._bins = len(edges_s) + 1
        self._edges_s = edges_s
        self._only = frozenset(unversioned)
        self._before: dict[Key, EnvoyStats] = {}
        self._rows: list[tuple[float, Key, int, int, int, NDArray[np.int64]]] = []
        self._mutex = threading.Lock()
        self._stopped = threading.Event()
        self._failure: ChaosError | None = None
        self._thread: threading.Thread | None = None
        self._start_s = 0.0

    def start(self, start_monotonic_s: float) -> None:
        """Begin to poll; the load's time 0 is `start_monotonic_s`."""
        self._start_s = start_monotonic_s
        self._before = {(each.service, each.version): each for each in self._read()}
        self._thread = threading.Thread(target=self._poll, name="observer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Poll a last time, for the answers since the last full cell, and stop. Idempotent."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=10.0)

    @property
    def failure(self) -> ChaosError | None:
        """Why polling ended early, or None: without observations no guardrail watches, so the drill must stop."""
        return self._failure

    def observe(self, service: str, version: str | None, window_s: float) -> Observation:
        """Sum of the cells that ended within the last `window_s` seconds."""
        since_s = time.monotonic() - self._start_s - window_s
        requests, errors = 0, 0
        histogram = np.zeros(self._bins, dtype=np.int64)
        with self._mutex:
            for start_s, key, count, failed, cancelled, latencies in reversed(self._rows):
                if start_s + self._resolution_s <= since_s:
                    break
                if key[0] == service and version in (None, key[1]):
                    requests += count
                    errors += failed + cancelled
                    histogram += latencies
        return Observation(requests, errors, histogram)

    def samples(self) -> Samples:
        """All rows, in the record's columns."""
        with self._mutex:
            rows = list(self._rows)
        if not rows:
            return Samples.empty(self._bins)
        count = len(rows)
        zeros = np.zeros(count, dtype=np.int64)
        return Samples(
            replication=np.zeros(count, dtype=np.int32),
            window_start_s=np.array([row[0] for row in rows]),
            service=np.array([row[1][0] for row in rows]),
            version=np.array([row[1][1] for row in rows]),
            cohort=np.full(count, ""),
            function=np.full(count, ""),
            requests=np.array([row[2] for row in rows], dtype=np.int64),
            failed_error=np.array([row[3] for row in rows], dtype=np.int64),
            # Envoy sees a caller that hung up: its timeout.
            failed_timeout=np.array([row[4] for row in rows], dtype=np.int64),
            failed_refused=zeros,
            failed_unfinished=zeros,
            latency=np.stack([row[5] for row in rows]).astype(np.int32),
        )

    def _poll(self) -> None:
        cell = 1
        last = False
        while not last:
            due_s = self._start_s + cell * self._resolution_s
            last = self._stopped.wait(max(0.0, due_s - time.monotonic()))
            try:
                now = self._read()
            except ChaosError as error:
                self._failure = error
                return
            # A poll that came late stands for the cells that it missed as well.
            cell = max(cell, int((time.monotonic() - self._start_s) / self._resolution_s))
            self._take((cell - 1) * self._resolution_s, now)
            cell += 1

    def _take(self, start_s: float, now: list[EnvoyStats]) -> None:
        with self._mutex:
            for each in now:
                key = (each.service, each.version)
                before = self._before.get(key)
                if before is None or each.requests < before.requests:
                    # First seen, or counted anew by a router that was restarted.
                    before = replace(each, requests=0, errors=0, cancelled=0, histogram=())
                requests, errors = each.requests - before.requests, each.errors - before.errors
                cancelled = each.cancelled - before.cancelled
                latencies = self._histogram(each) - self._histogram(before)
                if requests or cancelled or latencies.any():
                    label = (each.service, "" if each.service in self._only else each.version)
                    row = (start_s, label, requests + cancelled, errors, cancelled, latencies)
                    self._rows.append(row)
                self._before[key] = each

    def _histogram(self, stats: EnvoyStats) -> NDArray[np.int64]:
        counts = np.zeros(self._bins, dtype=np.int64)
        if stats.histogram:
            # The answers of a bucket go to the record's bin of its upper bound.
            bounds_s = np.array([*(bound / 1000 for bound in stats.bounds_ms), np.inf])
            np.add.at(counts, np.searchsorted(self._edges_s, bounds_s, side="left"), np.asarray(stats.histogram))
        return counts
