"""What a release costs in capacity: replicas above the usual number, for as long as they are there.

Counted from the confirmed deploys of the timeline, so both worlds are counted alike. The time in which a replica starts
is not in it, and replicas that a rule of the platform adds (autoscaling) are not the release's.
"""

from __future__ import annotations

from evidence.events import EventKind
from evidence.timeline import Timeline

__all__ = ["extra_replica_s"]


def extra_replica_s(timeline: Timeline, usual: dict[str, tuple[str, int]], end_s: float) -> float:
    """Replica-seconds above the usual number, of all released services until end_s.

    `usual` has the old version and the number of replicas of each of them. Fewer than usual do not make up for more.
    """
    extra = 0.0
    deploys = timeline.all(EventKind.DEPLOY)
    for service, (old, replicas) in usual.items():
        ready, since_s = {old: replicas}, 0.0
        for event in deploys:
            if event.subject != service or event.time_s > end_s:
                continue
            extra += max(0, sum(ready.values()) - replicas) * (event.time_s - since_s)
            ready[str(event.detail["version"])], since_s = int(event.detail["replicas"]), event.time_s
        extra += max(0, sum(ready.values()) - replicas) * (end_s - since_s)
    return extra
