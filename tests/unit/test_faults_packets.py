"""A bad line: what it does to packets, and that a fault which is not felt in each of its effects is not confirmed."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chaos import unrealised
from chaos.errors import StagingError
from chaos.faults.agents.impairment import WAITING_MAX, Impairment, Line
from chaos.faults.base import PlanContext
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.packets import PACKETS
from chaos.faults.pinging import counted
from chaos.realise import NotRealisable, require_realisable
from chaos.safety.journal import Journal, JournalEntry
from chaos.safety.undo import heal
from chaos.staging import diversion
from chaos.staging.locks import FileLock
from scenarios.loading import load
from scenarios.models import Fault
from tests.faults_memory_surface import MemorySurface

CONTEXT = PlanContext("drill-1", "checkout", "2.3", "2.4")
PACKET = bytes(range(60))
HEADER = 20


def line(**impairment: Any) -> Line:
    return Line(Impairment(**impairment), random.Random(7))


def sent(through: Line, packets: int, every_s: float = 0.0) -> list[tuple[float, bytes]]:
    """When what arrives; the first byte after the header is the packet's number."""
    arrived: list[tuple[float, bytes]] = []
    for number in range(packets):
        now_s = number * every_s
        while (due_s := through.next_s()) is not None and due_s <= now_s:
            arrived += [(due_s, each) for each in through.due(due_s)]
        through.take(PACKET[:HEADER] + bytes([number % 256]) + PACKET[HEADER + 1 :], HEADER, now_s)
    while (due_s := through.next_s()) is not None:
        arrived += [(due_s, each) for each in through.due(due_s)]
    return arrived


def entry_of(surface: MemorySurface, **effect: Any) -> JournalEntry:
    fault = Fault.model_validate({"at": "1s", "for": "5s", "packets": {"on": "checkout -> payments", **effect}})
    return PACKETS.plan(surface, fault, CONTEXT)


def test_a_delay_is_of_each_packet_and_a_jitter_keeps_their_order() -> None:
    arrived = sent(line(delay_s=0.05, jitter_s=0.02), 200, every_s=0.001)
    assert [packet[HEADER] for _, packet in arrived] == list(range(200))
    late_s = [at_s - number * 0.001 for number, (at_s, _) in enumerate(arrived)]
    assert min(late_s) >= 0.05
    assert 0.06 < max(late_s) <= 0.07


@pytest.mark.parametrize(("effect", "few", "many"), [("loss", 700, 800), ("duplicate", 1200, 1300)])
def test_shares_are_of_the_packets(effect: str, few: int, many: int) -> None:
    # 1000 draws at 25 %: 3.6 standard errors either way
    assert few <= len(sent(line(**{effect: 0.25}), 1000, every_s=0.001)) <= many


def test_damage_is_one_bit_beyond_the_header_of_ip() -> None:
    for _, packet in sent(line(corrupt=1.0), 100):
        differs = [a ^ b for a, b in zip(packet, PACKET[:HEADER] + packet[HEADER:], strict=True)]
        assert differs[:HEADER] == [0] * HEADER
    damaged = line(corrupt=1.0)
    damaged.take(PACKET, HEADER, 0.0)
    (packet,) = damaged.due(0.0)
    assert sum((a ^ b).bit_count() for a, b in zip(packet, PACKET, strict=True)) == 1


def test_what_is_reordered_overtakes() -> None:
    arrived = sent(line(delay_s=0.05, reorder=0.1), 100)
    overtaking = [packet[HEADER] for at_s, packet in arrived if at_s == 0.0]
    assert 0 < len(overtaking) < 30
    assert len(arrived) == 100


def test_a_rate_lets_so_many_bytes_through_and_so_many_packets_wait() -> None:
    arrived = sent(line(rate_bytes_per_s=6000.0), WAITING_MAX + 50)
    assert len(arrived) == WAITING_MAX
    assert arrived[99][0] == pytest.approx(100 * len(PACKET) / 6000.0)


def test_datagrams_are_counted_as_they_came() -> None:
    def datagram(number: int, filling: bytes = b"..") -> bytes:
        return number.to_bytes(4, "big") + filling

    came = [(0.5, datagram(1)), (0.6, datagram(0)), (0.7, datagram(1)), (0.8, datagram(2, b".:")), (0.9, datagram(9))]
    found = counted([0.0, 0.1, 0.2, 0.3], came, b"..")
    assert (found.sent, found.lost, found.doubled, found.overtaken, found.damaged) == (4, 2, 1, 1, 2)
    assert found.late_s == {0: 0.6, 1: 0.4}
    assert found.spread_s == pytest.approx(0.4)


EFFECTS: list[dict[str, str]] = [
    {"delay": "20ms"},
    {"jitter": "20ms"},
    {"loss": "1%"},
    {"loss": "100%"},
    {"duplicate": "5%"},
    {"delay": "10ms", "reorder": "5%"},
    {"corrupt": "5%"},
    {"rate": "50kB/s"},
    {"delay": "5ms", "jitter": "5ms", "loss": "5%", "duplicate": "5%", "reorder": "5%", "corrupt": "5%"},
]


@pytest.mark.parametrize("effect", EFFECTS, ids=str)
def test_what_is_in_force_is_felt_and_a_line_that_is_well_is_not_taken_for_it(effect: dict[str, str]) -> None:
    surface = MemorySurface()
    entry = entry_of(surface, **effect)
    PACKETS.apply(surface, entry)
    PACKETS.confirm(surface, entry)
    surface.world.diversions[entry.undo["number"]] = Impairment()
    with pytest.raises(FaultNotConfirmed, match=r"packets on checkout -> payments: .*not felt by answers: \d+ sent, 0"):
        PACKETS.confirm(surface, entry)


@pytest.mark.parametrize(
    ("effect", "reason"),
    [
        ({"loss": "0.5%"}, r"loss\(=0.005\) must be at least 0.01"),
        ({"delay": "10us"}, r"delay_s\(=1e-05\) must be at least 0.001"),
        ({"rate": "1GB/s"}, r"rate_bytes_per_s\(=1e\+09\) must be at most 2e\+07"),
        ({"rate": "100B/s", "loss": "1%"}, r"would be felt after \d+ s, must be within 10 s"),
    ],
)
def test_what_cannot_be_felt_is_refused(effect: dict[str, str], reason: str) -> None:
    surface = MemorySurface()
    with pytest.raises(FaultRefused, match=reason):
        entry_of(surface, **effect)
    assert surface.calls == []


def test_a_machine_that_cannot_says_why() -> None:
    surface = MemorySurface()
    surface.cannot_divert = "it needs root"
    with pytest.raises(FaultRefused, match="packets on checkout -> payments: it needs root"):
        entry_of(surface, loss="5%")


def test_a_drill_that_could_not_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = {"at": "1s", "for": "5s", "packets": {"on": "checkout -> payments", "loss": "5%"}}
    scenario = load("shop-release")[0].model_copy(update={"faults": [Fault.model_validate(fault)]})
    monkeypatch.setattr(unrealised, "why_not", lambda: None)
    require_realisable(scenario)
    monkeypatch.setattr(unrealised, "why_not", lambda: "it needs root")
    with pytest.raises(NotRealisable, match=r"faults\[0\].packets: packets cannot be diverted here: it needs root"):
        require_realisable(scenario)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("geteuid", 1000, "it needs root"), ("PATH", "", r"ip, tc, unshare must be on PATH")],
)
def test_why_packets_cannot_be_diverted(name: str, value: Any, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: value if name == "geteuid" else 0)
    if name == "PATH":
        monkeypatch.setenv("PATH", value)
    found = diversion.why_not()
    assert found is not None
    assert found.startswith(reason)


@pytest.mark.parametrize(
    ("effect", "rule"),
    [
        ({}, "at least one of delay, jitter, loss, duplicate, corrupt and rate"),
        ({"loss": "5%", "reorder": "5%"}, "beside a delay"),
        ({"delay": "5ms", "reorder": "100%"}, "below 100%"),
    ],
)
def test_a_fault_that_does_nothing_is_no_fault(effect: dict[str, str], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        entry_of(MemorySurface(), **effect)


def test_of_a_staging_that_is_gone_what_is_on_the_host_is_lifted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifted: list[int] = []
    monkeypatch.setattr(diversion, "undivert", lifted.append)
    monkeypatch.setattr(diversion, "left", lambda _: None)
    entry = entry_of(MemorySurface("another"), loss="5%")
    with Journal(tmp_path) as journal:
        journal.open(entry)
    assert heal(tmp_path, surface=MemorySurface()).clean
    assert lifted == [entry.undo["number"]]


def test_what_cannot_be_lifted_from_the_host_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(number: int) -> None:
        raise StagingError(f"tc: {number} is busy")

    monkeypatch.setattr(diversion, "undivert", busy)
    with Journal(tmp_path) as journal:
        journal.open(entry_of(MemorySurface("another"), loss="5%"))
    report = heal(tmp_path, surface=MemorySurface())
    assert [(result.rung, result.residue) for result in report.results] == [
        (None, f"on this host: tc: {number} is busy") for number in _numbers(tmp_path)
    ]


def _numbers(folder: Path) -> list[int]:
    with Journal(folder) as journal:
        return [entry.undo["number"] for entry in journal.open_entries()]


class Loopback:
    """The kernel's side of `tc`: filters by number, and how often it will refuse to take away what holds them."""

    def __init__(self, filters: set[int], busy: int = 0) -> None:
        self.clsact, self.filters, self.busy = True, filters, busy

    def __call__(self, *command: str) -> str:
        words = [word for word in command if word != "-json"]
        if words[1:3] == ["qdisc", "show"]:
            return json.dumps([{"kind": "noqueue"}, *([{"kind": "clsact"}] if self.clsact else [])])
        if words[1:3] == ["filter", "show"]:
            return json.dumps([{"pref": each} for each in self.filters] if words[-1] == "egress" else [])
        if words[1:3] == ["filter", "del"]:
            self.filters.remove(int(words[-1]))
            return ""
        assert words[1:3] == ["qdisc", "del"], words
        if self.busy:
            self.busy -= 1
            raise StagingError("tc: exit code 2: Error: Current ingress or clsact Qdisc has ongoing filter requests.")
        self.clsact = False
        return ""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversion, "_LOCK", FileLock(tmp_path / "lock"))


@pytest.mark.usefixtures("lock")
def test_what_held_the_filters_goes_with_the_last_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel refuses that while another program is at a filter there."""
    loopback = Loopback({20_001, 20_002}, busy=2)
    monkeypatch.setattr(diversion, "run_on_host", loopback)
    diversion.undivert(20_001)
    assert (loopback.clsact, loopback.filters, diversion.left(20_001)) == (True, {20_002}, None)
    assert diversion.left(20_002) == "filters of number 20002 are on lo (tc filter show dev lo egress)"
    diversion.undivert(20_002)
    assert (loopback.clsact, loopback.busy, diversion.left(20_002)) == (False, 0, None)


@pytest.mark.usefixtures("lock")
def test_what_held_the_filters_and_cannot_be_taken_away_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversion, "run_on_host", Loopback({20_001}, busy=1_000))
    monkeypatch.setattr(diversion, "_BUSY_S", 0.1)
    with pytest.raises(StagingError, match="ongoing filter requests"):
        diversion.undivert(20_001)
    assert diversion.left(20_001) == "an empty clsact is on lo (tc qdisc show dev lo)"
