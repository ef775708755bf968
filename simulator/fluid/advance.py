"""The fluid plane in time: step after step up to a time."""

from simulator.fluid.breaker import listen_until, turn
from simulator.fluid.budget import spend, spends
from simulator.fluid.due import tell_due
from simulator.fluid.handed import call
from simulator.fluid.inside import fills, go_on, moves
from simulator.fluid.layout import DRAW, FIND, PLAY, State
from simulator.fluid.quota import runs_out, take_tokens
from simulator.fluid.sample import draw_arrivals
from simulator.fluid.slow import WALK_STEP_S, walks
from simulator.fluid.writes import log_writes
from simulator.kernel.inline import merged, outlined

DONE, LOG_FULL = 0, 1
_MOVING_STEP_S = 0.1
"""While backlogs move, flows are found anew at least this often (or once a cell, when that is shorter)."""
_FULL_STEP_S = 0.025
"""Likewise where what is played request by request is now full and now not: each look tells only what is so then."""


@outlined
def _rates(s: State, now: float, until_s: float) -> float:
    """Put the rates of now in force; returns until when they hold."""
    for index in range(len(s.functions)):
        function = s.functions[index]
        while s.rate_until[index, function["segment"]] <= now + 1e-12:
            function["segment"] += 1
        rate = s.rate[index, function["segment"]]
        if rate != function["rate"]:
            function["rate"] = rate
            s.clock[0]["stale"] = max(1, s.clock[0]["stale"])
        until_s = min(until_s, s.rate_until[index, function["segment"]])
    return until_s


@outlined
def _tell_lost(s: State, step_s: float) -> None:
    """A kill's and a cut's answers under way were refused in this step."""
    for row in range(len(s.versions)):
        version = s.versions[row]
        if version["lost"] > 0.0:
            version["lost"] -= min(version["lost"], max(0.5, version["offered"] * step_s))
            s.clock[0]["stale"] = max(1, s.clock[0]["stale"])


@merged
def advance(s: State, until_s: float) -> int:
    """Advance to `until_s`; LOG_FULL when the write log must be emptied first."""
    clock = s.clock[0]
    resolution = clock["resolution"]
    while clock["now"] < until_s - 1e-9:
        now = clock["now"]
        cell = int(now / resolution + 1e-9)
        begins_s, ends_s = cell * resolution, (cell + 1) * resolution
        if cell != clock["drawn_cell"]:
            if clock["log_n"] + (3 * clock["parts"] + 2) * s.written.size // 4 > len(s.log):
                return LOG_FULL
            if clock["drawn_cell"] >= 0:
                log_writes(s, clock["drawn_cell"] * resolution, begins_s)
            _rates(s, now, ends_s)
            draw_arrivals(s, cell, begins_s, ends_s)
            clock["drawn_cell"] = cell
        target = _rates(s, now, min(until_s, ends_s))
        step_s = min(_MOVING_STEP_S, resolution)
        if tell_due(s, min(step_s, target - now)):
            clock["stale"] = max(1, clock["stale"])
        if clock["stale"] + clock["walked"] != 0:
            call(s, FIND, min(step_s, target - now), 0.0)
        if target - now > _FULL_STEP_S and s.stages[PLAY] != 0 and fills(s):
            target = now + _FULL_STEP_S
        elif target - now > step_s and (moves(s, target - now) or spends(s, target - now) or runs_out(s, target - now)):
            target = now + step_s
        elif target - now > WALK_STEP_S and walks(s):
            target = now + WALK_STEP_S
        target = listen_until(s, now, target)
        call(s, DRAW, now, target)
        if spend(s, target - now) | go_on(s, target - now) | take_tokens(s, target - now, step_s):
            clock["stale"] = max(1, clock["stale"])
        changed = turn(s, target)
        if s.stages[PLAY] != 0:
            changed |= call(s, PLAY, now, target) != 0
        if changed:
            clock["stale"] = max(1, clock["stale"])
        _tell_lost(s, target - now)
        clock["now"] = target
    clock["now"] = until_s
    return DONE


@outlined
def find(s: State) -> None:
    """Find the flows of now, without anything that comes back."""
    call(s, FIND, min(_MOVING_STEP_S, s.clock[0]["resolution"]), 0.0)


@outlined
def flush(s: State) -> None:
    """Write down the writes of the running cell."""
    begins_s = s.clock[0]["drawn_cell"] * s.clock[0]["resolution"]
    log_writes(s, begins_s, max(begins_s, s.clock[0]["now"]))
