"""One source, two kernels: the full one, and a lean one for networks without mechanics.

What a scenario does not use costs nothing then, neither when it is played nor when the kernel is compiled for the first
time. `MECHANICS` guards all that only the full kernel has. It is a constant to numba, which drops what stands behind
a False before it infers types, so that nothing there is compiled, functions called only there included.
"""

from types import FunctionType
from typing import Any

from numba import jit
from numba.core.dispatcher import Dispatcher

MECHANICS = True
"""False in the lean kernel. To be tested by this name alone, first in its condition."""


def lean(function: Any, made: dict[Any, Any] | None = None) -> Any:
    """The function with `MECHANICS` False in it and in all compiled functions that it calls.

    It is the same function where that changes nothing. `made` holds the compiled functions that are done.
    """
    made = {} if made is None else made
    changed: dict[str, Any] = {}
    for name in function.__code__.co_names:
        known = function.__globals__.get(name)
        if name == "MECHANICS":
            changed[name] = False
        elif isinstance(known, Dispatcher):
            if known not in made:
                other = lean(known.py_func, made)
                made[known] = known if other is known.py_func else jit(**known.targetoptions)(other)
            changed |= {} if made[known] is known else {name: made[known]}
    if not changed:
        return function
    names = {**function.__globals__, **changed}
    return FunctionType(function.__code__, names, function.__name__, closure=function.__closure__)
