"""What must hold between the guardrails of a scenario: each is told apart by its name."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios.rule_views import Data, Violation, items, text_of

__all__ = ["guardrail_names"]


def guardrail_names(view: Data) -> Iterator[Violation]:
    """A name that an author gives stands once; names that are made up for the others never clash."""
    seen: set[str] = set()
    for index, guardrail in items(view.release.get("guardrails")):
        name = text_of(guardrail.get("name"))
        if name is not None and name in seen:
            yield Violation(("release", "guardrails", index, "name"), name, "must be there once")
        if name is not None:
            seen.add(name)
