"""Guardrails: look at the release again and again, and trip when the judge finds it bad."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import simpy

from rollout.errors import WorldError
from rollout.judges.base import Finding, Observe, look
from rollout.judges.making import judge_of
from rollout.suppression import Suppression
from rollout.world import World
from scenarios.models import Change, Guardrail

__all__ = ["watch"]


def watch(
    world: World,
    guardrail: Guardrail,
    name: str,
    change: Change,
    resolution_s: float,
    on_trip: Callable[[Guardrail, str], None],
    until: simpy.Event,
    observe: Observe | None = None,
    suppression: Suppression | None = None,
) -> Generator[simpy.Event, Any, None]:
    """Look at every interval of the guardrail until `until`; call `on_trip` once, when it trips, and end.

    `name` is what the timeline calls it; `observe` stands in for the world's own. An observation that fails is no
    evidence against the release. It is recorded, the first of a row only, and the guardrail looks again: a short outage
    of the metrics must not blind it for good. Silenced by `suppression` it does not trip, and goes on looking.
    """
    judge = judge_of(guardrail, change, world.edges_s)
    interval_s = guardrail.interval_s(resolution_s)
    see = world.observe if observe is None else observe
    blind, in_a_row = False, 0
    while not until.triggered:
        try:
            finding = yield from look(see, guardrail.of, judge)
        except WorldError as error:
            if not blind:
                world.record("error", name, during="observe", message=str(error))
            blind = True
            yield world.env.timeout(interval_s)
            continue
        blind = False
        in_a_row = in_a_row + 1 if finding.bad else 0
        if in_a_row >= guardrail.consecutive and not until.triggered:
            detail = _detail(guardrail, finding)
            if suppression is None or not suppression.silences(guardrail, name, detail):
                hidden = {} if suppression is None else suppression.hidden(name)
                kind = "guardrail-note" if guardrail.action == "note" else "guardrail-trip"
                world.record(kind, name, **detail, **hidden)
                on_trip(guardrail, name)
                return
        yield world.env.timeout(interval_s)


def _detail(guardrail: Guardrail, finding: Finding) -> dict[str, object]:
    detail: dict[str, object] = {
        "value": finding.value,
        "above": finding.limit,
        "requests": finding.requests,
        "action": guardrail.action,
    }
    return detail if guardrail.judge == "threshold" else {**detail, "judge": guardrail.judge}
