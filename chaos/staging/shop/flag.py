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
from openfeature.provider import AbstractProvider

from chaos.staging.flags import order_of, released
from chaos.staging.ports import LOOPBACK

_CONNECT_MS = 5_000
# The provider has a thread wait so long each time that it fails to connect, and the process ends only after it.
_GRACE_S = 1


@dataclass
class Answered:
    """Counts since the replica's start, as EnvoyStats has them; `histogram` has a bin more than it has bounds."""

    requests: int = 0
    errors: int = 0
    cancelled: int = 0
    histogram: list[int] = field(default_factory=list)


def polling(path: str, poll_s: float) -> FlagdProvider:
    """Over the file itself, which it looks at every `poll_s`; evaluates in this process."""
    return FlagdProvider(
        resolver_type=ResolverType.FILE, offline_flag_source_path=path, deadline_ms=round(poll_s * 1000)
    )


def streaming(port: int) -> FlagdProvider:
    """Over what flagd streams to it, and without flagd over what it heard last; evaluates in this process.

    flagd is not asked by RPC: that would be a round trip and one more way to fail in each request, and the provider
    speaks a later version of that interface (evaluation.v2) than the flagd that can be had (v1).
    """
    return FlagdProvider(
        resolver_type=ResolverType.IN_PROCESS,
        host=LOOPBACK,
        port=port,
        deadline_ms=_CONNECT_MS,
        # none: while a stream that is over is opened again, orders would be late
        stream_deadline_ms=0,
        retry_grace_period=_GRACE_S,
    )


class Flag:
    """The flag as this replica's own OpenFeature provider has it."""

    def __init__(self, service: str, provider: AbstractProvider, bounds_s: Sequence[float]) -> None:
        self._released, self._order = released(service), order_of(service)
        # raises when there is nothing that it can go by
        api.set_provider_and_wait(provider)
        self._client = api.get_client()
        self._bounds_s = tuple(bounds_s)
        self.answered = Answered(histogram=[0] * (len(self._bounds_s) + 1))

    def on(self, key: str, cohort: str) -> bool:
        """Whether it is on for a request; `key` is what its share is drawn by."""
        return self._client.get_boolean_value(self._released, False, EvaluationContext(key, {"cohort": cohort}))

    def order(self) -> int:
        """The order that the provider has followed last; -1 without one."""
        return self._client.get_integer_value(self._order, -1)

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
        """Follow no more."""
        api.shutdown()
