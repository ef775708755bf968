"""What must hold between stores, faults on them, migrations, and what repairs data."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from scenarios.rule_views import Data, Violation, items, known, mapping, text_of
from scenarios.yaml_text import Path

__all__ = ["store_rules"]


def store_rules(view: Data) -> Iterator[Violation]:
    """Every rule of stores and data that is broken."""
    yield from _failovers(view)
    yield from _faults(view)
    yield from _migration(view)
    yield from _bad_data(view)
    yield from _steps(view)


def _failovers(view: Data) -> Iterator[Violation]:
    on_call = mapping(view.top.get("operations")).get("on_call")
    for name, store in view.stores.items():
        by = mapping(mapping(store).get("failover")).get("by")
        if by == "on-call" and on_call is None:
            at = ("system", "stores", name, "failover", "by")
            yield Violation(at, by, "must have someone to page: operations.on_call")


def _faults(view: Data) -> Iterator[Violation]:
    for index, fault in view.faults:
        for kind in ("primary", "standby", "lag"):
            effect = mapping(fault.get(kind))
            at, store = ("faults", index, kind), text_of(effect.get("of"))
            if store is None:
                continue
            if store not in view.stores:
                yield Violation((*at, "of"), store, f"must be a store: {known(view.stores)}")
                continue
            standbys = _standbys(view, store)
            if kind == "lag" and mapping(view.stores[store]).get("replication") == "sync":
                yield Violation((*at, "of"), store, "must be replicated async: a standby has what was acknowledged")
            elif kind == "lag" and standbys == 0:
                yield Violation((*at, "of"), store, "must have standbys, which can be behind")
            wanted = effect.get("standbys", 1)
            if kind == "standby" and isinstance(wanted, int) and wanted > standbys:
                yield Violation((*at, "standbys"), wanted, f"must be at most the standbys of {store}: {standbys}")


def _standbys(view: Data, store: str) -> int:
    standbys = mapping(view.stores.get(store)).get("standbys", 0)
    return standbys if isinstance(standbys, int) else 0


def _migration(view: Data) -> Iterator[Violation]:
    migration = mapping(view.release.get("migration"))
    store, at = text_of(migration.get("store")), ("release", "migration", "store")
    if store is None:
        return
    if store not in view.stores:
        yield Violation(at, store, f"must be a store: {known(view.stores)}")
    elif view.changes_and_calls_told and not any((service, store) in view.links for service in view.changed):
        yield Violation(at, store, "must be called by a service that the release changes")


def _bad_data(view: Data) -> Iterator[Violation]:
    hit: list[str] = []
    for index, defect in items(view.release.get("defects")):
        if "bad_data" not in defect:
            continue
        changes = [change.get("service") for _, change in items(view.release.get("changes"))]
        of = text_of(defect.get("of", changes[0] if changes else None))
        written = _stores_written(view, {of})
        if of in view.services and not written and view.changes_and_calls_told:
            at: Path = ("release", "defects", index, "bad_data")
            yield Violation(at, "bad_data", "must be of a service that writes: it has no call with writes")
        hit += written
    if "repair" not in view.release:
        return
    if not any("bad_data" in defect for _, defect in items(view.release.get("defects"))):
        yield Violation(("release", "repair"), "repair", "must have something to repair: a defect with bad_data")
    steps = mapping(view.release.get("repair")).get("steps")
    left = [store for store in dict.fromkeys(hit) if "backup" not in mapping(view.stores.get(store))]
    if left and isinstance(steps, list) and "restore" in steps and "reconcile" not in steps:
        rule = f"must have a step that cleans every store with bad data: {known(left)} has no backup to restore"
        yield Violation(("release", "repair", "steps"), steps, rule)


def _stores_written(view: Data, services: Collection[str | None]) -> list[str]:
    """Stores that the services write to."""
    return [
        store
        for _, call in view.calls
        if call.get("writes") not in (None, 0) and text_of(call.get("from")) in services
        for store in [text_of(call.get("to"))]
        if store is not None
    ]


def _steps(view: Data) -> Iterator[Violation]:
    lists: list[tuple[Path, Any]] = [(("release", "rollback"), view.release.get("rollback"))]
    lists.append((("release", "repair", "steps"), mapping(view.release.get("repair")).get("steps")))
    untold = not view.changes_and_calls_told
    rules = {
        "revert-migration": ("migration" in view.release, "must have something to revert: release.migration"),
        "reconcile": ("reconcile" in view.release, "must say what it takes: release.reconcile"),
        "restore": (
            untold or any("backup" in mapping(view.stores.get(store)) for store in _stores_written(view, view.changed)),
            "must have a backup of a store that the changed services write to",
        ),
        "fail-over": (
            untold or any(_standbys(view, store) > 0 for service, store in view.links if service in view.changed),
            "must have a standby of a store that the changed services call",
        ),
    }
    for at, steps in lists:
        for index, step in enumerate(steps if isinstance(steps, list) else []):
            holds, rule = rules.get(step, (True, "")) if isinstance(step, str) else (True, "")
            if not holds:
                yield Violation((*at, index), step, rule)
