"""The same scenario with one thing changed in its text, for what-if questions.

The text is what is changed, not the model: so the record keeps what was played, and the rules of the language hold.
"""

from __future__ import annotations

from scenarios.loading import ScenarioText, load_text
from scenarios.models import Scenario
from windtunnel.errors import UsageError

__all__ = ["vary"]


def vary(source: ScenarioText, old: str, new: str) -> tuple[Scenario, ScenarioText]:
    """The scenario whose text says `new` where it said `old`, as `load` returns it.

    Raises UsageError unless `old` stands there exactly once, and ScenarioError for what is then no scenario.
    """
    count = source.text.count(old) if old else 0
    if count != 1:
        raise UsageError(f"old(={old!r}) must stand in the text of {source.source} exactly once, stands {count} times")
    varied = ScenarioText(f"{source.source} ({old} -> {new})", source.text.replace(old, new))
    return load_text(varied.text, varied.source), varied
