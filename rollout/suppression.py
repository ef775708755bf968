"""Alerts silenced around a release: what they would have said is written down, and heard when the silence ends."""

from __future__ import annotations

from rollout.world import World
from scenarios.models import Guardrail
from scenarios.models import Suppression as Plan

__all__ = ["Suppression"]


class Suppression:
    """Whether a guardrail is silenced now; `plan` None silences none."""

    def __init__(self, world: World, plan: Plan | None) -> None:
        self._world = world
        self._plan = plan
        self._ends_s = 0.0
        self._since_s: dict[str, float] = {}

    def begin(self) -> None:
        """The release starts."""
        if self._plan is not None:
            self._ends_s = float("inf") if self._plan.for_s is None else self._world.env.now + self._plan.for_s

    def release_ended(self) -> None:
        """The release has ended; alerts that are silenced for a time of their own stay silent."""
        if self._plan is not None and self._plan.during == "release":
            self._ends_s = self._world.env.now

    def silences(self, guardrail: Guardrail, name: str, detail: dict[str, object]) -> bool:
        """Whether this trip is not heard; the first such of each guardrail is recorded, with what it hid."""
        if not self._is_silent(guardrail):
            return False
        if name not in self._since_s:
            self._since_s[name] = self._world.env.now
            self._world.record("alert-suppressed", name, **detail)
        return True

    def hidden(self, name: str) -> dict[str, object]:
        """For how long the guardrail that trips now had been silenced, as a detail of its trip; empty if it was not."""
        since_s = self._since_s.get(name)
        return {} if since_s is None else {"suppressed_s": self._world.env.now - since_s}

    def _is_silent(self, guardrail: Guardrail) -> bool:
        if self._plan is None or self._world.env.now >= self._ends_s or guardrail.action == "note":
            return False
        return self._plan.guardrails == "all" or guardrail.action == "page"
