"""How the kernel's functions are compiled.

`inlined` parts end up in the one compiled entry point (`loop.kernel`); `outlined` ones are rare or long. Both
run without numba's reference counting: the kernel allocates nothing and its arrays outlive each call, while counting
them on each access made the loop about forty times slower. No fastmath: bits must equal those of the plain twin.
"""

from typing import Any

import numpy as np
from numba import njit

inlined = njit(forceinline=True, _nrt=False)
outlined = njit(_nrt=False)


@inlined
def u(index: int) -> Any:
    """An index that is never negative: spares the test whether it counts from the end, on every access."""
    return np.uint64(index)
