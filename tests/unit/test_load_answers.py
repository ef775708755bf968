"""What the load's clients were answered, by version: each request counted once, where it is known to belong."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.load.answers import LoadAnswers, version_in
from chaos.load.raw import RawSamples


def row(function: str, status: int, kind: str, header: str, took_s: float = 0.01) -> list[Any]:
    return [function, 0, "default", 1.0, 1.0, 1.0 + took_s, status, kind, header, "", ""]


@pytest.mark.parametrize(
    ("header", "version"),
    [
        ("2.4", "2.4"),
        ("edge=1.0,checkout=2.4,payments=1.0", "2.4"),
        ("edge=1.0, checkout=2.4", "2.4"),
        ("edge=1.0", ""),
        ("", ""),
    ],
)
def test_the_header_tells_the_version(header: str, version: str) -> None:
    assert version_in(header, "checkout") == version


def test_answers_are_counted_by_version_and_requests_without_one_for_the_service() -> None:
    answers = LoadAnswers("checkout", ["checkout"])
    assert [(each.service, each.version, each.requests) for each in answers.read()] == [("checkout", "", 0)]
    answers.add(RawSamples.from_rows([row("checkout", 201, "ok", "2.3"), row("browse", 200, "ok", "2.3")]))
    answers.add(
        RawSamples.from_rows(
            [
                row("checkout", 500, "error", "2.4", 0.1234),
                row("checkout", 201, "ok", "2.4", 0.0004),
                row("checkout", 0, "timeout", ""),
                row("checkout", 503, "error", ""),
            ]
        )
    )
    found = {each.version: each for each in answers.read()}
    assert {version: (each.requests, each.errors, each.cancelled) for version, each in found.items()} == {
        "": (1, 1, 1),
        "2.3": (1, 0, 0),
        "2.4": (2, 1, 0),
    }
    assert (found["2.4"].bounds_ms, found["2.4"].histogram) == ((1.0, 130.0), (1, 1, 0))
    assert found["2.3"].histogram == (1, 0)
