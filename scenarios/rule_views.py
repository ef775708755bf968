"""Tolerant views of the plain data of a scenario, which the rules between its parts read.

A view passes over what has the wrong shape: the models report that, at its own place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from scenarios.functions import DEFAULT_COHORT, Function
from scenarios.quantities import parse_duration_s
from scenarios.yaml_text import Path

__all__ = ["Anything", "Data", "Violation", "duration_s_of", "items", "known", "link_of", "mapping", "text_of"]

_FUNCTION = Function.model_fields


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule broken at a path of the data."""

    path: Path
    value: Any
    rule: str


def mapping(value: Any) -> dict[str, Any]:
    """Its text keys with their values; empty for what is no mapping."""
    return {key: each for key, each in value.items() if isinstance(key, str)} if isinstance(value, dict) else {}


def text_of(value: Any) -> str | None:
    """The value where it is text, else None: lists and mappings would break sets, and the models report them."""
    return value if isinstance(value, str) else None


def items(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """Place and mapping of each entry of a list that is one."""
    entries = value if isinstance(value, list) else []
    return [(index, each) for index, each in enumerate(entries) if isinstance(each, dict)]


def duration_s_of(value: Any) -> float | None:
    """Seconds of a duration; None for what is none."""
    try:
        return parse_duration_s(value)
    except ValueError:
        return None


def link_of(value: Any) -> tuple[str, str] | None:
    """Caller and callee of a link such as `web -> bank`; None for what is none."""
    if not isinstance(value, str) or value.count("->") != 1:
        return None
    caller, callee = value.split("->")
    return caller.strip(), callee.strip()


def known(*groups: Any) -> str:
    """The names of groups, for the end of a rule."""
    return ", ".join(str(name) for group in groups for name in group) or "(there is none)"


def _steps_of(function: dict[str, Any]) -> list[str | None]:
    """The names on a function's path; none where it is no list."""
    path = function.get("path")
    return [text_of(step) for step in path] if isinstance(path, list) else []


def _cohorts_told(function: Any) -> bool:
    """Whether a function has cohorts or none; they may stand under a key that is misspelt."""
    if not isinstance(function, dict) or not isinstance(function.get("cohorts", {}), dict):
        return False
    return "cohorts" in function or {*function} <= {each.alias or name for name, each in _FUNCTION.items()}


class Anything(set[Any]):
    """In place of names that cannot be told, since who should tell them is wrong: any may be among them."""

    def __contains__(self, name: object) -> bool:
        return True


class Data:
    """Tolerant views of the plain data."""

    def __init__(self, data: Any) -> None:
        top = mapping(data)
        self.top = top
        system = mapping(top.get("system"))
        self.services = mapping(system.get("services"))
        self.stores = mapping(system.get("stores"))
        self.calls = items(system.get("calls"))
        self.functions = {name: mapping(each) for name, each in mapping(top.get("functions")).items()}
        self.release = mapping(top.get("release"))
        self.faults = items(top.get("faults"))
        self.expect = mapping(top.get("expect"))
        self.published = mapping(top.get("published"))
        self.duration_s = duration_s_of(top.get("duration"))

    @cached_property
    def links(self) -> set[tuple[str, str]]:
        """Caller and callee of every call; anything where one of them is no call between what there is."""
        calls = mapping(self.top.get("system")).get("calls", [])
        ends = [(text_of(call.get("from")), text_of(call.get("to"))) for _, call in self.calls]
        links = {
            (caller, callee)
            for caller, callee in ends
            if caller in self.services and (callee in self.services or callee in self.stores)
            if caller is not None and callee is not None
        }
        broken = not isinstance(calls, list) or len(self.calls) < len(calls) or not links >= {*ends}
        return Anything() if broken else links

    @cached_property
    def callees(self) -> dict[str, list[str]]:
        """Caller -> those that it calls, in file order."""
        callees: dict[str, list[str]] = {}
        for _, call in self.calls:
            caller, callee = text_of(call.get("from")), text_of(call.get("to"))
            if caller is not None and callee is not None:
                callees.setdefault(caller, []).append(callee)
        return callees

    @cached_property
    def reached(self) -> set[str]:
        """Services and stores that requests come to: the paths, and all below the last service of each.

        Anything where one of the paths, or a call, is wrong.
        """
        if not self._paths_lead_on:
            return Anything()
        return {name for function in self.functions for name in self.reached_by(function)}

    def reached_by(self, function: str) -> set[str]:
        """Services and stores that requests of a function come to."""
        path = self.functions[function].get("path")
        steps = [step for step in path if isinstance(step, str)] if isinstance(path, list) else []
        reached, below = set(steps), steps[-1:]
        while below:
            callees = self.callees.get(below.pop(), [])
            below += [callee for callee in callees if callee not in reached]
            reached.update(callees)
        return reached

    @cached_property
    def _paths_lead_on(self) -> bool:
        """Whether it is known whom the functions reach."""
        if isinstance(self.links, Anything):
            return False
        for steps in map(_steps_of, self.functions.values()):
            if not steps or not {*steps} <= {*self.services} or not {*pairwise(steps)} <= self.links:
                return False
        return True

    @cached_property
    def entries(self) -> set[Any]:
        """The first services of the functions' paths; anything where one of them is none, or does not call the next."""
        first: set[Any] = set()
        for steps in map(_steps_of, self.functions.values()):
            calls = [pair for pair in pairwise(steps[:2]) if pair[1] in self.services]
            if not steps or steps[0] not in self.services or any(pair not in self.links for pair in calls):
                return Anything()
            first.add(steps[0])
        return first

    @cached_property
    def changed(self) -> set[Any]:
        """Services that the release changes; anything where one of them cannot be."""
        written = self.release.get("changes", [])
        changes = items(written)
        services = {text_of(change.get("service")) for _, change in changes}
        broken = (
            not changes
            or len(changes) < len(written)
            or any(each not in self.services or self.external(each) for each in services)
        )
        return Anything() if broken else services

    @property
    def changes_and_calls_told(self) -> bool:
        """Whether it is known what the release changes, and who calls whom."""
        return not isinstance(self.changed, Anything) and not isinstance(self.links, Anything)

    @cached_property
    def cohorts(self) -> set[str]:
        """Cohorts of any function, the default one too; anything where those of one cannot be told."""
        functions = mapping(self.top.get("functions")).values()
        if not all(_cohorts_told(each) for each in functions):
            return Anything()
        return {cohort for each in self.functions.values() for cohort in mapping(each.get("cohorts"))} | {
            DEFAULT_COHORT
        }

    def external(self, service: Any) -> bool:
        """Whether it names a third party."""
        return isinstance(service, str) and mapping(self.services.get(service)).get("external") is True
