"""What must hold between the parts of a scenario, beyond the shape of each.

The rules read the plain data, not the models, and pass over what has the wrong shape (the models report that), so
that one pass finds every error: a wrong unit in one place does not hide an unknown service in another. What would only
follow from another error is not told: whom a function reaches is not known while its path is wrong (see `Anything`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from scenarios.faults import CLIENT
from scenarios.quantities import parse_money
from scenarios.rule_views import Data, Violation, duration_s_of, items, known, mapping, text_of
from scenarios.rules_clock import clock_rules
from scenarios.rules_data import store_rules
from scenarios.rules_faults import fault_rules
from scenarios.rules_fleets import fleet_rules
from scenarios.rules_guardrails import guardrail_names
from scenarios.rules_meant import meant_rules
from scenarios.rules_mechanics import mechanics_rules
from scenarios.rules_people import people_rules
from scenarios.rules_rollback import rollback_rules
from scenarios.rules_strategies import strategy_rules
from scenarios.warmup import warmup_rules

__all__ = ["Violation", "violations"]

# Above this the samples of one run no longer fit into memory with room to spare.
_CELLS_MAX = 1_000_000


def violations(data: Any) -> list[Violation]:
    """Every rule that the plain data of a scenario breaks."""
    view = Data(data)
    return [violation for rule in _RULES for violation in rule(view)]


def _names(view: Data) -> Iterator[Violation]:
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


def _calls(view: Data) -> Iterator[Violation]:
    seen: set[tuple[str | None, str | None]] = set()
    for index, call in view.calls:
        at = ("system", "calls", index)
        caller, callee = text_of(call.get("from")), text_of(call.get("to"))
        if caller is not None and caller not in view.services:
            yield Violation((*at, "from"), caller, f"must be a service: {known(view.services)}")
        if callee is not None and callee not in view.services and callee not in view.stores:
            yield Violation(
                (*at, "to"),
                callee,
                f"must be a service or a store: {known(view.services, view.stores)}",
            )
        if callee in view.services and call.get("writes") not in (None, 0):
            yield Violation((*at, "writes"), call.get("writes"), "must go to a store")
        if caller is not None and callee is not None and (caller, callee) in seen:
            yield Violation(at, f"{caller} -> {callee}", "must be there once")
        seen.add((caller, callee))


def _cycles(view: Data) -> Iterator[Violation]:
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


def _paths(view: Data) -> Iterator[Violation]:
    for name, function in view.functions.items():
        path = function.get("path")
        steps = [text_of(step) for step in path] if isinstance(path, list) else []
        for index, (before, step) in enumerate(pairwise([None, *steps])):
            at = ("functions", name, "path", index)
            if step is not None and step not in view.services:
                yield Violation(at, step, f"must be a service: {known(view.services)}")
            elif step is not None and before in view.services and (before, step) not in view.links:
                yield Violation(at, step, f"must be called by {before}: system.calls has no such call")


def _release(view: Data) -> Iterator[Violation]:
    at_s = duration_s_of(view.release.get("at"))
    if at_s is not None and view.duration_s is not None and at_s >= view.duration_s:
        yield Violation(("release", "at"), view.release["at"], "must be before the end (duration)")
    seen: set[str] = set()
    for index, change in items(view.release.get("changes")):
        at = ("release", "changes", index, "service")
        service = change.get("service")
        if isinstance(service, str) and service in seen:
            yield Violation(at, service, "must be there once: a release takes a service to one version")
        seen |= {service} if isinstance(service, str) else set()
        if isinstance(service, str) and service not in view.services:
            yield Violation(at, service, f"must be a service: {known(view.services)}")
        elif view.external(service):
            yield Violation(at, service, "must not be external: a third party is not ours to release")
        elif isinstance(service, str) and service not in view.reached:
            yield Violation(at, service, "must be reached by a function: nobody would meet the release")
    yield from _defects(view)
    yield from _strategies(view)


def _defects(view: Data) -> Iterator[Violation]:
    seen: set[str | None] = set()
    changes = items(view.release.get("changes"))
    first = changes[0][1].get("service") if changes else None
    writers = {text_of(call.get("from")) for _, call in view.calls if call.get("writes") not in (None, 0)}
    for index, defect in items(view.release.get("defects")):
        name, cohort = text_of(defect.get("name")), defect.get("cohort")
        if name is not None and name in seen:
            yield Violation(("release", "defects", index, "name"), name, "must be there once")
        seen.add(name)
        of = defect.get("of", first)
        if isinstance(of, str) and of not in view.changed:
            rule = f"must be a service that the release changes: {known(sorted(filter(None, view.changed)))}"
            yield Violation(("release", "defects", index, "of"), of, rule)
        elif "lost_writes" in defect and isinstance(of, str) and view.changes_and_calls_told and of not in writers:
            at = ("release", "defects", index, "lost_writes")
            yield Violation(at, defect["lost_writes"], "must be of a service that writes: it has no call with writes")
        if isinstance(cohort, str) and cohort not in view.cohorts:
            rule = f"must be a cohort of a function: {known(sorted(view.cohorts))}"
            yield Violation(("release", "defects", index, "cohort"), cohort, rule)


def _strategies(view: Data) -> Iterator[Violation]:
    seen = set(mapping(view.release.get("strategy")))
    for index, strategy in items(view.release.get("alternatives")):
        for kind in mapping(strategy):
            if kind in seen:
                yield Violation(
                    ("release", "alternatives", index),
                    kind,
                    "must be there once, strategy included",
                )
            seen.add(kind)


def _guardrails(view: Data) -> Iterator[Violation]:
    on_call = mapping(view.top.get("operations")).get("on_call")
    for index, guardrail in items(view.release.get("guardrails")):
        at = ("release", "guardrails", index)
        service, version = guardrail.get("of"), guardrail.get("version", "new")
        if isinstance(service, str) and service not in view.services:
            yield Violation((*at, "of"), service, f"must be a service: {known(view.services)}")
        elif version in ("new", "old") and isinstance(service, str) and service not in view.changed:
            yield Violation((*at, "version"), version, f"must be any: {service} has one version in this release")
        if guardrail.get("action") == "page" and on_call is None:
            yield Violation((*at, "action"), "page", "must have someone to page: operations.on_call")


def _expectations(view: Data) -> Iterator[Violation]:
    for name in view.expect:
        if name != "release" and name not in view.functions:
            yield Violation(("expect", name), name, f"must be a function or release: {known(view.functions)}")
    caught = mapping(view.expect.get("release")).get("caught")
    if caught is not None and not view.release.get("defects"):
        yield Violation(("expect", "release", "caught"), caught, "must have something to catch: release.defects")


def _published(view: Data) -> Iterator[Violation]:
    for name in view.published:
        if name not in view.functions:
            yield Violation(("published", name), name, f"must be a function: {known(view.functions)}")


def _currencies(view: Data) -> Iterator[Violation]:
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


def _size(view: Data) -> Iterator[Violation]:
    measure = mapping(view.top.get("measure"))
    resolution_s = duration_s_of(measure.get("resolution", "250ms"))
    window_s = duration_s_of(measure.get("window", "5s"))
    if view.duration_s is None or not resolution_s:
        return
    if view.duration_s / resolution_s > _CELLS_MAX + 0.5:  # a million cells of 0.7 s may divide to a hair above it
        rule = f"must hold at most {_CELLS_MAX} cells of measure.resolution"
        yield Violation(("duration",), view.top["duration"], rule)
    if window_s is not None and window_s > view.duration_s:
        yield Violation(("measure", "window"), measure.get("window", "5s"), "must be at most the duration")


_RULES: tuple[Callable[[Data], Iterator[Violation]], ...] = (
    _names,
    _calls,
    _cycles,
    _paths,
    _release,
    _guardrails,
    guardrail_names,
    fault_rules,
    warmup_rules,
    _expectations,
    _published,
    _currencies,
    _size,
    store_rules,
    mechanics_rules,
    fleet_rules,
    strategy_rules,
    clock_rules,
    people_rules,
    rollback_rules,
    meant_rules,
)
