"""What must hold between the wall clock of a scenario and the parts that name days, hours or moments."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios.rule_views import Data, Violation, items, mapping
from scenarios.yaml_text import Path

__all__ = ["clock"]

_RULE = "must have a wall clock to be told by: start, the moment at which the load begins"


def clock(view: Data) -> Iterator[Violation]:
    """Days, hours and moments mean nothing without `start`."""
    if "start" in view.top:
        return
    for path, value in _told_by_the_clock(view):
        yield Violation(path, value, _RULE)


def _told_by_the_clock(view: Data) -> Iterator[tuple[Path, object]]:
    for name, function in view.functions.items():
        profile = mapping(function.get("profile"))
        for key in ("daily", "weekly", "month_end"):
            if profile.get(key):
                yield ("functions", name, "profile", key), profile[key]
        for index, peak in items(profile.get("peaks")):
            if "from" in peak:
                yield ("functions", name, "profile", "peaks", index, "from"), peak["from"]
    for name, approval in mapping(mapping(view.top.get("operations")).get("approvals")).items():
        if mapping(approval).get("hours"):
            yield ("operations", "approvals", name, "hours"), mapping(approval)["hours"]
