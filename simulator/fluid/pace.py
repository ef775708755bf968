"""How fast those at work leave a service: not as the holding time of who comes now says when that has just changed.

Who has just begun has all of his holding time before him. So when callers' workers begin to wait for what does not come
nobody leaves at first; when it is back they are as fast as who comes now, for what they waited for is there. What is
left to those at work (worker-seconds over workers) is, after a while, half of what the mean of squares is over the
mean. It falls as they work, and rises with each that starts; they leave by how much shorter or longer it is than after
a while.
"""

import math

from simulator.fluid.lattice import NEVER
from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined

_SAME = 0.05
"""Share by which what is left to those at work may differ from what it is after a while, and counts as the same."""
_FILLS = 1.5
"""So many times as many start as would have to, if there were always as many at work as are now: workers fill."""


@inlined
def _part(s: State, row: int) -> float:
    """Share of the holding time that is left to those at work after a while; of a few long ones no more than all."""
    version = s.versions[row]
    return min(1.0, 0.5 + 0.5 * version["hold_var"] / max(version["hold_s"] * version["hold_s"], NEVER))


@inlined
def pace_of(s: State, row: int) -> float:
    """The holding time with which as many would leave for ever as do now."""
    hold_s, left_s, part = s.versions[row]["hold_s"], s.versions[row]["left_s"], _part(s, row)
    if left_s == 0.0 or left_s == part * hold_s or s.versions[row]["offered"] <= 0.0:
        return float(hold_s)
    return float(min(left_s, hold_s) / part)


@outlined
def grow_older(s: State, row: int, step_s: float) -> bool:
    """Let those at a version's workers go on for a while; whether they leave faster or slower then."""
    version, hold_s, part = s.versions[row], s.versions[row]["hold_s"], _part(s, row)
    after_s, left_s = part * hold_s, version["left_s"]
    taken_per_s = version["offered"] * (1.0 - version["refused"])
    if left_s == after_s or taken_per_s <= 0.0:
        return False
    workers = s.stations[version["station"]]["workers"]
    busy = waiting = 0.0
    for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
        inside = s.replicas[index]["inside"]
        busy += min(inside, workers)
        waiting += max(0.0, inside - workers)
    starts = taken_per_s / max(busy, 1.0)
    fills = waiting == 0.0 and starts * hold_s > _FILLS
    if left_s == 0.0 or (abs(left_s - after_s) < _SAME * after_s and not fills):
        version["left_s"] = after_s
        return False
    if waiting > 0.0:  # who leaves is followed by who waits
        shorter_s = left_s - step_s
        left_s = 0.5 * (shorter_s + math.sqrt(shorter_s * shorter_s + 4.0 * step_s * after_s))
    else:
        left_s = (left_s + step_s * (starts * hold_s - 1.0 + part)) / (1.0 + step_s * starts)
    version["left_s"] = min(max(left_s, _SAME * after_s), hold_s)
    return True
