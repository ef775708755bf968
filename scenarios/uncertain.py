"""A scenario with ranges, as the family of scenarios that it stands for.

What a replication draws follows from its seed and number alone, so that whoever measures it again knows it, too.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic import ValidationError

from scenarios.errors import InvalidScenario, Problem
from scenarios.ranges import Range, Value, dotted, ranges_in, with_values
from scenarios.scenario import Scenario
from scenarios.yaml_text import parse

__all__ = ["STREAM", "Uncertain", "uncertain"]

STREAM = 1100
"""Of the draws, beside those of `simulator.streams.ControlStream`, which must not have this number."""


class Uncertain:
    """The uncertain inputs of a text, in its order, and the scenarios with values in their places."""

    def __init__(self, data: Any, ranges: Sequence[Range], source: str) -> None:
        self.ranges = tuple(ranges)
        self._data = data
        self._source = source

    def drawn(self, seed: int, replication: int) -> Scenario:
        """The scenario of one replication, the same under every strategy. Raises what `scenario` does."""
        return self.scenario(self.shares(seed, replication))

    def shares(self, seed: int, replication: int) -> list[float]:
        """Where in its range each input of a replication lies, 0 to 1, by the name of its place."""
        return [_unit(seed, replication, each.name) for each in self.ranges]

    def values(self, shares: Sequence[float]) -> list[Value]:
        """The value of each input at its share (0 to 1) of the way from low to high."""
        return [each.at(share) for each, share in zip(self.ranges, shares, strict=True)]

    def scenario(self, shares: Sequence[float]) -> Scenario:
        """The scenario with each input at its share.

        Raises InvalidScenario when a rule that holds at both ends of every range does not hold between them.
        """
        data = with_values(self._data, self.ranges, self.values(shares))
        try:
            return Scenario.model_validate(data)
        except ValidationError as error:
            found = error.errors(include_url=False)
            problems = [
                Problem(self._source, None, dotted(tuple(each["loc"])), repr(each["input"])[:80], each["msg"])
                for each in found
            ]
            raise InvalidScenario(problems) from error


def _unit(seed: int, replication: int, name: str) -> float:
    key = (STREAM, replication, zlib.crc32(name.encode()))
    return float(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0]) / 2.0**64


@lru_cache(maxsize=16)
def uncertain(text: str, source: str) -> Uncertain | None:
    """The uncertain inputs of a valid scenario's text; None when it has none, as an empty text."""
    if not text:
        return None
    data, _ = parse(text, source)
    ranges, _ = ranges_in(data)
    return Uncertain(data, ranges, source) if ranges else None
