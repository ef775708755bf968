"""How far each change of a release could reach, in words."""

from __future__ import annotations

from evidence.reach import reach_of
from scenarios.models import Scenario

__all__ = ["reach_text"]


def reach_text(scenario: Scenario) -> str:
    """What each changed service could hit, a sentence each."""
    return " ".join(_reach_sentence(scenario, change.service) for change in scenario.release.changes)


def _reach_sentence(scenario: Scenario, service: str) -> str:
    reach = reach_of(scenario, service)
    parts = [f"{len(reach.functions)} of {len(scenario.functions)} functions ({', '.join(reach.functions) or 'none'})"]
    parts.append(f"{reach.requests_per_s:g} requests/s, {reach.request_share:.0%} of the load".replace("%", " %"))
    if reach.stores:
        parts.append(f"what is stored in {', '.join(reach.stores)}")
    return f"A bad {reach.service} can reach {'; '.join(parts)}."
