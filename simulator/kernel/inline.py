"""How the kernel's functions are compiled.

`inlined` parts end up in the one compiled entry point (`loop.kernel`); `outlined` ones are rare or long; `merged` ones
are long and called in one place, where as outlined ones they would be optimised a second time. All
run without numba's reference counting: the kernel allocates nothing and its arrays outlive each call, while counting
them on each access made the loop about forty times slower. No fastmath: bits must equal those of the plain twin.

Numba makes two more functions of each, by which C and Python could call it. C never does. To be called from Python, the
45 arrays of a State must be taken out of their objects, which was half of the time that compiling took: only the entry
point can be, and a part that takes a State must not, which would end the process.
"""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
from numba import njit, types
from numba.core.registry import CPUDispatcher


def inlined(function: Callable[..., Any]) -> Any:
    """Compiled into whoever calls it."""
    return njit(forceinline=True, **_options(function))(function)


def outlined(function: Callable[..., Any]) -> Any:
    """Compiled by itself."""
    return _Outlined(function, targetoptions={"nopython": True, "boundscheck": None, **_options(function)})


def merged(function: Callable[..., Any]) -> Any:
    """Compiled as a part of whoever calls it: for what is called in one place, and long."""
    return njit(inline="always", **_options(function))(function)


class _Outlined(CPUDispatcher):
    """Numba compiles anew for each constant that is an argument: here it is a number like others."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        return super().get_call_template(
            tuple(map(types.unliteral, args)), {name: types.unliteral(kind) for name, kind in kws.items()}
        )


def _options(function: Callable[..., Any]) -> dict[str, bool]:
    takes_state = "State" in str(next(iter(signature(function).parameters.values())).annotation)
    return {"_nrt": False, "no_cfunc_wrapper": True, "no_cpython_wrapper": takes_state}


@inlined
def u(index: int) -> Any:
    """An index that is never negative: spares the test whether it counts from the end, on every access."""
    return np.uint64(index)
