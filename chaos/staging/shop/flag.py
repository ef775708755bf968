"""The release's flag in a replica of the new version: asked for each request, and what was answered with it on.

Envoy, which counts a version's answers, cannot tell those of its flag apart; so the replica counts them itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext

from chaos.staging.flags import ORDER, RELEASED


@dataclass
class Answered:
    """Counts since the replica's start, as EnvoyStats has them; `histogram` has a bin more than it has bounds."""

    requests: int = 0
    errors: int = 0
    cancelled: int = 0
    histogram: list[int] = field(default_factory=list)


class Flag:
    """The flag as this replica's own OpenFeature provider has it: flagd's evaluation of a file, polled."""

    def __init__(self, path: str, poll_s: float, bounds_s: Sequence[float]) -> None:
        provider = FlagdProvider(
            resolver_type=ResolverType.FILE, offline_flag_source_path=path, deadline_ms=round(poll_s * 1000)
        )
        api.set_provider_and_wait(provider)
        self._client = api.get_client()
        self._bounds_s = tuple(bounds_s)
        self.answered = Answered(histogram=[0] * (len(self._bounds_s) + 1))

    def on(self, key: str, cohort: str) -> bool:
        """Whether it is on for a request; `key` is what its share is drawn by."""
        return self._client.get_boolean_value(RELEASED, False, EvaluationContext(key, {"cohort": cohort}))

    def order(self) -> int:
        """The order that the provider has followed last; -1 without one."""
        return self._client.get_integer_value(ORDER, -1)

    def count(self, status: int, took_s: float, *, hung_up: bool) -> None:
        """One answer that was given with the flag on; `hung_up`: nobody was there any more to take it."""
        if hung_up:
            self.answered.cancelled += 1
            return
        self.answered.requests += 1
        self.answered.errors += status >= 500
        self.answered.histogram[bisect_left(self._bounds_s, took_s)] += 1

    def document(self) -> dict[str, Any]:
        """What the staging is told."""
        return {"order": self.order(), **vars(self.answered)}

    def close(self) -> None:
        """Stop polling."""
        api.shutdown()
