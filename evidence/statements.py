"""What a comparison allows to say: who is better on what, by how much, and where the data cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evidence.pairs import CANNOT_TELL, FUNCTION_MEASURES, RELEASE_MEASURES, SAME, Difference, Pair, turned
from evidence.plain import finite

__all__ = ["Statement", "statements"]


@dataclass(frozen=True, slots=True)
class Statement:
    """Of a function (the release: "") on one measure: `best` beats each of `worse` by the difference to it.

    `alike` do as well as the best in every replication; from those in `unclear` the data cannot tell it. Without any
    worse, nobody is told apart, and `best` is only the one that happens to be ahead.
    """

    function: str
    measure: str
    best: str
    worse: tuple[tuple[str, Difference], ...]
    alike: tuple[str, ...]
    unclear: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        found: dict[str, Any] = finite(asdict(self))
        return found | {"worse": [{"name": name, **finite(asdict(by))} for name, by in self.worse]}


def statements(pairs: Sequence[Pair]) -> tuple[Statement, ...]:
    """One for each function and measure that tells good from bad, in their order; then those of the release."""
    found = []
    for function in dict.fromkeys(pair.function for pair in pairs):
        mine = [pair for pair in pairs if pair.function == function]
        names = list(dict.fromkeys(name for pair in mine for name in (pair.ours, pair.theirs)))
        for measured in FUNCTION_MEASURES if function else RELEASE_MEASURES:
            table = _table(mine, measured.name)
            if table and measured.higher_is_better is not None:
                found.append(_statement(function, measured.name, names, table, higher=measured.higher_is_better))
    return tuple(found)


def _table(pairs: Sequence[Pair], measure: str) -> dict[tuple[str, str], Difference]:
    """Both ways round."""
    table: dict[tuple[str, str], Difference] = {}
    for pair in pairs:
        for each in pair.differences:
            if each.measure == measure:
                table[pair.ours, pair.theirs] = each
                table[pair.theirs, pair.ours] = turned(each)
    return table


def _statement(
    function: str, measure: str, names: Sequence[str], table: Mapping[tuple[str, str], Difference], *, higher: bool
) -> Statement:
    sign = 1.0 if higher else -1.0
    known = [name for name in names if any(name in pair for pair in table)]
    # The best is worse than nobody; among those, who is ahead of most.
    best = max(known, key=lambda name: _standing(name, known, table, sign))
    against = {name: table[best, name] for name in known if name != best and (best, name) in table}
    return Statement(
        function=function,
        measure=measure,
        best=best,
        worse=tuple((name, each) for name, each in against.items() if each.statement == "better"),
        alike=tuple(name for name, each in against.items() if each.statement == SAME),
        unclear=tuple(name for name, each in against.items() if each.statement == CANNOT_TELL),
    )


def _standing(
    name: str, names: Sequence[str], table: Mapping[tuple[str, str], Difference], sign: float
) -> tuple[int, float]:
    mine = [table[name, other] for other in names if (name, other) in table]
    return -sum(each.statement == "worse" for each in mine), sum(sign * each.estimate.value for each in mine)
