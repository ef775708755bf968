"""Which assumption matters: how much of a measure's variation over replications comes with each uncertain input.

The share of variance that an input explains by itself is the first-order index of Sobol (Saltelli and others, Global
sensitivity analysis: the primer, Wiley 2008, 1.2.8), estimated from the replications as they are: sorted by the input,
cut into groups of equal size, a line through each group, and what the lines leave of the variance taken off. (Means of
groups alone miss what an input does within one: of three groups, a ninth of a straight line, and half of a valley.)
What is random besides the inputs counts as variance like any other, so shares need not add up to one. By chance alone,
so many lines would explain some of it; the degrees of freedom take that off (adjusted R squared, as Kelley's unbiased
correlation ratio does for means, PNAS 21, 1935). Intervals are bootstrap percentiles over replications. An input is
told apart from one without influence by two tests of the same groups, at half the level each, at 5 % over all inputs
together (Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979).
Kruskal and Wallis' goes by ranks and takes no harm from a few huge outcomes, but sees hardly anything where most are
the same, as in the four fifths of the releases that hurt nobody (16 % of inputs that matter in the others, of 1,000
releases). Fisher's of their means sees those (all of them), and with groups of equal size it tells no more than 5 % of
the inputs without influence however skewed the outcomes are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evidence.errors import JudgeError
from evidence.statistics import Estimate

__all__ = ["Influence", "rank_inputs"]

_GROUPS_MIN, _GROUPS_MAX = 3, 10
_PER_GROUP = 40
"""With fewer, resampled values that come twice make an input without influence seem to have some."""
_TRIALS = 400
_ROUNDING = 1e-12
_LEVEL = 0.05
_ENOUGH = 60

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Influence:
    """One input on one measure of one function.

    `share` of the variance that it explains, with its interval; `low_mean` and `high_mean` are the measure's means in
    the lowest and the highest third of the input. `told` whether it is told apart from an input without influence.
    """

    function: str
    measure: str
    input: str
    share: Estimate
    low_mean: float
    high_mean: float
    told: bool


def rank_inputs(
    inputs: Mapping[str, Sequence[float]], outputs: Mapping[tuple[str, str], Sequence[float]], seed: int
) -> list[Influence]:
    """Every input on every output (function, measure), the most influential first within an output.

    All sequences have a value for each replication, in order. Raises JudgeError for fewer than 60 replications.
    """
    n = len(next(iter(inputs.values()), ()))
    if n < _ENOUGH:
        raise JudgeError(f"a ranking of inputs needs at least {_ENOUGH} replications (got {n})")
    groups = max(_GROUPS_MIN, min(_GROUPS_MAX, n // _PER_GROUP))
    ranked = []
    for (function, measure), values in outputs.items():
        y, rng = np.asarray(values, np.float64), np.random.default_rng(seed)
        orders = {name: np.argsort(np.asarray(x, np.float64), kind="stable") for name, x in inputs.items()}
        told = _told({name: _chance(y[order], groups) for name, order in orders.items()})
        found = []
        for name, order in orders.items():
            low_mean, high_mean = float(y[order[: n // 3]].mean()), float(y[order[-(n // 3) :]].mean())
            share = _with_interval(np.asarray(inputs[name], np.float64), y, groups, rng)
            if name not in told:  # a share that may be none
                share = replace(share, low=0.0)
            found.append(Influence(function, measure, name, share, low_mean, high_mean, name in told))
        ranked += sorted(found, key=lambda each: -each.share.value)
    return ranked


def _chance(y: Values, groups: int) -> float:
    """The p value of the groups' differences; 1 where nothing varies."""
    from scipy.stats import kruskal  # takes most of a second to import, which only this question needs

    if np.ptp(y) == 0.0:
        return 1.0
    parts = np.array_split(y, groups)
    return 2.0 * min(float(kruskal(*parts).pvalue), _chance_of_means(parts))


def _chance_of_means(parts: Sequence[Values]) -> float:
    """The p value of Fisher's test; 0 where all that varies is the groups' means."""
    n, groups = sum(len(part) for part in parts), len(parts)
    mean = sum(float(part.sum()) for part in parts) / n
    between = sum(len(part) * (float(part.mean()) - mean) ** 2 for part in parts) / (groups - 1)
    within = sum(float(((part - part.mean()) ** 2).sum()) for part in parts) / (n - groups)
    return float(special.fdtrc(groups - 1, n - groups, between / within)) if within > 0.0 else 0.0


def _told(chances: Mapping[str, float]) -> set[str]:
    """Holm's procedure: from the smallest p value on, as long as each is below the level over those that remain."""
    told: set[str] = set()
    for place, name in enumerate(sorted(chances, key=lambda each: chances[each])):
        if chances[name] > _LEVEL / (len(chances) - place):
            break
        told.add(name)
    return told


def _with_interval(x: Values, y: Values, groups: int, rng: np.random.Generator) -> Estimate:
    n = len(x)
    value = _explained(x, y, groups)
    resampled = []
    for _ in range(_TRIALS):
        sample = rng.integers(0, n, n)
        resampled.append(_explained(x[sample], y[sample], groups))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Estimate(value, min(value, max(0.0, float(low))), max(value, float(high)), n)


def _explained(x: Values, y: Values, groups: int) -> float:
    """Of the variance of y, what lines in x explain, one in each group of equal size; 0 where nothing varies."""
    order = np.argsort(x, kind="stable")
    # Around their means, so that sums of squares keep their digits.
    x, y, n = x[order] - x.mean(), y[order] - y.mean(), len(y)
    total = float((y**2).sum())
    if total <= 0.0:
        return 0.0
    edges = np.linspace(0, n, groups + 1).astype(int)
    counts = np.diff(edges)
    sum_x, sum_y, xx, xy, yy = (np.add.reduceat(each, edges[:-1]) for each in (x, y, x * x, x * y, y * y))
    xx, xy, yy = xx - sum_x**2 / counts, xy - sum_x * sum_y / counts, yy - sum_y**2 / counts
    sloped = xx > _ROUNDING * float((x**2).sum())
    left = float(yy.sum() - (xy[sloped] ** 2 / xx[sloped]).sum())
    freedom = n - groups - int(sloped.sum())
    return max(0.0, 1.0 - max(0.0, left) / freedom * (n - 1) / total)
