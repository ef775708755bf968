"""What a scenario does to the data of a staging, and what of its stores a drill cannot realise."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from chaos.staging.config import STORE
from chaos.staging.postgres import OLD_ROW_BYTES
from scenarios.models import Backup, Scenario, Store

__all__ = [
    "STORE_FAULTS",
    "backs_up",
    "data_verbs_needed",
    "several_bad_data",
    "store_of",
    "touches_store",
    "unrealised_data",
    "writes_wrong",
]

# Steps of a rollback, and the verb that each needs.
_DATA_STEPS = {
    "revert-migration": "migrate", "reconcile": "reconcile", "restore": "restore", "fail-over": "fail-over",
}  # fmt: skip
STORE_FAULTS = ("primary", "standby", "lag")
_ROWS_MAX = 400_000
# A backup is taken within this before the load.
_BACKUP_AGE_MAX_S = 10.0


def touches_store(scenario: Scenario) -> bool:
    """Whether servers or schema of a store may change: then they are put back."""
    release = scenario.release
    return (
        release.migration is not None
        or any(step in _DATA_STEPS for step in release.rollback)
        or release.repair is not None
        or any(fault.kind in STORE_FAULTS for fault in scenario.faults)
    )


def writes_wrong(scenario: Scenario, defects: Collection[str]) -> bool:
    """Whether one of these defects writes rows wrong: then rows are put right at the end."""
    return any(each.bad_data is not None for each in scenario.release.defects if each.name in defects)


def store_of(scenario: Scenario) -> str:
    """The store that the verbs for data are about: a drill has one."""
    return next(iter(scenario.system.stores), STORE)


def backs_up(scenario: Scenario) -> bool:
    """Whether a backup is to be taken before the load: the store has one, and something may restore it."""
    store = scenario.system.stores.get(store_of(scenario))
    restores = any(verb == "restore" for _, verb in data_verbs_needed(scenario))
    return restores and store is not None and store.backup is not None


def data_verbs_needed(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """What needs which verb for data, by the path of the scenario."""
    release = scenario.release
    if release.migration is not None:
        yield "release.migration", "migrate"
    for index, step in enumerate(release.rollback):
        if step in _DATA_STEPS:
            yield f"release.rollback[{index}]: {step}", _DATA_STEPS[step]
    for index, step in enumerate(release.repair.steps if release.repair is not None else ()):
        yield f"release.repair.steps[{index}]: {step}", _DATA_STEPS[step]
    store = scenario.system.stores.get(store_of(scenario))
    for index, fault in enumerate(scenario.faults):
        if fault.primary is None or store is None:
            continue
        fails_over = store.noticed_after is not None
        if fails_over:
            yield f"faults[{index}].primary", "fail-over"
        standby_lost = any(each.standby is not None for each in scenario.faults)
        if fault.primary.destroyed and store.backup is not None and (standby_lost or not fails_over):
            yield f"faults[{index}].primary", "restore"


def unrealised_data(scenario: Scenario) -> Iterator[str]:
    """A drill's store has one standby at most, and one backup, taken before the load."""
    for name, store in scenario.system.stores.items():
        for path, why in [*_of_store(store), *_of_backup(store.backup, scenario.duration_s)]:
            yield f"system.stores.{name}.{path}: {why}"
    release = scenario.release
    if release.reconcile is not None and release.reconcile.leaves:
        yield "release.reconcile.leaves: what a drill reconciles is put right, or is not"
    if release.migration is not None and release.change.service != "checkout":
        yield f"release.migration: {release.change.service} writes no orders: must be a release of checkout"
    yield from several_bad_data(scenario)


def several_bad_data(scenario: Scenario) -> Iterator[str]:
    """More defects with bad data than one: a row does not tell which of them wrote it."""
    wrong = [index for index, defect in enumerate(scenario.release.defects) if defect.bad_data is not None]
    for index in wrong[1:]:
        yield f"release.defects[{index}].bad_data: must be the only one: nobody could tell whose rows hurt"


def _of_store(store: Store) -> Iterator[tuple[str, str]]:
    if store.standbys > 1:
        yield "standbys", f"{store.standbys}: must be at most 1, which the staging has"
    if store.lag is not None:
        yield "lag", "a drill has the lag that there is; more of it is a fault: lag"
    if store.size_bytes is not None and store.size_bytes > _ROWS_MAX * OLD_ROW_BYTES:
        limit_mb = _ROWS_MAX * OLD_ROW_BYTES / 1e6
        yield "size", f"{store.size_bytes / 1e6:g} MB: must be at most {limit_mb:g} MB, as rows are really there"


def _of_backup(backup: Backup | None, duration_s: float) -> Iterator[tuple[str, str]]:
    if backup is None:
        return
    if backup.every_s < duration_s:
        yield (
            "backup.every",
            f"{backup.every_s:g} s: must be at least the drill's {duration_s:g} s: it takes one",
        )
    if backup.age_s is not None and backup.age_s > _BACKUP_AGE_MAX_S:
        yield "backup.age", f"{backup.age_s:g} s: must be at most {_BACKUP_AGE_MAX_S:g} s: it is taken before the load"
    if backup.tested < 1.0:
        yield "backup.tested", "a drill finds out whether its backup restores"
