"""``windtunnel staging`` by hand: what is wrong with its words is told, with exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from windtunnel.cli.exits import ExitCode


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("route", "checkout", "2.3"), "'2.3': must be VERSION=SHARE"),
        (("route", "checkout", "2.3=1", "--cohorts", "coupon"), "--cohorts 'coupon': must be JSON such as"),
        (("route", "checkout", "2.3=1", "--cohorts", '{"coupon": 1}'), "must be JSON such as"),
        (("restore", "yesterday"), "'yesterday': must be a moment such as 2026-11-30T03:00:00+00:00"),
        (("restore", "2026-11-30T03:00:00"), "must be a moment with its time zone"),
        (("fail-over",), "staging"),
    ],
)
def test_what_is_wrong_is_told(
    words: tuple[str, ...], told: str, windtunnel: Callable[..., Any], windtunnel_state: Path
) -> None:
    ended = windtunnel("staging", *words)
    assert (ended.code, told in ended.err) == (ExitCode.USAGE, True), ended.err
