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
from scenarios.quantities import parse_duration_s, parse_money
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


def _text(value: Any) -> str | None:
    """The value where it is text, else None: lists and mappings would break sets, and the models report them."""
    return value if isinstance(value, str) else None


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
        self.published = _mapping(top.get("published"))
        self.duration_s = _duration_s(top.get("duration"))

    @cached_property
    def links(self) -> set[tuple[str, str]]:
        ends = [(_text(call.get("from")), _text(call.get("to"))) for _, call in self.calls]
        return {(caller, callee) for caller, callee in ends if caller is not None and callee is not None}

    @cached_property
    def callees(self) -> dict[str, list[str]]:
        """Caller -> those that it calls, in file order."""
        callees: dict[str, list[str]] = {}
        for _, call in self.calls:
            caller, callee = _text(call.get("from")), _text(call.get("to"))
            if caller is not None and callee is not None:
                callees.setdefault(caller, []).append(callee)
        return callees

    @cached_property
    def reached(self) -> set[str]:
        """Services and stores that requests come to: the paths, and all below the last service of each."""
        reached: set[str] = set()
        for function in self.functions.values():
            path = function.get("path")
            steps = [step for step in path if isinstance(step, str)] if isinstance(path, list) else []
            reached.update(steps)
            below = steps[-1:]
            while below:
                callees = self.callees.get(below.pop(), [])
                below += [callee for callee in callees if callee not in reached]
                reached.update(callees)
        return reached

    @cached_property
    def entries(self) -> set[Any]:
        paths = [each.get("path") for each in self.functions.values()]
        return {path[0] for path in paths if isinstance(path, list) and path and isinstance(path[0], str)}

    @cached_property
    def changed(self) -> set[str | None]:
        return {_text(change.get("service")) for _, change in _items(self.release.get("changes"))}

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
    seen: set[tuple[str | None, str | None]] = set()
    for index, call in view.calls:
        at = ("system", "calls", index)
        caller, callee = _text(call.get("from")), _text(call.get("to"))
        if caller is not None and caller not in view.services:
            yield Violation((*at, "from"), caller, f"must be a service: {_known(view.services)}")
        if callee is not None and callee not in view.services and callee not in view.stores:
            yield Violation(
                (*at, "to"),
                callee,
                f"must be a service or a store: {_known(view.services, view.stores)}",
            )
        if callee in view.services and call.get("writes") not in (None, 0):
            yield Violation((*at, "writes"), call.get("writes"), "must go to a store")
        if caller is not None and callee is not None and (caller, callee) in seen:
            yield Violation(at, f"{caller} -> {callee}", "must be there once")
        seen.add((caller, callee))


def _cycles(view: _Data) -> Iterator[Violation]:
    # A walk with a stack of its own: a chain of thousands of services must not end in Python's recursion limit.
    done: set[str] = set()
    for first in view.callees:
        way: dict[str, Iterator[str]] = {} if first in done else {first: iter(view.callees[first])}
        while way:
            name, callees = next(reversed(way.items()))
            callee = next(callees, None)
            if callee is None:
                del way[name]
                done.add(name)
            elif callee in way:
                names = list(way)
                cycle = " -> ".join([*names[names.index(callee) :], callee])
                yield Violation(("system", "calls"), cycle, "must not go round in a circle")
                return
            elif callee not in done:
                way[callee] = iter(view.callees.get(callee, []))


def _paths(view: _Data) -> Iterator[Violation]:
    for name, function in view.functions.items():
        path = function.get("path")
        steps = [_text(step) for step in path] if isinstance(path, list) else []
        for index, step in enumerate(steps):
            at = ("functions", name, "path", index)
            if step is not None and step not in view.services:
                yield Violation(at, step, f"must be a service: {_known(view.services)}")
            elif index and step is not None and (steps[index - 1], step) not in view.links:
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
        elif isinstance(service, str) and service not in view.reached:
            yield Violation(at, service, "must be reached by a function: nobody would meet the release")
    yield from _defects(view)
    yield from _strategies(view)


def _defects(view: _Data) -> Iterator[Violation]:
    seen: set[str | None] = set()
    writers = {_text(call.get("from")) for _, call in view.calls if call.get("writes") not in (None, 0)}
    for index, defect in _items(view.release.get("defects")):
        name, cohort = _text(defect.get("name")), defect.get("cohort")
        if name is not None and name in seen:
            yield Violation(("release", "defects", index, "name"), name, "must be there once")
        seen.add(name)
        if "lost_writes" in defect and not view.changed & writers:
            at = ("release", "defects", index, "lost_writes")
            yield Violation(at, defect["lost_writes"], "must be of a service that writes: it has no call with writes")
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
        yield from _fault_on_service(view, (index, "error", "on"), _mapping(fault.get("error")).get("on"))
        yield from _kill(view, index, _mapping(fault.get("kill")))


def _fault_on_service(view: _Data, at: Path, service: Any) -> Iterator[Violation]:
    if isinstance(service, str) and service not in view.services:
        yield Violation(("faults", *at), service, f"must be a service: {_known(view.services)}")


def _kill(view: _Data, index: int, kill: dict[str, Any]) -> Iterator[Violation]:
    service = kill.get("of")
    yield from _fault_on_service(view, (index, "kill", "of"), service)
    if view.external(service):
        yield Violation(
            ("faults", index, "kill", "of"),
            service,
            "must not be external: cut the link to it instead",
        )
    if kill.get("version") in ("new", "old") and isinstance(service, str) and service not in view.changed:
        rule = f"must be any: {service} has one version in this release"
        yield Violation(("faults", index, "kill", "version"), kill["version"], rule)
    yield from _killed(view, index, kill)


def _killed(view: _Data, index: int, kill: dict[str, Any]) -> Iterator[Violation]:
    service, wanted = _text(kill.get("of")), kill.get("replicas", 1)
    # Of the service that is released there may be more or fewer at the time; the worlds check that.
    if service is None or (service in view.changed and kill.get("version") != "old"):
        return
    there = _mapping(view.services.get(service)).get("replicas", 1)
    if isinstance(wanted, int) and isinstance(there, int) and wanted > there >= 1:
        rule = f"must be at most the replicas of {service}: {there}"
        yield Violation(("faults", index, "kill", "replicas"), wanted, rule)


def _overlaps(view: _Data) -> Iterator[Violation]:
    """Two faults of one kind on one target: the end of the first would end the second, also when they only touch."""
    spans_s: list[tuple[str, float, float]] = []
    for index, fault in view.faults:
        at_s, for_s = _duration_s(fault.get("at")), _duration_s(fault.get("for"))
        for kind in ("latency", "cut", "error", "kill"):
            effect = _mapping(fault.get(kind))
            target = effect.get("on", effect.get("of"))
            if at_s is None or for_s is None or not isinstance(target, str):
                continue
            key = f"{kind} on {' '.join(target.replace('->', ' -> ').split())}"
            if any(key == other and at_s <= end and start <= at_s + for_s for other, start, end in spans_s):
                rule = "must not overlap with or touch another fault of its kind and target"
                yield Violation(("faults", index), key, rule)
            spans_s.append((key, at_s, at_s + for_s))


def _expectations(view: _Data) -> Iterator[Violation]:
    for name in view.expect:
        if name != "release" and name not in view.functions:
            yield Violation(("expect", name), name, f"must be a function or release: {_known(view.functions)}")
    caught = _mapping(view.expect.get("release")).get("caught")
    if caught is not None and not view.release.get("defects"):
        yield Violation(("expect", "release", "caught"), caught, "must have something to catch: release.defects")


def _published(view: _Data) -> Iterator[Violation]:
    for name in view.published:
        if name not in view.functions:
            yield Violation(("published", name), name, f"must be a function: {_known(view.functions)}")


def _currencies(view: _Data) -> Iterator[Violation]:
    first: str | None = None
    for name, function in view.functions.items():
        currency = _currency(function.get("revenue"))
        first = first or currency
        if currency is not None and currency != first:
            rule = f"must be in {first} like the others: losses add up"
            yield Violation(("functions", name, "revenue"), function["revenue"], rule)


def _currency(value: Any) -> str | None:
    try:
        return parse_money(value).currency
    except ValueError:
        return None


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
    _published,
    _currencies,
    _size,
)
