"""Kinds of releases whose probabilities are known, so that how many of each were drawn is no error of a mean.

Whether a release has a defect is drawn in each replication, by probabilities that the scenario gives. At 5 % there may
be four bad ones among 200, or sixteen, and that chance would make most of the error of a mean. So means are taken kind
by kind, and weighed by the known probabilities (post-stratification: Cochran, Sampling Techniques, 3rd edition,
5A.9; Holt and Smith, Post Stratification, Journal of the Royal Statistical Society A 142, 1979).

Kinds are the releases without any defect, and those whose likeliest defect is this or that one. A kind of which fewer
than `EXPECTED` replications are expected joins the next likelier one: its mean would be known from too few. Kinds are
chosen by what is expected and never by what was drawn, and all bad releases together stay a kind of their own however
few they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.models import Scenario

__all__ = ["EXPECTED", "Chances", "Strata", "chances_of", "risks_of", "strata_of"]

EXPECTED = 10.0

Chances = Mapping[str, float]
"""The probability of each defect that is drawn, each by itself; none where nothing is drawn."""


@dataclass(frozen=True, slots=True)
class Strata:
    """`of` [n] is the kind of each replication, `shares` how likely each kind is: they add up to 1."""

    of: NDArray[np.int64]
    shares: tuple[float, ...]


def chances_of(scenario: Scenario, given: Collection[str] | None) -> dict[str, float]:
    """Of a simulation's replications; nothing is drawn where defects are `given`.

    Of a probability that is a range the scenario has the middle, which is its mean.
    """
    if given is not None:
        return {}
    return {each.name: each.probability for each in scenario.release.defects if 0.0 < each.probability < 1.0}


def risks_of(scenario: Scenario) -> dict[str, float]:
    """The probability of each risk of the rollback that is drawn; which replications met it no measure tells."""
    return {each.name: each.probability for each in scenario.release.rollback_risks if 0.0 < each.probability < 1.0}


def strata_of(drawn: Sequence[Collection[str]], chances: Chances) -> Strata | None:
    """The kinds of replications, from the defects that each has; None where there is nothing to tell apart by.

    Of releases without a defect enough must be expected, too: else all of them together are one kind.
    """
    names = sorted(chances, key=lambda name: -chances[name])
    shares, rest = [], 1.0
    for name in names:
        shares.append(rest * chances[name])
        rest -= shares[-1]
    if not names or rest * len(drawn) < EXPECTED:
        return None
    kinds = [[name] for name in names]
    while len(kinds) > 1 and shares[-1] * len(drawn) < EXPECTED:
        kinds[-2:] = [kinds[-2] + kinds[-1]]
        shares[-2:] = [shares[-2] + shares[-1]]
    kind_of = {name: kind for kind, members in enumerate(kinds, start=1) for name in members}
    of = [min((kind_of[name] for name in each if name in kind_of), default=0) for each in drawn]
    return Strata(np.array(of, dtype=np.int64), (rest, *shares))
