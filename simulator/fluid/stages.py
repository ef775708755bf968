"""The stages of a step, compiled each by itself: by both cores, and only those that are needed.

A first run compiles them and keeps them on disk. How they call one another: `simulator.fluid.handed`.
"""

import functools
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numba import config, njit
from numpy.typing import NDArray

from simulator import draws
from simulator.compiling import when_compiling
from simulator.fluid import (
    advance,
    again,
    attempts,
    bench,
    bounded,
    breaker,
    budget,
    calls,
    counts,
    ejection,
    flows,
    handed,
    inside,
    lattice,
    layout,
    looks,
    pace,
    past,
    queueing,
    quota,
    retries,
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
from simulator.fluid.handed import INTERPRETED, STAGE, at
from simulator.fluid.layout import ADVANCE, DRAW, FIND, MEET, PLAY, SCRATCH, STAGES, WAIT, State
from simulator.kernel import inline
from simulator.pool import cores

__all__ = ["FLUSH", "compile_stages", "entry"]

FLUSH = -1.0
"""Instead of a time: write down the running cell's writes."""
_HELPED = (FIND, WAIT)
"""Compiled by a second process, half of all."""
_HELP_S = 300.0
_SOURCES = (
    advance, again, attempts, bench, bounded, breaker, budget, calls, counts, draws, ejection, flows, handed, inline,
    inside, lattice, layout, looks, pace, past, queueing, quota, retries, sample, singly, slow, solve, steady, tell,
    two, walk, work, writes,
)  # fmt: skip
"""Modules with compiled parts."""


def entry(state: State) -> Callable[[float], int]:
    """What advances a State to a time (`advance.advance`) or writes down its writes (FLUSH)."""
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
    stages = (ADVANCE, DRAW, *((PLAY, MEET) if singly else ()), *_HELPED)
    with _Helper() as helper, when_compiling(helper.start):
        compile_stages(stage for stage in stages if stage not in _HELPED)
        helper.wait()
        compile_stages(stages)
    addresses = np.zeros(len(STAGES), np.int64)
    for stage in stages:
        compiled = _only(stage)
        addresses[stage] = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    # Past numba's dispatcher, which looks at each argument on every call.
    return addresses, _only(ADVANCE).entry_point


def compile_stages(stages: Iterable[int]) -> None:
    """Compile those that are not on disk yet."""
    for stage in stages:
        _only(stage)


class _Helper:
    """A second process that compiles its share, where there is a core for it. What it leaves undone is done here."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, if that pays."""
        if cores() == 1:
            return
        code = f"from simulator.fluid import stages; stages.compile_stages({_HELPED})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # what goes wrong there goes wrong here again
        )

    def wait(self) -> None:
        """Until it is done, or has taken too long."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_HELP_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@functools.cache
def _only(stage: int) -> Any:
    """A stage compiled, or loaded from disk, for the one signature that it has."""
    dispatcher = njit(STAGE, cache=True, _nrt=False)(_stages(_source_number())[stage])
    (only,) = dispatcher.overloads.values()
    return only


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
        return int(advance.advance(at(address), until_s))

    return {FIND: find, WAIT: wait, DRAW: draw, PLAY: play, MEET: meet, ADVANCE: advance_to}
