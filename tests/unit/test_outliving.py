"""Whoever started something for a test is killed: what it started is ended all the same, once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.drills import PATIENCE_S, processes_naming, wait_for
from tests.outliving import ROOT, ended_with_us

STARTER = """
import sys
from pathlib import Path
from tests.outliving import ended_with_us
with ended_with_us(Path.rmdir, Path(sys.argv[1])):
    print("up", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_starter_left_is_ended(tmp_path: Path) -> None:
    folder = tmp_path / "started"
    folder.mkdir()
    command = [sys.executable, "-c", STARTER, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "up\n"
        assert folder.exists()
        starter.kill()
    wait_for(lambda: not folder.exists(), PATIENCE_S, "the end of what was started")


def test_in_order_it_is_ended_here_and_the_heir_does_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "started"
    folder.mkdir()
    with ended_with_us(Path.rmdir, folder):
        assert folder.exists()
        assert processes_naming(folder) == []  # it is no stray of what it waits for
    assert not folder.exists()
    folder.mkdir()  # an heir that came now would remove it
    with pytest.raises(ZeroDivisionError), ended_with_us(Path.rmdir, folder):
        raise ZeroDivisionError
    assert not folder.exists()
