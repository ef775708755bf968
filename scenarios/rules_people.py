"""What must hold between the people of a scenario: who is paged, what they know, and what they are told of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scenarios.rule_views import Data, Violation, items, known, mapping, text_of
from scenarios.yaml_text import Path

__all__ = ["people_rules", "skills_paged"]

_AT = ("operations",)


def people_rules(view: Data) -> Iterator[Violation]:
    """Escalations lead to people, skills are services, someone knows what is paged about, notices differ."""
    operations = mapping(view.top.get("operations"))
    on_call, people = mapping(operations.get("on_call")), mapping(operations.get("people"))
    for index, step in items(on_call.get("escalation")):
        to = text_of(step.get("to"))
        if to is not None and to not in people:
            at = (*_AT, "on_call", "escalation", index, "to")
            yield Violation(at, to, f"must be one of operations.people: {known(people)}")
    yield from _skills(view, (*_AT, "on_call"), on_call)
    for name, person in people.items():
        yield from _skills(view, (*_AT, "people", name), mapping(person))
    yield from _known_by_someone(view)
    page = mapping(operations.get("tickets")).get("page")
    if page is not None and not on_call:
        yield Violation((*_AT, "tickets", "page"), page, "must have someone to page: operations.on_call")
    yield from _notices(operations)


def _skills(view: Data, at: Path, person: dict[str, Any]) -> Iterator[Violation]:
    for index, skill in enumerate(_listed(person.get("skills"))):
        if isinstance(skill, str) and skill not in view.services:
            yield Violation((*at, "skills", index), skill, f"must be a service: {known(view.services)}")


def _known_by_someone(view: Data) -> Iterator[Violation]:
    """A page about a service that nobody on the list knows would be decided by nobody."""
    skills = skills_paged(view)
    if skills is None:
        return
    for index, guardrail in items(view.release.get("guardrails")):
        service = text_of(guardrail.get("of"))
        if guardrail.get("action") == "page" and service in view.services and service not in skills:
            rule = "must be known by someone who is paged: the skills of operations.on_call and of its escalation"
            yield Violation(("release", "guardrails", index, "of"), service, rule)


def skills_paged(view: Data) -> set[str | None] | None:
    """What those who are paged know; None where there is nobody, or one of them knows everything."""
    operations = mapping(view.top.get("operations"))
    on_call, people = mapping(operations.get("on_call")), mapping(operations.get("people"))
    steps = [text_of(step.get("to")) for _, step in items(on_call.get("escalation"))]
    paged = [on_call, *(mapping(people.get(name)) for name in steps if name is not None)]
    if not on_call or any(not isinstance(person.get("skills"), list) for person in paged):
        return None
    return {text_of(skill) for person in paged for skill in _listed(person.get("skills"))}


def _notices(operations: dict[str, Any]) -> Iterator[Violation]:
    seen: set[tuple[str | None, str | None]] = set()
    for index, notice in items(operations.get("notices")):
        key = (text_of(notice.get("to")), text_of(notice.get("on")))
        if None not in key and key in seen:
            yield Violation((*_AT, "notices", index), f"{key[0]} on {key[1]}", "must be there once")
        seen.add(key)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
