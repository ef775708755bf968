"""``windtunnel doctor``: it tries things, and says how to get what is missing."""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.contract.oasdiff import OASDIFF
from chaos.staging.flagd_build import FLAGD
from chaos.staging.go_program import GoProgram
from windtunnel.cli.exits import ExitCode
from windtunnel.doctor import binaries, examine, machine, packages
from windtunnel.doctor.finding import Finding, Status

Run = Callable[..., Any]


def test_envoy_and_postgresql_are_run() -> None:
    assert binaries.envoy().found.startswith("version: ")
    assert binaries.postgresql().found.startswith("pg_ctl (PostgreSQL) 18.")


def test_toxiproxy_neither_found_nor_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    finding = binaries.toxiproxy()
    assert finding.status is Status.MISSING
    assert "chaos.staging.toxiproxy_build" in finding.remedy


@pytest.mark.parametrize(
    ("name", "look", "program", "remedy", "says", "told"),
    [
        ("flagd", binaries.flagd, FLAGD, "make flagd", "picture", "runs"),
        ("oasdiff", binaries.oasdiff, OASDIFF, "chaos.contract.oasdiff", "oasdiff version 1", "oasdiff version 1"),
    ],
)
def test_what_is_built_when_it_is_wanted_is_worth_a_note_until_then(
    name: str,
    look: Callable[[], Finding],
    program: GoProgram,
    remedy: str,
    says: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    finding = look()
    assert finding.status is Status.NOTE
    assert remedy in finding.remedy
    program.cached.parent.mkdir(parents=True)
    program.cached.write_text(f"#!/bin/sh\necho {says}\n")
    program.cached.chmod(0o755)
    assert look() == Finding(name, Status.OK, f"{told} ({program.cached})")
    program.cached.write_text("#!/bin/sh\nexit 3\n")
    assert look().status is Status.MISSING


def test_parts_that_some_do_without_are_worth_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(each.name, each.status) for each in packages.optional_packages()] == [
        ("packages (chaostoolkit)", Status.OK),
        ("packages (kubernetes)", Status.OK),
        ("packages (dask)", Status.OK),
    ]
    monkeypatch.setattr(packages.metadata, "requires", lambda _: ['no-such-toolkit>=1; extra == "chaostoolkit"'])
    toolkit, *others = packages.optional_packages()
    assert toolkit.status is Status.NOTE
    assert toolkit.found == "no faults of kind `experiment`: no-such-toolkit: not installed"
    assert "windtunnel[chaostoolkit]" in toolkit.remedy
    assert all(each.status is Status.OK for each in others)


def test_program_that_cannot_run_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "toxiproxy-server"
    broken.write_text("#!/bin/sh\necho cannot execute >&2\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    finding = binaries.toxiproxy()
    assert finding.status is Status.MISSING
    assert "ends with 7: cannot execute" in finding.found


def test_python_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    finding = packages.python()
    assert finding.status is Status.MISSING
    assert "3.11" in finding.remedy


def test_package_too_old_is_named_with_its_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.metadata, "requires", lambda _: ["simpy>=99", "numpy>=2"])
    core = next(packages.installed_packages())
    assert core.status is Status.MISSING
    assert core.found.startswith("simpy 4.")
    assert "must be >=99" in core.found


def test_loopback_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise OSError("no interface")

    monkeypatch.setattr(socket, "create_server", refuse)
    assert machine.loopback().status is Status.MISSING


def test_folders_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A file where a folder should be refuses root as well as anybody.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WINDTUNNEL_STATE", str(tmp_path / "file" / "state"))
    state = machine.folders()[0]
    assert state.status is Status.MISSING
    assert "WINDTUNNEL_STATE" in state.remedy


@pytest.mark.parametrize(("status", "code"), [(Status.OK, 0), (Status.MISSING, ExitCode.ERROR)])
def test_exit_code_and_document(status: Status, code: int, windtunnel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Finding("thing", status, "what was found", "what to do")]
    monkeypatch.setattr(examine, "examine", lambda: found)
    result = windtunnel("doctor", "--json")
    assert result.code == code
    assert json.loads(result.out)["findings"][0]["remedy"] == "what to do"
    assert "what to do" in windtunnel("doctor").out


def test_compiled_packages_import() -> None:
    compiled = packages.compiled_packages()
    assert compiled.status is Status.OK, compiled.found
