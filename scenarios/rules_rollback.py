"""What must hold between the steps of a rollback and what may be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios.rule_views import Data, Violation, items, known, text_of

__all__ = ["rollback_rules"]

_DEFAULT_STEPS = ["redeploy", "route-back", "retire", "verify"]


def rollback_rules(view: Data) -> Iterator[Violation]:
    """Every rule of rollback risks that is broken."""
    given = view.release.get("rollback", _DEFAULT_STEPS)
    steps = [step for step in given if isinstance(step, str)] if isinstance(given, list) else []
    seen: set[str | None] = set()
    for index, risk in items(view.release.get("rollback_risks")):
        at = ("release", "rollback_risks", index)
        name, step, needed = (text_of(risk.get(key)) for key in ("name", "step", "depends_on"))
        if name is not None and name in seen:
            yield Violation((*at, "name"), name, "must be there once")
        seen.add(name)
        if step is not None and step not in steps:
            yield Violation((*at, "step"), step, f"must be a step of release.rollback: {known(steps)}")
        if needed is not None and needed not in view.reached:
            rule = f"must be a service or store that requests reach: {known(sorted(view.reached))}"
            yield Violation((*at, "depends_on"), needed, rule)
