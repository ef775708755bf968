"""The stages of a step, compiled each by itself: on all cores at once, and only those that are needed.

How they call one another: `simulator.fluid.handed`.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import config
from numpy.typing import NDArray

from simulator import draws
from simulator.compiling import Part, compiled, load
from simulator.fluid import (
    advance,
    again,
    attempts,
    bench,
    bounded,
    breaker,
    budget,
    calls,
    coming,
    counts,
    due,
    ejection,
    flows,
    handed,
    inside,
    jobs,
    lattice,
    layout,
    looks,
    pace,
    past,
    queueing,
    quota,
    retries,
    sample,
    sent,
    singly,
    slow,
    solve,
    steady,
    tell,
    two,
    waiting,
    walk,
    work,
    writes,
)
from simulator.fluid.handed import INTERPRETED, STAGE, at
from simulator.fluid.layout import ADVANCE, DRAW, FIND, MEET, PLAY, SCRATCH, STAGES, WAIT, State
from simulator.kernel import inline

__all__ = ["FLUSH", "LOOK", "PARTS", "entry"]

FLUSH, LOOK = -1.0, -2.0
"""Instead of a time: write down the running cell's writes; find the flows of now."""
_SINGLY = (PLAY, MEET)
"""Needed where something is played request by request."""
_SOURCES = (
    advance, again, attempts, bench, bounded, breaker, budget, calls, coming, counts, draws, due, ejection, flows,
    handed, inline, inside, jobs, lattice, layout, looks, pace, past, queueing, quota, retries, sample, sent, singly,
    slow, solve, steady, tell, two, waiting, walk, work, writes,
)  # fmt: skip
"""Modules with compiled parts."""


def entry(state: State) -> Callable[[float], int]:
    """What advances a State to a time (`advance.advance`), writes down its writes (FLUSH) or finds its flows (LOOK)."""
    if config.DISABLE_JIT:
        state.stages[:] = 1
        INTERPRETED.update(_stages(0))
        return lambda until_s: INTERPRETED[ADVANCE](state, until_s, 0.0)
    addresses, run = _loaded(singly=bool(state.stations["singly"].any()))
    state.stages[:] = addresses
    words = handed.words_of(state)
    address = words.ctypes.data

    def advance_to(until_s: float, _: object = words) -> int:  # it keeps them as long as their address
        return run(address, until_s, 0.0)

    return advance_to


@functools.cache
def _loaded(*, singly: bool) -> tuple[NDArray[np.int64], Callable[[int, float, float], int]]:
    """Addresses of the stages that are needed, and the first of them as Python calls it."""
    stages = [stage for stage in PARTS if singly or stage not in _SINGLY]
    load([PARTS[stage] for stage in stages])
    addresses = np.zeros(len(STAGES), np.int64)
    for stage in stages:
        only = _only(stage)
        addresses[stage] = only.library.get_pointer_to_function(only.fndesc.llvm_func_name)
    # Past numba's dispatcher, which looks at each argument on every call.
    return addresses, _only(ADVANCE).entry_point


@functools.cache
def _only(stage: int) -> Any:
    """A stage compiled, or loaded from disk, for the one signature that it has."""
    (only,) = compiled(_stages(_source_number())[stage], STAGE).overloads.values()
    return only


PARTS: dict[int, Part] = {stage: functools.partial(_only, stage) for stage in (FIND, DRAW, WAIT, PLAY, ADVANCE, MEET)}
"""What is compiled by itself: what takes longest comes first (16, 8, 7, 6, 6 and 2 s)."""


def _source_number() -> int:
    """A number that changes with any source that goes into the compiled code."""
    digest = hashlib.sha256()
    for module in _SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    return int.from_bytes(digest.digest()[:7], "big")


def _stages(source_number: int) -> dict[int, Callable[[Any, float, float], int]]:
    """Numba's disk cache notices changes of this file only, and of values that a function closes over."""

    def find(address: Any, spell_s: float, _: float) -> int:
        if address == 0:
            return source_number
        solve.solve(at(address), spell_s)
        return 0

    def wait(address: Any, spell_s: float, _: float) -> int:
        if address == 0:
            return source_number
        s = at(address)
        scratch = len(s.pool.n) - SCRATCH
        for row in range(len(s.versions)):
            queueing.find_wait(s, row, spell_s, work.wait_of(s, row), scratch, scratch + 1)
        return 0

    def draw(address: Any, begins_s: float, ends_s: float) -> int:
        if address == 0:
            return source_number
        sample.sample(at(address), begins_s, ends_s)
        return 0

    def play(address: Any, now: float, until_s: float) -> int:
        if address == 0:
            return source_number
        return int(singly.play(at(address), now, until_s))

    def meet(address: Any, row: float, _: float) -> int:
        if address == 0:
            return source_number
        s = at(address)
        looks.meet(s, int(row), work.wait_of(s, int(row)))
        return 0

    def advance_to(address: Any, until_s: float, _: float) -> int:
        if address == 0:
            return source_number
        if until_s == FLUSH:
            advance.flush(at(address))
            return 0
        if until_s == LOOK:
            advance.find(at(address))
            return 0
        return int(advance.advance(at(address), until_s))

    return {FIND: find, WAIT: wait, DRAW: draw, PLAY: play, MEET: meet, ADVANCE: advance_to}
