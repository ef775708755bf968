"""What must hold between calls that start together."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios.rule_views import Data, Violation, text_of

__all__ = ["mechanics_rules"]


def mechanics_rules(view: Data) -> Iterator[Violation]:
    """A caller's first call has none before it to start with."""
    callers: set[str | None] = set()
    for index, call in view.calls:
        caller = text_of(call.get("from"))
        if call.get("parallel") is True and caller is not None and caller not in callers:
            at = ("system", "calls", index, "parallel")
            yield Violation(at, True, f"must have a call of {caller} before it, with which it starts")
        callers.add(caller)
