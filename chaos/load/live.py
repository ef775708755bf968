"""Observations while the load still runs: the last seconds, as the callers' answers tell them.

Fed with each poll of a LoadRun; a guardrail or the terminal asks it. Requests count when they end,
because that is when anyone can know; what is still under way is not counted yet.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chaos.load.raw import RawSamples
from chaos.load.rows import version_of
from evidence.histogram import bin_of
from rollout.world import Observation

__all__ = ["LiveWindow"]


@dataclass(frozen=True)
class _Batch:
    newest_s: float
    raw: RawSamples


class LiveWindow:
    """The requests that ended within the last `span_s` seconds."""

    def __init__(self, edges_s: NDArray[np.float64], span_s: float) -> None:
        self.edges_s = edges_s
        self.span_s = span_s
        self._batches: deque[_Batch] = deque()

    def add(self, raw: RawSamples) -> None:
        """Take in requests; those that are older than the span behind the newest are let go."""
        ended = raw.where(np.isfinite(raw.finished_s))
        if not len(ended):
            return
        self._batches.append(_Batch(float(ended.finished_s.max()), ended))
        newest_s = max(batch.newest_s for batch in self._batches)
        while self._batches[0].newest_s < newest_s - self.span_s:
            self._batches.popleft()

    def observe(
        self,
        now_s: float,
        window_s: float,
        *,
        function: str | None = None,
        service: str | None = None,
        version: str | None = None,
    ) -> Observation:
        """Requests that ended within (now_s - window_s, now_s], seconds since the load's start.

        function: only these. service: only answers that name a version of it, and of `version` if
        that is given. The histogram holds successful answers; errors are of every kind.
        """
        raw = RawSamples.join([batch.raw for batch in self._batches])
        mask = (raw.finished_s > now_s - window_s) & (raw.finished_s <= now_s)
        if function is not None:
            mask &= raw.function == function
        if service is not None:
            versions = version_of(raw, service)
            mask &= (versions != "") if version is None else (versions == version)
        ok = mask & (raw.kind == "ok")
        histogram = np.bincount(bin_of(self.edges_s, raw.latency_s[ok]), minlength=len(self.edges_s) + 1)
        requests = int(mask.sum())
        return Observation(requests, requests - int(ok.sum()), histogram.astype(np.int64))
