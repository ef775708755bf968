"""What the load's own clients were answered, as counters of a service's versions: for stagings that tell nothing else.

The version is what the answer's header x-version says: the version itself, or a list such as `edge=1.0,checkout=2.4`.
A request without an answer, or without the header, is of no version that is known: it counts for the service alone.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from chaos.load.raw import RawSamples
from chaos.staging.envoy_stats import EnvoyStats

__all__ = ["LoadAnswers", "version_in"]


@dataclass
class _Counts:
    requests: int = 0
    errors: int = 0
    cancelled: int = 0
    times: Counter[float] = field(default_factory=Counter)


class LoadAnswers:
    """Counts what `functions` were answered for `service`. Fed and read in different threads."""

    def __init__(self, service: str, functions: Collection[str]) -> None:
        self._service = service
        self._functions = frozenset(functions)
        self._mutex = threading.Lock()
        # A service is there from the start: it is seen, with no answers yet.
        self._counts: dict[str, _Counts] = {"": _Counts()}

    def add(self, raw: RawSamples) -> None:
        """Requests that have ended."""
        rows = zip(raw.function, raw.status, raw.kind, raw.version, raw.latency_s, strict=True)
        with self._mutex:
            for function, status, kind, header, latency_s in rows:
                if function in self._functions:
                    self._count(version_in(header, self._service), bool(status), kind, float(latency_s))

    def read(self) -> list[EnvoyStats]:
        """Counters by version; the times are those from when a request was due to its answer."""
        with self._mutex:
            return [self._stats(version, counts) for version, counts in sorted(self._counts.items())]

    def _count(self, version: str, answered: bool, kind: str, latency_s: float) -> None:
        counts = self._counts.setdefault(version, _Counts())
        if not answered:
            counts.cancelled += 1
            return
        counts.requests += 1
        counts.errors += kind != "ok"
        counts.times[_two_digits_up(1000 * latency_s)] += 1

    def _stats(self, version: str, of: _Counts) -> EnvoyStats:
        bounds_ms = tuple(sorted(of.times))
        histogram = (*(of.times[bound] for bound in bounds_ms), 0) if bounds_ms else ()
        return EnvoyStats(self._service, version, of.requests, of.errors, of.cancelled, bounds_ms, histogram)


def version_in(header: str, service: str) -> str:
    """The version of a service in a header x-version; empty when it is not told."""
    for part in header.split(","):
        name, named, version = part.strip().partition("=")
        if not named:
            return name
        if name == service:
            return version
    return ""


def _two_digits_up(time_ms: float) -> float:
    """Rounded up to two significant digits, and whole milliseconds: few buckets, and none that flatters."""
    step = 10.0 ** max(0, math.floor(math.log10(max(time_ms, 1.0))) - 1)
    return step * math.ceil(time_ms / step)
