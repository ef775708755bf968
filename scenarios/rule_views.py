"""Tolerant views of the plain data of a scenario, which the rules between its parts read.

A view passes over what has the wrong shape: the models report that, at its own place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scenarios.functions import DEFAULT_COHORT
from scenarios.quantities import parse_duration_s
from scenarios.yaml_text import Path

__all__ = ["Data", "Violation", "duration_s_of", "items", "known", "link_of", "mapping", "text_of"]


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
        """Caller and callee of every call."""
        ends = [(text_of(call.get("from")), text_of(call.get("to"))) for _, call in self.calls]
        return {(caller, callee) for caller, callee in ends if caller is not None and callee is not None}

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
        """Services and stores that requests come to: the paths, and all below the last service of each."""
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
    def entries(self) -> set[Any]:
        """The first services of the functions' paths."""
        paths = [each.get("path") for each in self.functions.values()]
        return {path[0] for path in paths if isinstance(path, list) and path and isinstance(path[0], str)}

    @cached_property
    def changed(self) -> set[str | None]:
        """Services that the release changes."""
        return {text_of(change.get("service")) for _, change in items(self.release.get("changes"))}

    @cached_property
    def cohorts(self) -> set[str]:
        """Cohorts of any function, the default one too."""
        return {cohort for each in self.functions.values() for cohort in mapping(each.get("cohorts"))} | {
            DEFAULT_COHORT
        }

    def external(self, service: Any) -> bool:
        """Whether it names a third party."""
        return isinstance(service, str) and mapping(self.services.get(service)).get("external") is True
