"""Fault plus undo restores: any faults, any order of undoing, a crash at any point, any rung refusing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.errors import StagingUnclean
from chaos.faults.base import PlanContext
from chaos.faults.errors import FaultRefused
from chaos.faults.registry import FAULTS
from chaos.safety.journal import Journal, JournalEntry
from chaos.safety.release import plan_release
from chaos.safety.undo import UNDOABLE, heal, undo_entry
from scenarios.models import Fault
from tests.faults_memory_surface import LINKS, Crash, MemorySurface

CONTEXT = PlanContext("drill", "checkout", "2.3", "2.4")
links = st.sampled_from(LINKS).map(lambda name: name.replace("--", " -> "))
ways = st.fixed_dictionaries(
    {
        "on": links,
        "direction": st.sampled_from(["answers", "requests"]),
        "connections": st.sampled_from(["100%", "40%"]),
    }
)
toxics = st.sampled_from(
    [
        {"bandwidth": {"rate": "20kB/s"}},
        {"timeout": {}},
        {"timeout": {"close_after": "1s"}},
        {"reset": {}},
        {"slicer": {"size": "100B", "delay": "1ms"}},
        {"limit_data": {"size": "50B"}},
        {"slow_close": {"delay": "100ms"}},
    ]
)
processes = st.builds(
    lambda kind, of, version, replicas: {
        kind: {"of": of, "version": version, "replicas": replicas, **({"every": "1s"} if kind == "crash_loop" else {})}
    },
    st.sampled_from(["pause", "crash_loop"]),
    st.sampled_from(["checkout", "payments"]),
    st.sampled_from(["any", "old", "new"]),
    st.integers(1, 3),
)
conditions = st.sampled_from(
    [
        {"slow_start": {"of": "checkout", "add": "3s"}},
        {"configuration": {"of": "checkout", "workers": 1, "timeout": "5ms"}},
        {"quota": {"of": "payments", "rate": "5/s"}},
        {"outage": {"of": "payments"}},
        {"delay": {"on": "checkout", "add": "100ms", "share": "30%"}},
        {"delay": {"on": "payments", "add": "1s", "cohort": "coupon"}},
        {"error": {"on": "edge", "share": "30%", "cohort": "coupon"}},
        {"cpu": {"of": "checkout", "share": "20%"}},
        {"packets": {"on": "checkout -> payments", "direction": "both", "loss": "10%", "corrupt": "5%"}},
        {"memory": {"of": "checkout", "left": "1MB"}},
        {"descriptors": {"of": "payments"}},
        {"disk": {"of": "payments", "left": "1kB"}},
        {"disk": {"of": "checkout", "left": "1kB"}},
        {"exhaustion": {"of": "orders"}},
        {"lock": {"of": "orders", "table": "orders"}},
        {"read_only": {"of": "orders"}},
        {"corrupted_migration": {"of": "orders", "table": "orders", "column": "amount"}},
        {"outage": {"of": "payments", "silent": True}},
    ]
)
effects = st.one_of(
    processes,
    conditions,
    st.builds(lambda toxic, way: {kind: {**way, **keys} for kind, keys in toxic.items()}, toxics, ways),
    st.builds(
        lambda on, add, jitter: {"latency": {"on": on, "add": f"{add}ms", "jitter": f"{jitter}ms"}},
        links,
        st.integers(1, 5000),
        st.integers(0, 500),
    ),
    st.builds(lambda on: {"cut": {"on": on}}, links),
    st.builds(
        lambda on, share: {"error": {"on": on, "share": f"{share}%"}},
        st.sampled_from(["edge", "checkout", "payments"]),
        st.integers(1, 100),
    ),
    st.builds(
        lambda of, version, replicas: {"kill": {"of": of, "version": version, "replicas": replicas}},
        st.sampled_from(["checkout", "payments"]),
        st.sampled_from(["any", "old", "new"]),
        st.integers(1, 3),
    ),
)
faults = effects.map(lambda effect: Fault.model_validate({"at": "1s", "for": "1s", **effect}))
fault_lists = st.lists(faults, max_size=5)


@contextmanager
def state_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def inject(surface: MemorySurface, journal: Journal, fault: Fault) -> JournalEntry | None:
    """What the guard does: plan, journal, apply, confirm. None when the fault is refused."""
    kind = FAULTS[fault.kind]
    try:
        entry = kind.plan(surface, fault, CONTEXT)
    except FaultRefused:
        return None
    journal.open(entry)
    kind.apply(surface, entry)
    kind.confirm(surface, entry)
    return entry


def release(surface: MemorySurface, journal: Journal, steps: int) -> None:
    """As much of a release as `steps` says: new replicas, a defect, traffic, the old ones stopped."""
    journal.open(plan_release(surface, "checkout", "drill"))
    if steps > 0:
        surface.deploy("checkout", "2.4", 2)
    if steps > 1:
        surface.world.defects["checkout"].add("2.4: coupon-crash")
        surface.world.steering["checkout"] = {"cohort coupon routes {'2.4': 1.0}"}
        surface.route("checkout", {"2.3": 0.5, "2.4": 0.5})
    if steps > 2:
        surface.route("checkout", {"2.4": 1.0})
        surface.deploy("checkout", "2.3", 0)


@settings(max_examples=100)
@given(fault_lists, st.randoms(use_true_random=False))
def test_faults_undone_in_any_order_leave_nothing(chosen: list[Fault], order: object) -> None:
    surface = MemorySurface()
    with state_dir() as folder, Journal(folder) as journal:
        entries = [entry for fault in chosen if (entry := inject(surface, journal, fault))]
        order.shuffle(entries)  # type: ignore[attr-defined]
        for entry in entries:
            assert undo_entry(surface, entry).rung is not None
    assert surface.world == surface.start


@settings(max_examples=200)
@given(fault_lists, st.integers(0, 3), st.integers(0, 60), st.lists(st.integers(0, 12), max_size=3))
def test_a_crash_anywhere_is_healed_from_the_journal_alone(
    chosen: list[Fault], steps: int, crash_after: int, heal_crashes: list[int]
) -> None:
    """The harness dies at any half-step of a drill, then healers die too; the last one finishes."""
    surface = MemorySurface(crash_after=crash_after)
    with state_dir() as folder:
        with Journal(folder) as journal:
            try:
                release(surface, journal, steps)
                for fault in chosen:
                    inject(surface, journal, fault)
            except Crash:
                pass
        for healer_crash in heal_crashes:
            surface.crash_after = healer_crash
            with suppress(Crash):
                heal(folder, surface=surface)
        surface.crash_after = None
        assert heal(folder, surface=surface).clean
        assert surface.world == surface.start
        again = heal(folder, surface=surface)
        assert again.results == ()


@settings(max_examples=100)
@given(fault_lists, st.sets(st.sampled_from(["remove_toxic", "set_enabled", "recreate_proxy"])))
def test_rungs_that_refuse_are_climbed_past(chosen: list[Fault], refuses: set[str]) -> None:
    surface = MemorySurface()
    with state_dir() as folder:
        with Journal(folder) as journal:
            entries = [entry for fault in chosen if (entry := inject(surface, journal, fault))]
        surface.refuses = refuses
        report = heal(folder, surface=surface)
    assert report.clean
    assert len(report.results) == len(entries)
    assert surface.world == surface.start


@settings(max_examples=40)
@given(faults)
def test_what_no_rung_can_undo_stays_open_and_is_not_called_clean(fault: Fault) -> None:
    surface = MemorySurface()
    with state_dir() as folder:
        with Journal(folder) as journal:
            entry = inject(surface, journal, fault)
        surface.refuses = {
            "remove_toxic",
            "set_enabled",
            "recreate_proxy",
            "restart_toxiproxy",
            "set_error_share",
            "deploy",
            "resume",
            "set_conditions",
            "stop_agents",
            "undivert",
            "set_read_only",
            "set_limit",
            "set_room",
            "set_delay",
            "unlock",
            "rename_column",
        }
        report = heal(folder, surface=surface)
        assert report.clean == (entry is None)
        if entry is not None:
            with pytest.raises(StagingUnclean, match=entry.target):
                report.require_clean()
            surface.refuses = set()
            assert heal(folder, surface=surface).clean
    assert surface.world == surface.start


def test_every_undoable_has_a_ladder_with_limits() -> None:
    for kind in UNDOABLE.values():
        assert kind.rungs
        assert all(rung.timeout_s > 0 for rung in kind.rungs)
