"""Attempts that are due at a version since something is back: who was in a backoff comes to it, with no regard to room.

They come on top of what comes by itself. What finds no place comes again after its next backoff, while it has attempts
left, and else fails: so of those that an outage left many may never get through, and they keep others out meanwhile.
Kept are means, by tenths of a second and by how many attempts are left after the one that is due.
"""

from simulator.fluid.layout import DUE, LEFT, State
from simulator.kernel.inline import inlined, outlined

SLOT_S = 0.1
_FEW = 0.25
"""Requests; fewer than that are none."""


@inlined
def _share(now: float, until_s: float, slot: int) -> float:
    """What part of the rest of a slot, from now on, is over at a time."""
    begins_s, ends_s = max(now, slot * SLOT_S), (slot + 1) * SLOT_S
    return (min(until_s, ends_s) - begins_s) / max(ends_s - begins_s, 1e-12)


@inlined
def _slot(at_s: float) -> int:
    return int(at_s / SLOT_S + 1e-9)


@outlined
def tell_due(s: State, spell_s: float) -> bool:
    """Find out how many per second come back to each version in a spell; whether any do."""
    now, any_come = s.clock[0]["now"], False
    for row in range(len(s.versions)):
        version = s.versions[row]
        if version["back"] <= 0.0:
            continue
        any_come, comes = True, 0.0
        if s.calls[version["back_call"]]["cut"] != 0:
            continue
        for slot in range(_slot(now), _slot(now + spell_s) + 1):
            share = max(0.0, _share(now, now + spell_s, slot))
            for left in range(LEFT):
                comes += share * s.due[row, left, slot % DUE]
        version["comes"] = comes / spell_s
    return any_come


@inlined
def _again(s: State, row: int, left: int, refused: float, at_s: float) -> None:
    """So many are refused that have `left` attempts left: they come after the backoff before the next one."""
    call = s.calls[s.versions[row]["back_call"]]
    longest_s = call["backoff_s"] * 2.0 ** max(0, call["retries"] - left)
    first, last = _slot(at_s), min(_slot(at_s + longest_s), _slot(at_s) + DUE - 2)
    if call["jitter"] == 0:
        s.due[row, left - 1, last % DUE] += refused
        return
    for slot in range(first, last + 1):
        s.due[row, left - 1, slot % DUE] += refused / (last - first + 1)


@outlined
def come_back(s: State, row: int, step_s: float) -> None:
    """Take those out that come to a version in a step; who is refused there comes again, or fails."""
    version, now = s.versions[row], s.clock[0]["now"]
    refused, total = version["refused"], 0.0
    if s.calls[version["back_call"]]["cut"] != 0:
        refused = 1.0
    for left in range(LEFT):
        for slot in range(_slot(now), _slot(now + step_s) + 1):
            came = max(0.0, _share(now, now + step_s, slot)) * s.due[row, left, slot % DUE]
            if came <= 0.0:
                continue
            s.due[row, left, slot % DUE] -= came
            if left == 0:
                version["failed_back"] += came * refused
            elif refused > 0.0:
                _again(s, row, left, came * refused, now + step_s)
        for slot in range(DUE):
            total += s.due[row, left, slot]
    version["back"], version["comes"] = total, 0.0
    if total < _FEW:
        s.due[row] = 0.0
        version["back"] = 0.0
