"""What must hold between the parts of a scenario, beyond the shape of each.

The rules read the plain data, not the models, and pass over what has the wrong shape (the models report that), so
that one pass finds every error: a wrong unit in one place does not hide an unknown service in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scenarios.faults import CLIENT
from scenarios.functions import DEFAULT_COHORT
from scenarios.quantities import parse_duration_s
from scenarios.yaml_text import Path

__all__ = ["Violation", "violations"]

# Above this the samples of one run no longer fit into memory with room to spare.
_CELLS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule broken at a path of the data."""

    path: Path
    value: Any
    rule: str


def _mapping(value: Any) -> dict[str, Any]:
    return {key: each for key, each in value.items() if isinstance(key, str)} if isinstance(value, dict) else {}


def _items(value: Any) -> list[tuple[int, dict[str, Any]]]:
    entries = value if isinstance(value, list) else []
    return [(index, each) for index, each in enumerate(entries) if isinstance(each, dict)]


def _duration_s(value: Any) -> float | None:
    try:
        return parse_duration_s(value)
    except ValueError:
        return None


def _link(value: Any) -> tuple[str, str] | None:
    if not isinstance(value, str) or value.count("->") != 1:
        return None
    caller, callee = value.split("->")
    return caller.strip(), callee.strip()


class _Data:
    """Tolerant views of the plain data."""

    def __init__(self, data: Any) -> None:
        top = _mapping(data)
        self.top = top
        system = _mapping(top.get("system"))
        self.services = _mapping(system.get("services"))
        self.stores = _mapping(system.get("stores"))
        self.calls = _items(system.get("calls"))
        self.functions = {name: _mapping(each) for name, each in _mapping(top.get("functions")).items()}
        self.release = _mapping(top.get("release"))
        self.faults = _items(top.get("faults"))
        self.expect = _mapping(top.get("expect"))
        self.duration_s = _duration_s(top.get("duration"))

    @cached_property
    def links(self) -> set[tuple[Any, Any]]:
        return {(call.get("from"), call.get("to")) for _, call in self.calls}

    @cached_property
    def entries(self) -> set[Any]:
        paths = [each.get("path") for each in self.functions.values()]
        return {path[0] for path in paths if isinstance(path, list) and path and isinstance(path[0], str)}

    @cached_property
    def changed(self) -> set[Any]:
        return {change.get("service") for _, change in _items(self.release.get("changes"))}

    @cached_property
    def cohorts(self) -> set[str]:
        return {cohort for each in self.functions.values() for cohort in _mapping(each.get("cohorts"))} | {
            DEFAULT_COHORT
        }

    def external(self, service: Any) -> bool:
        return isinstance(service, str) and _mapping(self.services.get(service)).get("external") is True


def violations(data: Any) -> list[Violation]:
    """Every rule that the plain data of a scenario breaks."""
    view = _Data(data)
    return [violation for rule in _RULES for violation in rule(view)]


def _names(view: _Data) -> Iterator[Violation]:
    for store in view.stores:
        if store in view.services:
            yield Violation(("system", "stores", store), store, "must not have the name of a service")
    for kind, names in (("services", view.services), ("stores", view.stores)):
        if CLIENT in names:
            yield Violation(
                ("system", kind, CLIENT),
                CLIENT,
                f"must not be named {CLIENT}: that is the outside caller",
            )
    if "release" in view.functions:
        yield Violation(("functions", "release"), "release", "must not be named release: `expect` uses the name")


def _calls(view: _Data) -> Iterator[Violation]:
    seen: set[tuple[Any, Any]] = set()
    for index, call in view.calls:
        at = ("system", "calls", index)
        caller, callee = call.get("from"), call.get("to")
        if isinstance(caller, str) and caller not in view.services:
            yield Violation((*at, "from"), caller, f"must be a service: {_known(view.services)}")
        if isinstance(callee, str) and callee not in view.services and callee not in view.stores:
            yield Violation(
                (*at, "to"),
                callee,
                f"must be a service or a store: {_known(view.services, view.stores)}",
            )
        if isinstance(callee, str) and callee in view.services and call.get("writes") not in (None, 0):
            yield Violation((*at, "writes"), call.get("writes"), "must go to a store")
        if (caller, callee) in seen:
            yield Violation(at, f"{caller} -> {callee}", "must be there once")
        seen.add((caller, callee))


def _cycles(view: _Data) -> Iterator[Violation]:
    callees: dict[Any, list[Any]] = {}
    for _, call in view.calls:
        callees.setdefault(call.get("from"), []).append(call.get("to"))
    done: set[Any] = set()

    def visit(name: Any, above: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        if name in above:
            yield (*above[above.index(name) :], name)
        elif name not in done:
            for callee in callees.get(name, []):
                yield from visit(callee, (*above, name))
            done.add(name)

    for name in list(callees):
        for cycle in visit(name, ()):
            text = " -> ".join(str(each) for each in cycle)
            yield Violation(("system", "calls"), text, "must not go round in a circle")
            return


def _paths(view: _Data) -> Iterator[Violation]:
    for name, function in view.functions.items():
        path = function.get("path")
        steps = path if isinstance(path, list) else []
        for index, step in enumerate(steps):
            at = ("functions", name, "path", index)
            if isinstance(step, str) and step not in view.services:
                yield Violation(at, step, f"must be a service: {_known(view.services)}")
            elif index and isinstance(step, str) and (steps[index - 1], step) not in view.links:
                yield Violation(at, step, f"must be called by {steps[index - 1]}: system.calls has no such call")


def _release(view: _Data) -> Iterator[Violation]:
    at_s = _duration_s(view.release.get("at"))
    if at_s is not None and view.duration_s is not None and at_s >= view.duration_s:
        yield Violation(("release", "at"), view.release["at"], "must be before the end (duration)")
    for index, change in _items(view.release.get("changes")):
        at = ("release", "changes", index, "service")
        service = change.get("service")
        if isinstance(service, str) and service not in view.services:
            yield Violation(at, service, f"must be a service: {_known(view.services)}")
        elif view.external(service):
            yield Violation(at, service, "must not be external: a third party is not ours to release")
    yield from _defects(view)
    yield from _strategies(view)


def _defects(view: _Data) -> Iterator[Violation]:
    seen: set[Any] = set()
    for index, defect in _items(view.release.get("defects")):
        name, cohort = defect.get("name"), defect.get("cohort")
        if isinstance(name, str) and name in seen:
            yield Violation(("release", "defects", index, "name"), name, "must be there once")
        seen.add(name if isinstance(name, str) else None)
        if isinstance(cohort, str) and cohort not in view.cohorts:
            rule = f"must be a cohort of a function: {_known(sorted(view.cohorts))}"
            yield Violation(("release", "defects", index, "cohort"), cohort, rule)


def _strategies(view: _Data) -> Iterator[Violation]:
    seen = set(_mapping(view.release.get("strategy")))
    for index, strategy in _items(view.release.get("alternatives")):
        for kind in _mapping(strategy):
            if kind in seen:
                yield Violation(
                    ("release", "alternatives", index),
                    kind,
                    "must be there once, strategy included",
                )
            seen.add(kind)


def _guardrails(view: _Data) -> Iterator[Violation]:
    on_call = _mapping(view.top.get("operations")).get("on_call")
    for index, guardrail in _items(view.release.get("guardrails")):
        at = ("release", "guardrails", index)
        service, version = guardrail.get("of"), guardrail.get("version", "new")
        if isinstance(service, str) and service not in view.services:
            yield Violation((*at, "of"), service, f"must be a service: {_known(view.services)}")
        elif version in ("new", "old") and isinstance(service, str) and service not in view.changed:
            yield Violation((*at, "version"), version, f"must be any: {service} has one version in this release")
        if guardrail.get("action") == "page" and on_call is None:
            yield Violation((*at, "action"), "page", "must have someone to page: operations.on_call")


def _faults(view: _Data) -> Iterator[Violation]:
    for index, fault in view.faults:
        at_s = _duration_s(fault.get("at"))
        if at_s is not None and view.duration_s is not None and at_s >= view.duration_s:
            yield Violation(("faults", index, "at"), fault["at"], "must be before the end (duration)")
        for kind in ("latency", "cut"):
            link = _link(_mapping(fault.get(kind)).get("on"))
            if link is None or link in view.links or (link[0] == CLIENT and link[1] in view.entries):
                continue
            known = sorted(f"{caller} -> {callee}" for caller, callee in view.links if isinstance(caller, str))
            known += sorted(f"{CLIENT} -> {entry}" for entry in view.entries)
            value = f"{link[0]} -> {link[1]}"
            yield Violation(("faults", index, kind, "on"), value, f"must be a link: {_known(known)}")
        yield from _fault_on_service(view, index, "error", _mapping(fault.get("error")).get("on"))
        yield from _kill(view, index, _mapping(fault.get("kill")))


def _fault_on_service(view: _Data, index: int, kind: str, service: Any) -> Iterator[Violation]:
    if isinstance(service, str) and service not in view.services:
        yield Violation(("faults", index, kind), service, f"must be a service: {_known(view.services)}")


def _kill(view: _Data, index: int, kill: dict[str, Any]) -> Iterator[Violation]:
    service = kill.get("of")
    yield from _fault_on_service(view, index, "kill", service)
    if view.external(service):
        yield Violation(
            ("faults", index, "kill", "of"),
            service,
            "must not be external: cut the link to it instead",
        )
    if kill.get("version") in ("new", "old") and isinstance(service, str) and service not in view.changed:
        rule = f"must be any: {service} has one version in this release"
        yield Violation(("faults", index, "kill", "version"), kill["version"], rule)


def _overlaps(view: _Data) -> Iterator[Violation]:
    """Two faults of one kind on one target: the end of the first would end the second."""
    until_s: list[tuple[str, float, float]] = []
    for index, fault in view.faults:
        at_s, for_s = _duration_s(fault.get("at")), _duration_s(fault.get("for"))
        for kind in ("latency", "cut", "error", "kill"):
            effect = _mapping(fault.get(kind))
            target = effect.get("on", effect.get("of"))
            if at_s is None or for_s is None or not isinstance(target, str):
                continue
            key = f"{kind} on {target.replace(' ', '')}"
            if any(key == other and at_s < end and start < at_s + for_s for other, start, end in until_s):
                yield Violation(
                    ("faults", index),
                    key,
                    "must not overlap with another fault of its kind and target",
                )
            until_s.append((key, at_s, at_s + for_s))


def _expectations(view: _Data) -> Iterator[Violation]:
    for name in view.expect:
        if name != "release" and name not in view.functions:
            yield Violation(("expect", name), name, f"must be a function or release: {_known(view.functions)}")


def _currencies(view: _Data) -> Iterator[Violation]:
    first: str | None = None
    for name, function in view.functions.items():
        revenue = function.get("revenue")
        words = revenue.split() if isinstance(revenue, str) else []
        if len(words) == 2:
            first = first or words[1]
            if words[1] != first:
                yield Violation(
                    ("functions", name, "revenue"),
                    revenue,
                    f"must be in {first} like the others: losses add up",
                )


def _size(view: _Data) -> Iterator[Violation]:
    measure = _mapping(view.top.get("measure"))
    resolution_s = _duration_s(measure.get("resolution", "250ms"))
    window_s = _duration_s(measure.get("window", "5s"))
    if view.duration_s is None or not resolution_s:
        return
    if view.duration_s / resolution_s > _CELLS_MAX:
        rule = f"must hold at most {_CELLS_MAX} cells of measure.resolution"
        yield Violation(("duration",), view.top["duration"], rule)
    if window_s is not None and window_s > view.duration_s:
        yield Violation(("measure", "window"), measure.get("window", "5s"), "must be at most the duration")


def _known(*groups: Any) -> str:
    return ", ".join(str(name) for group in groups for name in group) or "(there is none)"


_RULES: tuple[Callable[[_Data], Iterator[Violation]], ...] = (
    _names,
    _calls,
    _cycles,
    _paths,
    _release,
    _guardrails,
    _faults,
    _overlaps,
    _expectations,
    _currencies,
    _size,
)
