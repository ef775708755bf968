"""What a release costs in capacity: replicas above the usual number, for as long as they are there.

Counted from the confirmed deploys of the timeline, so both worlds are counted alike. The time in which a replica starts
is not in it. Plans count in replicas of the scenario; where autoscaling wants other numbers, those are the usual ones,
and what the release has besides is as many times as much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from evidence.events import EventKind
from evidence.timeline import Timeline

__all__ = ["extra_replica_s"]


def extra_replica_s(timeline: Timeline, usual: dict[str, tuple[str, int]], end_s: float) -> float:
    """Replica-seconds above the usual number, of all released services until end_s.

    `usual` has the old version and the number of replicas of each of them. Fewer than usual do not make up for more.
    """
    changes = timeline.all(EventKind.DEPLOY, EventKind.SCALE)
    extra = 0.0
    for service, (old, replicas) in usual.items():
        ready, wanted, since_s = {old: replicas}, replicas, 0.0
        for event in changes:
            if event.subject != service or event.time_s > end_s:
                continue
            extra += _above(ready.values(), replicas, wanted) * (event.time_s - since_s)
            since_s = event.time_s
            if event.kind == EventKind.SCALE:
                wanted = int(event.detail["replicas"])
            else:
                ready[str(event.detail["version"])] = int(event.detail["replicas"])
        extra += _above(ready.values(), replicas, wanted) * (end_s - since_s)
    return extra


def _above(ready: Iterable[int], replicas: int, wanted: int) -> int:
    """Replicas above the usual number while autoscaling wants `wanted` instead of the scenario's `replicas`."""
    return max(0, sum(math.ceil(each * wanted / replicas - 1e-9) for each in ready) - wanted)
