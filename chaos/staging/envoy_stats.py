"""What an Envoy's admin interface tells of its clusters: counters, and the times of their answers.

Times are read bin by bin (`histogram_buckets=detailed`) rather than in buckets: buckets are those that this Envoy was
configured with, and leave out all answers above the last one.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chaos.errors import EnvoyError

__all__ = ["ClusterCounts", "EnvoyStats", "Get", "read_clusters", "rebinned"]

Get = Callable[[str, Mapping[str, str]], str]
"""Asks the admin interface for a path with parameters; raises EnvoyError."""


@dataclass(frozen=True)
class EnvoyStats:
    """Counters of one (service, version), which only grow.

    requests: answered, by a replica or by the router in its place (no replica, or an error fault). errors: of these,
    5xx. cancelled: the caller hung up first (its time was up). histogram: answers of replicas by `bounds_ms`, the
    upper bounds of its buckets; one bucket more than bounds, the last for what is above them all. Bounds may be others
    from one reading to the next.
    """

    service: str
    version: str
    requests: int
    errors: int
    cancelled: int
    bounds_ms: tuple[float, ...]
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class ClusterCounts:
    """Of one cluster since Envoy's start; `times` has how many answers took so many ms at most, by rising times.

    Envoy measures in whole milliseconds and keeps two significant digits: 1,540 ms are among those of at most 1,599.
    """

    completed: int = 0
    errors: int = 0
    cancelled: int = 0
    times: tuple[tuple[float, int], ...] = ()


def read_clusters(get: Get, names: Sequence[str]) -> dict[str, ClusterCounts]:
    """The counts of these clusters; one that Envoy does not know has none. Raises EnvoyError."""
    listed = "|".join(re.escape(name) for name in names)
    pattern = rf"^cluster\.({listed})\.upstream_rq_(completed|5xx|tx_reset|time)$"
    # asking makes Envoy merge its histograms, but the answer to that question is still without
    get("/stats", {"filter": "^$"})
    answer = get("/stats", {"format": "json", "filter": pattern, "histogram_buckets": "detailed"})
    counters: dict[str, int] = {}
    times: dict[str, tuple[tuple[float, int], ...]] = {}
    try:
        for entry in json.loads(answer)["stats"]:
            if "histograms" in entry:
                details = entry["histograms"].get("details", [])
                times |= {each["name"]: tuple(map(_bin, each["totals"])) for each in details}
            else:
                counters[entry["name"]] = int(entry["value"])
    except (ValueError, KeyError, TypeError) as error:
        raise EnvoyError(f"envoy /stats: no counters of clusters: {error!r}: {answer[:200]}") from error
    return {
        name: ClusterCounts(
            counters.get(f"cluster.{name}.upstream_rq_completed", 0),
            counters.get(f"cluster.{name}.upstream_rq_5xx", 0),
            counters.get(f"cluster.{name}.upstream_rq_tx_reset", 0),
            times.get(f"cluster.{name}.upstream_rq_time", ()),
        )
        for name in names
    }


def rebinned(times: Sequence[tuple[float, int]], bounds_ms: Sequence[float]) -> tuple[int, ...]:
    """How many answers fall into each bucket of these upper bounds, and above them all."""
    counts = [0] * (len(bounds_ms) + 1)
    for at_most_ms, count in times:
        counts[bisect_left(bounds_ms, at_most_ms)] += count
    return tuple(counts)


def _bin(told: Mapping[str, float]) -> tuple[float, int]:
    """A bin's longest time in whole milliseconds, and its count."""
    return round(told["lower_bound"]) + max(0.0, round(told["width"]) - 1.0), int(told["count"])
