"""Kernels are compiled by the first run that needs them, on all cores, and kept on disk.

Numba keeps them beside their sources or, where that folder cannot be written, in the user's cache folder. It compiles
anew for another version of Python or of numba, another kind of processor, and sources that say something else, whenever
they were written.
"""

import functools
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from numba import config, njit
from numba.core import event

from simulator.cores import cores

__all__ = ["Part", "compiled", "help_compiling", "load"]

_log = logging.getLogger(__name__)
_HELP_S = 300.0

Part = Callable[[], object]
"""Loads what is compiled by itself from disk, or compiles it, when it is first called. It is pickled."""


def compiled(function: Callable[..., Any], signature: object) -> Any:
    """The function compiled for its one signature, or loaded from disk. Where it cannot be kept, that is no failure."""
    if config.DISABLE_JIT:
        return function
    dispatcher = njit(_nrt=False)(function)
    if _can_keep():
        dispatcher.enable_caching()
    try:
        dispatcher.compile(signature)
    except OSError as error:
        if not dispatcher.overloads:
            raise
        _log.info("compiled kernels are not kept: %s", error.strerror)
    dispatcher.disable_compile()
    return dispatcher


def load(parts: Sequence[Part]) -> None:
    """Load all; what is not on disk is compiled first, on all cores in the order given, and that is told."""
    absent = [part for part in parts if not _loads(part)]
    if not absent:
        return
    if _can_keep():
        _log.info("compiling kernels, which are kept for the next time")
        _share(absent)
    else:
        _log.info("compiling kernels anew: set NUMBA_CACHE_DIR to a folder that can be written, and they are kept")
    for part in absent:  # also what a helper left undone
        part()


@functools.cache
def _can_keep() -> bool:
    """Whether numba finds a folder that it can write."""
    try:
        njit(_loads).enable_caching()
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return False
    return True


def _loads(part: Part) -> bool:
    """Whether it is on disk; it is loaded then."""
    try:
        with event.install_listener("numba:compile", _Refusing()):
            part()
    except _Absent:
        return False
    return True


class _Absent(Exception):
    """It would have to be compiled."""


class _Refusing(event.Listener):
    """It hears of all threads, and what others compile is their business."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def on_start(self, _: event.Event) -> None:
        if threading.get_ident() == self._thread:
            raise _Absent

    def on_end(self, _: event.Event) -> None:
        pass


def _share(parts: Sequence[Part]) -> None:
    """Compile them by this process and others, each of which takes the next one when it is done with the last."""
    queue, end = os.pipe()
    os.write(end, bytes(range(len(parts))))
    os.close(end)
    with ExitStack() as stack:
        stack.callback(os.close, queue)
        helpers = [stack.enter_context(_helper(parts, queue)) for _ in range(min(cores(), len(parts)) - 1)]
        _take(parts, queue)
        for helper in helpers:
            with suppress(subprocess.TimeoutExpired):
                helper.wait(_HELP_S)


def _take(parts: Sequence[Part], queue: int) -> None:
    while number := os.read(queue, 1):
        parts[number[0]]()


@contextmanager
def _helper(parts: Sequence[Part], queue: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A new process and not a fork: who compiles may have threads. It ends with this one, however that ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"from simulator import compiling; compiling.help_compiling({queue})"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # what goes wrong there goes wrong here again
        pass_fds=(queue,),
    )
    assert process.stdin is not None
    try:
        with suppress(BrokenPipeError):
            process.stdin.write(pickle.dumps(parts))
            process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()


def help_compiling(queue: int) -> None:
    """In a helper: compile what comes next in the queue, until there is no more."""
    parts = pickle.load(sys.stdin.buffer)  # noqa: S301  # of the process that started this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _take(parts, queue)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)
