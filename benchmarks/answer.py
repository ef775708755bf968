"""What every simulator answers about a queueing system, so that it can be judged by the same bounds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BATCHES = 20


@dataclass(frozen=True)
class Answer:
    """What a run says about its queue: values of `BATCHES` batches, so that a standard error can be taken."""

    requests: int
    batches: NDArray[np.float64]
    timed_out_share: float | None = None


def means(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each of `BATCHES` parts, in the order of the values."""
    return np.array([part.mean() for part in np.array_split(np.asarray(values, np.float64), BATCHES)])
