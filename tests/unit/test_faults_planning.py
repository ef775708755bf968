"""Each fault on a staging in memory: what it does, what it refuses, and when it is not confirmed."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from chaos.errors import StagingError
from chaos.faults.base import PlanContext
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.feeling import Felt
from chaos.faults.registry import FAULTS
from chaos.faults.slow_start import SLOW_START
from chaos.faults.surface import ProxyState, Toxic
from chaos.safety.journal import JournalEntry
from chaos.safety.undo import undo_entry
from scenarios.faults import FaultKind
from scenarios.models import Fault
from tests.faults_memory_surface import MemoryStore, MemorySurface

CONTEXT = PlanContext("drill-1", "checkout", "2.3", "2.4")
ON = {"on": "checkout -> payments"}
# One of each kind that is a toxic, with what Toxiproxy is told.
TOXICS = [
    ({"latency": {**ON, "add": "200ms"}}, Toxic("latency", {"latency": 200, "jitter": 0})),
    (
        {"latency": {**ON, "add": "200ms", "direction": "requests", "connections": "25%"}},
        Toxic("latency", {"latency": 200, "jitter": 0}, "upstream", 0.25),
    ),
    ({"bandwidth": {**ON, "rate": "10kB/s", "direction": "requests"}}, Toxic("bandwidth", {"rate": 10}, "upstream")),
    ({"timeout": ON}, Toxic("timeout", {"timeout": 0})),
    ({"timeout": {**ON, "close_after": "2s", "connections": "50%"}}, Toxic("timeout", {"timeout": 2000}, toxicity=0.5)),
    ({"reset": {**ON, "after": "10ms"}}, Toxic("reset_peer", {"timeout": 10})),
    (
        {"slicer": {**ON, "size": "64B", "vary": "8B", "delay": "2ms"}},
        Toxic("slicer", {"average_size": 64, "size_variation": 8, "delay": 2000}),
    ),
    ({"limit_data": {**ON, "size": "20B"}}, Toxic("limit_data", {"bytes": 20})),
    ({"slow_close": {**ON, "delay": "3s"}}, Toxic("slow_close", {"delay": 3000})),
]
# One of each kind that is on processes, their start and their reach, with the call that brings it and its first rung.
PROCESSES = [
    ({"pause": {"of": "checkout", "replicas": 2}}, "pause", "continue"),
    ({"crash_loop": {"of": "payments", "every": "2s"}}, "start_agent", "end the loop"),
    ({"packets": {**ON, "delay": "20ms", "loss": "5%"}}, "start_agent", "undivert"),
    ({"slow_start": {"of": "checkout", "add": "3s"}}, "set_conditions", "take back"),
    ({"configuration": {"of": "checkout", "workers": 1}}, "set_conditions", "take back"),
    ({"quota": {"of": "payments", "rate": "5/s"}}, "set_conditions", "take back"),
    ({"delay": {"on": "edge", "add": "200ms", "share": "50%"}}, "set_delay", "clear delay"),
    ({"delay": {"on": "edge", "add": "200ms", "cohort": "coupon"}}, "set_delay", "clear delay"),
    ({"error": {"on": "edge", "share": "5%", "cohort": "coupon"}}, "set_error_share", "clear share"),
    ({"cpu": {"of": "checkout", "share": "20%"}}, "start_agent", "end throttling"),
    ({"memory": {"of": "checkout", "left": "1MB"}}, "set_limit", "lift limit"),
    ({"descriptors": {"of": "payments", "left": 3}}, "set_limit", "lift limit"),
    ({"disk": {"of": "checkout", "left": "1kB"}}, "set_limit", "give room"),
    ({"disk": {"of": "payments", "left": "1kB"}}, "set_room", "give room"),
    ({"exhaustion": {"of": "orders"}}, "start_agent", "give back"),
    ({"lock": {"of": "orders", "table": "orders"}}, "lock", "unlock"),
    ({"read_only": {"of": "orders"}}, "set_read_only", "reset setting"),
    (
        {"corrupted_migration": {"of": "orders", "table": "orders", "column": "amount"}},
        "rename_column",
        "rename back",
    ),
    ({"outage": {"of": "payments"}}, "set_enabled", "open links"),
    ({"outage": {"of": "payments", "silent": True}}, "add_toxic", "open links"),
]


def fault(**effect: Any) -> Fault:
    return Fault.model_validate({"at": "1s", "for": "5s", **effect})


def plan(surface: MemorySurface, **effect: Any) -> JournalEntry:
    one = fault(**effect)
    return FAULTS[one.kind].plan(surface, one, CONTEXT)


def apply(surface: MemorySurface, **effect: Any) -> JournalEntry:
    entry = plan(surface, **effect)
    FAULTS[entry.kind].apply(surface, entry)
    FAULTS[entry.kind].confirm(surface, entry)
    return entry


def test_the_table_has_every_kind_of_the_language() -> None:
    assert set(FAULTS) == set(get_args(FaultKind))
    assert all(name == kind.kind for name, kind in FAULTS.items())


@pytest.mark.parametrize(
    "effect",
    [
        *(effect for effect, _ in TOXICS),
        {"cut": {"on": "edge -> checkout"}},
        {"error": {"on": "payments", "share": "50%"}},
        {"kill": {"of": "checkout", "version": "old", "replicas": 2}},
        *(effect for effect, _, _ in PROCESSES),
    ],
)
def test_a_plan_changes_nothing_and_its_entry_is_json(effect: dict[str, Any]) -> None:
    surface = MemorySurface()
    entry = plan(surface, **effect)
    assert surface.world == surface.start
    assert surface.calls == []
    assert json.loads(json.dumps(entry.undo)) == entry.undo


def test_latency_is_add_plus_a_uniform_draw_up_to_jitter() -> None:
    surface = MemorySurface()
    apply(surface, latency={"on": "checkout -> payments", "add": "200ms", "jitter": "50ms"})
    (toxic,) = surface.world.proxies["checkout--payments"].toxics.values()
    assert toxic == Toxic("latency", {"latency": 225, "jitter": 25})


@pytest.mark.parametrize(("effect", "toxic"), TOXICS)
def test_what_toxiproxy_is_told_and_its_undo(effect: dict[str, Any], toxic: Toxic) -> None:
    surface = MemorySurface()
    entry = apply(surface, **effect)
    assert list(surface.world.proxies["checkout--payments"].toxics.values()) == [toxic]
    assert undo_entry(surface, entry).rung == "remove toxic"
    assert surface.world == surface.start


@pytest.mark.parametrize("effect", [effect for effect, _ in TOXICS])
def test_a_toxic_that_toxiproxy_has_and_no_connection_feels_is_not_confirmed(
    effect: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    surface = MemorySurface()
    entry = plan(surface, **effect)
    healthy = Felt(4000, 97, 0.0005, "closed", 0.0005)
    monkeypatch.setattr(surface, "feel", lambda proxy, patience_s, close: healthy)
    FAULTS[entry.kind].apply(surface, entry)
    with pytest.raises(FaultNotConfirmed, match=r"not felt on any of \d+ connections; on the last: an answer after"):
        FAULTS[entry.kind].confirm(surface, entry)


@pytest.mark.parametrize(("effect", "method", "rung"), PROCESSES)
def test_its_undo(effect: dict[str, Any], method: str, rung: str) -> None:
    surface = MemorySurface()
    entry = apply(surface, **effect)
    assert method in surface.calls
    assert surface.world != surface.start
    assert undo_entry(surface, entry).rung == rung
    assert surface.world == surface.start


def test_a_second_one_of_its_kind_is_refused() -> None:
    surface = MemorySurface()
    again = ("slow_start", "quota", "outage", "lock", "read_only")
    for effect in (effect for effect, _, _ in PROCESSES[:-1] if next(iter(effect)) in again):
        apply(surface, **effect)
        with pytest.raises(FaultRefused, match="cannot overlap"):
            plan(surface, **effect)


def test_a_paused_replica_is_not_paused_again() -> None:
    surface = MemorySurface()
    apply(surface, pause={"of": "checkout", "replicas": 3})
    with pytest.raises(FaultRefused, match=r"replicas\(=2\) must be at most 1, those that do not stand still"):
        plan(surface, pause={"of": "checkout", "replicas": 2})


def test_a_slow_start_that_nobody_met_says_so() -> None:
    surface = MemorySurface()
    entry = apply(surface, slow_start={"of": "checkout", "add": "3s"})
    unmet = SLOW_START.unmet(surface, entry)
    assert unmet == "no replica of checkout started while it was in force: nothing is proven by it"
    surface.deploy("checkout", "2.4", 5)
    assert SLOW_START.unmet(surface, entry) is None


def test_a_quota_is_shared_by_the_replicas() -> None:
    surface = MemorySurface()
    apply(surface, quota={"of": "payments", "rate": "5/s"})
    assert surface.conditions("payments") == {"quota_per_s": 2.5}


def test_a_quota_that_no_replica_meets_is_none() -> None:
    surface = MemorySurface()
    surface.limits_hold = False
    with pytest.raises(FaultNotConfirmed, match=r"process \d+ met None of 3 requests at once, must be 429"):
        apply(surface, quota={"of": "payments", "rate": "5/s"})


def test_two_latencies_stand_on_one_link_and_each_undo_takes_its_own() -> None:
    surface = MemorySurface()
    first = apply(surface, latency={"on": "checkout -> payments", "add": "100ms"})
    apply(surface, latency={"on": "checkout -> payments", "add": "300ms"})
    assert undo_entry(surface, first).rung == "remove toxic"
    (left,) = surface.world.proxies["checkout--payments"].toxics.values()
    assert left.attributes["latency"] == 300


@pytest.mark.parametrize(
    ("effect", "reason"),
    [
        ({"latency": {"on": "checkout -> payments", "add": "100us"}}, "at least 1 ms"),
        ({"latency": {"on": "checkout -> moon", "add": "1s"}}, "checkout -> moon"),
        ({"latency": {**ON, "add": "1s", "connections": "0.5%"}}, r"connections\(=0.005\) must be at least 0.01"),
        ({"bandwidth": {**ON, "rate": "400B/s"}}, r"rate_bytes_per_s\(=400\) must be at least 1000"),
        ({"timeout": {**ON, "close_after": "100us"}}, "at least 1 ms"),
        ({"lock": {"of": "moon", "table": "orders"}}, r"store\(=moon\) must be orders"),
        ({"lock": {"of": "orders", "table": "moon"}}, r"table\(=moon\) must be one of the store's"),
        (
            {"corrupted_migration": {"of": "orders", "table": "orders", "column": "moon"}},
            r"column\(=moon\) must be one of orders's: amount, id",
        ),
        ({"cpu": {"of": "checkout", "share": "1%"}}, r"share\(=0.01\) must be in 0.05..0.95"),
        ({"delay": {"on": "edge", "add": "1s", "cohort": "moon"}}, r"cohort\(=moon\) must be among coupon"),
        ({"memory": {"of": "moon", "left": "1MB"}}, "moon"),
        ({"disk": {"of": "moon", "left": "1MB"}}, "moon"),
        ({"disk": {"of": "payments", "left": "2GB"}}, r"must be below the size of its disk, 1073741824"),
        ({"exhaustion": {"of": "orders", "left": 100}}, r"left\(=100\) must be below 100"),
        ({"slow_close": {**ON, "delay": "100us"}}, "at least 1 ms"),
        ({"slicer": {**ON, "size": "8B", "vary": "8B"}}, r"size_bytes\(=8\) must be above vary_bytes\(=8\)"),
        ({"cut": {"on": "payments -> edge"}}, "payments -> edge"),
        ({"error": {"on": "moon", "share": "5%"}}, "moon"),
        ({"error": {"on": "payments", "share": "0.001%"}}, "at least 0.0001"),
        ({"kill": {"of": "moon"}}, "moon"),
        ({"kill": {"of": "checkout", "replicas": 5}}, r"replicas\(=5\) must be at most 4"),
        ({"kill": {"of": "checkout", "version": "new"}}, r"must be at most 0"),
        ({"kill": {"of": "payments", "version": "old"}}, r"version\(=old\) must be any"),
    ],
)
def test_what_cannot_be_applied_is_refused_untouched(effect: dict[str, Any], reason: str) -> None:
    surface = MemorySurface()
    with pytest.raises(FaultRefused, match=reason):
        plan(surface, **effect)
    assert surface.calls == []


def test_a_second_fault_where_undoing_would_mix_them_up_is_refused() -> None:
    surface = MemorySurface()
    apply(surface, cut={"on": "checkout -> payments"})
    apply(surface, error={"on": "edge", "share": "5%"})
    for effect in (
        {"cut": {"on": "checkout -> payments"}},
        {"latency": {"on": "checkout -> payments", "add": "1s"}},
        {"error": {"on": "edge", "share": "5%"}},
    ):
        with pytest.raises(FaultRefused, match="cannot overlap"):
            plan(surface, **effect)


def test_a_kill_of_any_version_takes_from_the_one_with_most_replicas() -> None:
    surface = MemorySurface()
    surface.deploy("checkout", "2.4", 3)
    apply(surface, kill={"of": "checkout", "replicas": 3})
    assert surface.ready("checkout") == {"2.3": 2, "2.4": 2}


def test_a_killed_version_that_was_retired_meanwhile_does_not_come_back() -> None:
    surface = MemorySurface()
    surface.deploy("checkout", "2.4", 2)
    entry = apply(surface, kill={"of": "checkout", "version": "new"})
    surface.deploy("checkout", "2.4", 0)
    assert undo_entry(surface, entry).rung == "nothing was left"
    assert surface.ready("checkout") == {"2.3": 4}


@pytest.mark.parametrize(
    ("effect", "method"),
    [
        *((effect, "add_toxic") for effect, _ in TOXICS),
        ({"cut": {"on": "edge -> checkout"}}, "set_enabled"),
        ({"error": {"on": "payments", "share": "50%"}}, "set_error_share"),
        ({"kill": {"of": "checkout", "version": "old"}}, "kill"),
        *((effect, method) for effect, method, _ in PROCESSES),
    ],
)
def test_a_fault_that_did_not_take_is_not_confirmed(
    effect: dict[str, Any], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    surface = MemorySurface()
    entry = plan(surface, **effect)
    of = surface if hasattr(surface, method) else MemoryStore
    monkeypatch.setattr(of, method, lambda *arguments: None)
    FAULTS[entry.kind].apply(surface, entry)
    with pytest.raises(FaultNotConfirmed, match="must"):
        FAULTS[entry.kind].confirm(surface, entry)


def test_an_error_share_that_no_question_meets_is_not_confirmed() -> None:
    surface = MemorySurface()
    entry = plan(surface, error={"on": "edge", "share": "5%"})
    FAULTS["error"].apply(surface, entry)
    surface.errors_miss = True
    with pytest.raises(FaultNotConfirmed, match=r"must be felt, was not on any of 270 requests: an answer 404 after"):
        FAULTS["error"].confirm(surface, entry)


@pytest.mark.parametrize("effect", [effect for effect, method, _ in PROCESSES if method in ("set_limit", "set_room")])
def test_a_limit_that_the_kernel_has_and_no_process_meets_is_not_confirmed(effect: dict[str, Any]) -> None:
    surface = MemorySurface()
    entry = plan(surface, **effect)
    FAULTS[entry.kind].apply(surface, entry)
    surface.limits_hold = False
    with pytest.raises(FaultNotConfirmed, match=r"process \d+ (got more than \d+|wrote \d+ more), must not"):
        FAULTS[entry.kind].confirm(surface, entry)


def test_the_ladder_goes_up_when_toxiproxy_itself_is_gone() -> None:
    surface = MemorySurface()
    entry = apply(surface, latency={"on": "checkout -> payments", "add": "200ms"})
    surface.world.toxiproxy_runs = False
    surface.world.proxies = {}
    result = undo_entry(surface, entry)
    assert result.rung == "restart Toxiproxy"
    assert any("connection refused" in failure for failure in result.failures)
    assert surface.world == surface.start


def test_a_recreated_proxy_keeps_its_addresses() -> None:
    surface = MemorySurface()
    entry = apply(surface, cut={"on": "edge -> checkout"})
    before = surface.start.proxies["edge--checkout"]
    surface.refuses = {"set_enabled"}
    assert undo_entry(surface, entry).rung == "recreate proxy"
    assert surface.proxy("edge--checkout") == ProxyState(before.listen, before.upstream, True)


def test_an_unknown_kind_is_left_unclean_and_says_so() -> None:
    entry = JournalEntry("1", "memory", "drill-1", "meteor", "moon", {})
    result = undo_entry(MemorySurface(), entry)
    assert result.rung is None
    assert "no undo is known for kind 'meteor'" in str(result)


def test_a_rung_that_hangs_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    from chaos.faults import latency
    from chaos.faults.base import Rung

    surface = MemorySurface()
    entry = apply(surface, latency={"on": "checkout -> payments", "add": "200ms"})
    never = Event()
    hanging = Rung("hangs", lambda surface, entry: never.wait(30) and None, 0.1)
    rungs = (hanging, *latency.LATENCY.rungs)
    monkeypatch.setattr(latency.LatencyFault, "rungs", property(lambda self: rungs))
    result = undo_entry(surface, entry)
    never.set()
    assert result.rung == "remove toxic"
    assert "did not end within 0.1 s" in result.failures[0]


def test_staging_errors_in_reading_back_count_as_left(monkeypatch: pytest.MonkeyPatch) -> None:
    surface = MemorySurface()
    entry = apply(surface, error={"on": "edge", "share": "5%"})

    def broken(service: str, cohort: str | None) -> float:
        raise StagingError("no answer")

    monkeypatch.setattr(surface, "error_share", broken)
    result = undo_entry(surface, entry)
    assert result.rung is None
    assert result.residue == "state cannot be read: StagingError: no answer"
