"""Sizes and throughputs; what is wrong with stores, migrations and repairs, and how it is told."""

from typing import Any

import pytest

from chaos.realise import NotRealisable, require_realisable
from scenarios.catalogue import library_file
from scenarios.loading import load, load_text
from scenarios.quantities import parse_size_bytes, parse_throughput_bytes_per_s
from tests.unit.scenario_texts import VALID, changed, problems

STORE = "orders: {connections: 10, service_time: {uniform: {low: 1ms, high: 3ms}}}"
RELEASE = "  strategy: {canary"
FAULT = "cut: {on: client -> edge}"
DEFECT = "lost_writes: 5%"


@pytest.mark.parametrize(("text", "size"), [("12GB", 12e9), ("1.5 TB", 1.5e12), ("3kB", 3e3), ("7MB", 7e6)])
def test_sizes(text: str, size: float) -> None:
    assert parse_size_bytes(text) == size
    assert parse_throughput_bytes_per_s(f"{text}/s") == size


@pytest.mark.parametrize("value", ["", "12", "12gb", "12GiB", "0GB", "GB", "12GB/s", 12, None, True])
def test_no_sizes(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^must be "):
        parse_size_bytes(value)


@pytest.mark.parametrize("value", ["200MB", "200/s", "200MB/m", "0MB/s", 200, None])
def test_no_throughputs(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^must be "):
        parse_throughput_bytes_per_s(value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (STORE, "lag: 1s", "lag needs standbys above 0"),
        (STORE, "failover: {detect: 1s, promote: 1s}", "failover needs standbys above 0"),
        (STORE, "standbys: 1, failover: {promote: 1s, by: on-call}", "by needs detect"),
        (STORE, "replication: sync", "replication sync needs standbys above 0"),
        (STORE, "standbys: 1, replication: sync, lag: 1s", "lag must not be there with replication sync"),
        (STORE, "backup: {every: 1h, restore: 1MB/s}", "backup needs size"),
        (STORE, "archive_every: 5s", "archive_every needs backup"),
        (STORE, "size: 1GB, backup: {every: 1h, restore: 1MB/s, tested: 0%}", "backup.tested: '0%': must be above 0%"),
        (RELEASE, "migration: {store: web}", "migration.store: 'web': must be a store: orders"),
        (RELEASE, "migration: {store: orders, backfill: {takes: 1m, load: 100%}}", "load must be below 100%"),
        (RELEASE, "rollback: [reconcile]", "rollback[0]: 'reconcile': must say what it takes: release.reconcile"),
        (RELEASE, "rollback: [restore]", "rollback[0]: 'restore': must have a backup of a store"),
        (RELEASE, "rollback: [revert-migration]", "'revert-migration': must have something to revert"),
        (RELEASE, "rollback: [fail-over]", "'fail-over': must have a standby of a store"),
        (RELEASE, "reconcile: {takes: 1s}\n  repair: {steps: [reconcile]}", "must have something to repair"),
        (FAULT, "primary: {of: web}", "faults[1].primary.of: 'web': must be a store: orders"),
        (
            FAULT,
            "primary: {of: orders, destroyed: true, partitioned: true}",
            "destroyed and partitioned: must be one of them: a server without data does not run on",
        ),
        (FAULT, "lag: {of: orders, add: 1s}", "faults[1].lag.of: 'orders': must have standbys"),
        (FAULT, "standby: {of: orders}", "faults[1].standby.standbys: 1: must be at most the standbys of orders: 0"),
        (DEFECT, "bad_data: {share: 0%}", "bad_data.share: '0%': must be above 0%"),
        (DEFECT, "bad_data: {share: 5%, symptom_after: 5m}", "symptom_after needs errors above 0%"),
    ],
)
def test_each_rule_of_data_has_its_message(old: str, new: str, problem: str) -> None:
    text = {STORE: f"{STORE[:-1]}, {new}}}", RELEASE: f"  {new}\n{RELEASE}"}.get(old, new)
    (found,) = problems(changed(old, text))
    assert problem in found
    assert found.startswith("f.yaml:")


def test_bad_data_is_of_a_service_that_writes() -> None:
    text = changed(DEFECT, "bad_data: {share: 5%}").replace("orders, writes: 1}", "orders}")
    (found,) = problems(text)
    assert "release.defects[2].bad_data: 'bad_data': must be of a service that writes" in found


def test_a_repair_can_clean_every_store_with_bad_data() -> None:
    text = changed(DEFECT, "bad_data: {share: 5%, symptom_after: 1m, errors: 5%}")
    text = text.replace(RELEASE, f"  repair: {{steps: [restore]}}\n{RELEASE}")
    text = text.replace(STORE, STORE.replace("}}}", "}}, size: 1GB, backup: {every: 1h, restore: 1GB/s}}"))
    load_text(text, "one.yaml")
    text = text.replace("  stores:\n", "  stores:\n    notes: {service_time: 1ms}\n")
    text = text.replace("  calls:\n", "  calls:\n    - {from: web, to: notes, writes: 1}\n")
    rule = "must have a step that cleans every store with bad data: notes has no backup to restore"
    assert [f"release.repair.steps: ['restore']: {rule}" in problem for problem in problems(text)] == [True]
    load_text(
        text.replace("steps: [restore]", "steps: [restore, reconcile]").replace(
            RELEASE, f"  reconcile: {{takes: 1m}}\n{RELEASE}"
        ),
        "both.yaml",
    )


def test_on_call_is_there_to_fail_over() -> None:
    by_hand = f"{STORE[:-1]}, standbys: 1, failover: {{detect: 1s, promote: 1s, by: on-call}}}}"
    assert load_text(VALID.replace(STORE, by_hand), "f.yaml").system.stores["orders"].failover is not None
    lonely = VALID.replace(STORE, by_hand).replace("operations: {on_call", "operations: {}\n# {on_call")
    found = problems(lonely)
    assert any("failover.by: 'on-call': must have someone to page: operations.on_call" in each for each in found)


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("failover-async", ["orders.lag"]),
        ("untested-backup", ["projects.backup.every", "projects.backup.tested", "projects.size"]),
    ],
)
def test_a_drill_refuses_what_it_cannot_do_to_data(name: str, refused: list[str]) -> None:
    with pytest.raises(NotRealisable) as caught:
        require_realisable(load(library_file(name))[0])
    for path in refused:
        assert f"{path}:" in str(caught.value)
