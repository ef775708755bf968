"""Kinds of roots: what happens once in a replication, and seldom, is not waited for.

Defects and risks of a rollback are drawn at the start of a replication by probabilities that the scenario gives. A
collapse that comes of one that is met in 1 % of the releases needs a hundred roots to be met at all. So roots are taken
kind by kind, and kinds are weighed by how likely they are (stratified sampling: Cochran, Sampling Techniques, 5.3). A
root is of the kind of the likeliest that it has; what it draws is a function of its number, so that the roots of a kind
are found without being played.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from simulator.streams import defects_drawn, risks_drawn
from simulator.work import Work

__all__ = ["Kind", "kinds_of", "roots_of"]

_LIKELY_MIN = 1e-3
"""What is less likely is no kind, and drawn in all of them: its roots would take longer to find than to play."""


@dataclass(frozen=True)
class Kind:
    """Roots that have `name` and nothing likelier, or (name "") nothing; `share` of all roots are such."""

    name: str
    share: float
    roots: Callable[[int], Iterator[int]]
    """Their numbers in order, from a number on."""


def kinds_of(work: Work) -> list[Kind]:
    """All kinds of a work's roots, the least likely first and "" last; their shares add up to 1.

    Where a probability is not known but a range there is only the kind of all.
    """
    chances = _chances(work)
    names = sorted(chances, key=lambda name: -chances[name][0])
    kinds, rest = [], 1.0
    for place, name in enumerate(names):
        kinds.append(Kind(name, rest * chances[name][0], _found(chances, names[:place], name)))
        rest *= 1.0 - chances[name][0]
    return [*reversed(kinds), Kind("", rest, _found(chances, names, None))]


def roots_of(kinds: Sequence[Kind], first: int) -> Iterator[int]:
    """Of several kinds, each as often as a root is of it."""
    return heapq.merge(*(kind.roots(first) for kind in kinds))


_Chance = tuple[float, Callable[[int], bool]]


def _chances(work: Work) -> dict[str, _Chance]:
    """How likely each is, and whether a root has it."""
    release, seed = work.scenario.release, work.seed
    if work.inputs is not None and any("probability" in each.name for each in work.inputs.ranges):
        return {}
    found: dict[str, _Chance] = {}
    for defect in release.defects if work.defects is None else ():
        found[f"defect {defect.name}"] = (
            defect.probability,
            lambda root, each=defect: bool(defects_drawn([each], seed, root)),  # type: ignore[misc]
        )
    for risk in release.rollback_risks:
        found[f"risk {risk.name}"] = (
            risk.probability,
            lambda root, each=risk: bool(risks_drawn([each], seed, root)),  # type: ignore[misc]
        )
    return {name: each for name, each in found.items() if _LIKELY_MIN <= each[0] < 1.0}


def _found(chances: dict[str, _Chance], without: list[str], having: str | None) -> Callable[[int], Iterator[int]]:
    def roots(first: int) -> Iterator[int]:
        for root in count(first):
            if (having is None or chances[having][1](root)) and not any(chances[name][1](root) for name in without):
                yield root

    return roots
