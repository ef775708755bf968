"""That something is compiled is told once, and only then."""

import logging

import pytest
from numba import int64, njit

from simulator.compiling import when_compiling
from windtunnel.cli.logged import say_what_is_logged


def test_the_first_to_be_compiled_is_told_and_nothing_after_it(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []
    with caplog.at_level(logging.INFO, "simulator"), when_compiling(lambda: asked.append("helper")):
        assert not asked
        twice = njit(int64(int64))(lambda x: 2 * x)
        njit(int64(int64))(lambda x: 3 * x)
    assert asked == ["helper"]
    assert caplog.messages == ["compiling kernels, which are kept for the next time"]
    with caplog.at_level(logging.INFO, "simulator"), when_compiling(lambda: asked.append("again")):
        assert twice(2) == 4
    assert asked == ["helper"]
    assert len(caplog.messages) == 1


def test_what_is_logged_is_said_once_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say_what_is_logged()
    say_what_is_logged()
    logging.getLogger("simulator.compiling").info("compiling")
    assert capsys.readouterr() == ("", "compiling\n")
