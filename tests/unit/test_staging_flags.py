"""The release's flag: its file, its provider in a replica, and its answers taken out of Envoy's counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.errors import StagingError
from chaos.staging.config import StagingConfig
from chaos.staging.envoy_stats import EnvoyStats
from chaos.staging.flagged import Flags
from chaos.staging.flags import FlagFile, FlagState
from chaos.staging.remainder import Remainder
from chaos.staging.shop.flag import Flag, polling

POLL_S = 0.05


@pytest.fixture
def file(tmp_path: Path) -> FlagFile:
    file = FlagFile(tmp_path, "checkout")
    file.write(0.0, ())
    return file


@pytest.fixture
def flag(file: FlagFile) -> Iterator[Flag]:
    flag = Flag("checkout", polling(str(file.path), POLL_S), (0.01, 0.1))
    yield flag
    flag.close()


def follow(flag: Flag, order: int) -> None:
    deadline = time.monotonic() + 5.0
    while flag.order() != order:
        assert time.monotonic() < deadline, f"still at order {flag.order()}"
        time.sleep(0.005)


def test_the_file_tells_what_was_ordered_last(tmp_path: Path) -> None:
    file = FlagFile(tmp_path, "checkout")
    assert file.read() == FlagState()
    assert not file.read().on
    assert file.write(0.25, ["gold", "coupon"]) == file.read() == FlagState(1, 0.25, ("coupon", "gold"))
    assert file.write(0.0, ()) == FlagState(2, 0.0, ())
    with pytest.raises(StagingError, match=r"flag of checkout: share\(=-0.1\) must be in 0..1"):
        file.write(-0.1, ())


def test_the_provider_follows_shares_and_cohorts(file: FlagFile, flag: Flag) -> None:
    keys = [f"{number:032x}" for number in range(400)]
    follow(flag, 1)
    assert not any(flag.on(key, "coupon") for key in keys)
    follow(flag, file.write(0.25, ["coupon"]).order)
    assert all(flag.on(key, "coupon") for key in keys)
    drawn = [flag.on(key, "default") for key in keys]
    # 400 draws of 25 %: five standard deviations
    assert 57 <= sum(drawn) <= 143
    assert drawn == [flag.on(key, "default") for key in keys]
    follow(flag, file.write(1.0, ()).order)
    assert all(flag.on(key, "default") for key in keys)
    follow(flag, file.write(0.0, ()).order)
    assert not any(flag.on(key, "default") for key in keys)


def test_answers_are_counted_by_their_end(flag: Flag) -> None:
    flag.count(201, 0.01, hung_up=False)
    flag.count(500, 0.05, hung_up=False)
    flag.count(201, 0.5, hung_up=False)
    flag.count(201, 0.5, hung_up=True)
    assert flag.document() == {"order": 1, "requests": 3, "errors": 1, "cancelled": 1, "histogram": [1, 1, 1]}


def test_an_answer_is_taken_out_of_the_bin_in_which_envoy_has_it() -> None:
    left = Remainder()
    assert left.after((), ()) == ()
    # 3 of the 4 are told by a replica, two of them as faster than Envoy saw them
    assert left.after((0, 1, 3), (1, 1, 1)) == (0, 0, 1)
    # told before Envoy has it: owed
    assert left.after((0, 1, 3), (2, 1, 1)) == (0, 0, 1)
    assert left.after((1, 2, 3), (2, 1, 1)) == (0, 1, 1)
    # Envoy counts whole milliseconds: its time may be the shorter one
    assert left.after((2, 2, 3), (2, 2, 1)) == (0, 1, 1)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), max_size=30))
def test_taking_out_keeps_count(answers: list[tuple[int, int, bool]]) -> None:
    """Of each answer: its bin by the replica and by Envoy, and whether the replica tells it first."""
    left, whole, part, before = Remainder(), [0] * 5, [0] * 5, (0,) * 5
    for told, seen, replica_first in answers:
        moments = [(part, told), (whole, seen)] if replica_first else [(whole, seen), (part, told)]
        for histogram, place in moments:
            histogram[place] += 1
            now = left.after(whole, part)
            assert all(earlier <= later for earlier, later in zip(before, now, strict=True))
            assert sum(now) <= sum(whole)
            before = now
    for place in range(5):
        whole[place] += len(answers)
    assert sum(left.after(whole, part)) == sum(whole) - sum(part)


def test_answers_with_the_flag_on_are_taken_out_and_nothing_goes_back(tmp_path: Path) -> None:
    told: dict[str, Any] = {"order": 1, "requests": 4, "errors": 2, "cancelled": 0, "histogram": [4, 0]}
    replica = SimpleNamespace(index=0)
    alive = [replica]
    replicas: Any = SimpleNamespace(
        live=lambda service, version: alive if version == "2.4" else [], ask=lambda *_: dict(told)
    )
    flags = Flags(tmp_path, StagingConfig(flag_poll_s=1.0), replicas)

    def apart(requests: int, errors: int) -> dict[str, tuple[int, int, int]]:
        flags.look()
        whole = [
            EnvoyStats("checkout", version, requests, errors, 0, (10.0,), (requests, 0)) for version in ("2.3", "2.4")
        ]
        return {each.version: (each.requests, each.errors, each.histogram[0]) for each in flags.apart(whole)}

    assert apart(10, 2) == {"2.3": (10, 2, 10), "2.4": (6, 0, 6), "2.4 (flag on)": (4, 2, 4)}
    told |= {"requests": 6, "errors": 4, "histogram": [6, 0]}
    # Envoy has not seen one of them yet: what was counted without the flag stays counted
    assert apart(11, 3) == {"2.3": (11, 3, 11), "2.4": (6, 0, 6), "2.4 (flag on)": (6, 4, 6)}
    alive.clear()
    assert apart(15, 4) == {"2.3": (15, 4, 15), "2.4": (9, 0, 9), "2.4 (flag on)": (6, 4, 6)}
    with pytest.raises(StagingError, match="brought up for a release without one"):
        Flags(tmp_path, StagingConfig(), replicas).order("checkout", 1.0, ())
