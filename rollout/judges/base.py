"""What a judge is: it asks for observations, and says of them whether the release is bad.

A judge knows no world and no clock. Whoever uses it observes what it asks for, at each of its looks, and hands that
over in the same order; so it judges alike in both worlds, and a test can show it any numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import simpy

from rollout.world import Observation

__all__ = ["EVER_S", "Finding", "Judge", "Observe", "Query", "look"]

EVER_S = 1e9
"""A window longer than any run: all answers since the start of the load. Its sums only grow, in both worlds."""

Observe = Callable[[str, str | None, float], simpy.Event]
"""`World.observe`, or what stands in for it: service, version and window in seconds; fires with an Observation."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a judge wants to see: the answers of a version (None: of all) over the last `window_s` seconds."""

    version: str | None
    window_s: float


class Finding(NamedTuple):
    """What a judge says after a look.

    Without `enough` data nothing is bad. `value` is what was held against `limit`, in the judge's own unit (a metric, a
    burn rate, a shift, a weight of evidence); a judge may leave it out (None) where it finds nothing bad. `requests`
    are those that it rests on.
    """

    bad: bool
    enough: bool
    value: float | None
    limit: float
    requests: int


class Judge(Protocol):
    """One use of a judge, for one guardrail in one replication: it may remember its earlier looks."""

    @property
    def queries(self) -> tuple[Query, ...]:
        """What it wants to see at each look; always the same."""
        ...

    def judge(self, observations: Sequence[Observation]) -> Finding:
        """The finding of one look; `observations` answer `queries`, in their order."""
        ...


def look(observe: Observe, service: str, judge: Judge) -> Generator[simpy.Event, Any, Finding]:
    """Observe what the judge asks for and have it judged; raises WorldError when the world cannot tell."""
    observations = []
    for query in judge.queries:
        observation: Observation = yield observe(service, query.version, query.window_s)
        observations.append(observation)
    return judge.judge(observations)
