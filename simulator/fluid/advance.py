"""The compiled entry point of the fluid plane: step after step up to a time."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from numba import config, float64, int64, njit, typeof

from simulator import draws
from simulator.fluid import (
    again,
    attempts,
    bounded,
    breaker,
    budget,
    calls,
    counts,
    ejection,
    flows,
    inside,
    lattice,
    layout,
    past,
    queueing,
    quota,
    sample,
    singly,
    slow,
    solve,
    steady,
    tell,
    two,
    walk,
    work,
    writes,
)
from simulator.fluid.breaker import listen_until, turn
from simulator.fluid.budget import spend, spends
from simulator.fluid.inside import go_on, moves
from simulator.fluid.layout import State
from simulator.fluid.quota import runs_out, take_tokens
from simulator.fluid.sample import draw_arrivals
from simulator.fluid.sample import sample as draw
from simulator.fluid.singly import play
from simulator.fluid.slow import WALK_STEP_S, walks
from simulator.fluid.solve import solve as find
from simulator.fluid.writes import log_writes
from simulator.kernel.inline import outlined

DONE, LOG_FULL = 0, 1
FLUSH = -1.0
"""Instead of a time: write down the running cell's writes."""
_MOVING_STEP_S = 0.1
"""While backlogs move, flows are found anew at least this often (or once a cell, when that is shorter)."""


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


@outlined
def _advance(s: State, until_s: float) -> int:
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
        if clock["stale"] + clock["walked"] != 0:
            find(s, min(step_s, target - now))
        if target - now > step_s and (moves(s, target - now) or spends(s, target - now) or runs_out(s, target - now)):
            target = now + step_s
        elif target - now > WALK_STEP_S and walks(s):
            target = now + WALK_STEP_S
        target = listen_until(s, now, target)
        draw(s, min(cell, len(s.client) - 1), now, target)
        if spend(s, target - now) | go_on(s, target - now) | take_tokens(s, target - now, step_s):
            clock["stale"] = max(1, clock["stale"])
        if turn(s, target) | play(s, now, target):
            clock["stale"] = max(1, clock["stale"])
        _tell_lost(s, target - now)
        clock["now"] = target
    clock["now"] = until_s
    return DONE


@outlined
def _flush(s: State) -> None:
    """Write down the writes of the running cell."""
    begins_s = s.clock[0]["drawn_cell"] * s.clock[0]["resolution"]
    log_writes(s, begins_s, max(begins_s, s.clock[0]["now"]))


_SOURCES = (
    again, attempts, bounded, breaker, budget, calls, counts, draws, ejection, flows, inside, lattice, layout, past,
    queueing, quota, sample, singly, slow, solve, steady, tell, two, walk, work, writes,
)  # fmt: skip
"""Modules with compiled parts."""


def _source_number() -> int:
    """A number that changes with any source that goes into the compiled code."""
    digest = hashlib.sha256()
    for module in _SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    return int.from_bytes(digest.digest()[:7], "big")


def _compile(source_number: int) -> Callable[[State, float], int]:
    """Numba's disk cache notices changes of this file only, and of values that the function closes over."""

    @njit(int64(typeof(layout.empty_state()), float64), cache=True, _nrt=False)
    def advance(s: State, until_s: float) -> int:
        """Advance to `until_s`; LOG_FULL when the write log must be emptied first. FLUSH: write it up to now."""
        if until_s == FLUSH:
            _flush(s)
            return source_number
        return _advance(s, until_s)

    # Numba's dispatcher looks at each array of the State again on every call, which takes as long as a quiet minute of
    # traffic. There is one signature, and a State has its types by construction.
    compiled: Callable[[State, float], int] = advance
    if not config.DISABLE_JIT:
        (only,) = advance.overloads.values()
        compiled = only.entry_point
    return compiled


advance = _compile(_source_number())
