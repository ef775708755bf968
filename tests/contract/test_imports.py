"""Who may import whom, and what a light command must not load."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("windtunnel", "simulator", "chaos", "rollout", "evidence", "scenarios")
HEAVY = ("numpy", "pandas", "numba", "scipy", "pyarrow", "matplotlib", "pydantic", "rich", "simpy")


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(result.stdout.split())


def test_import_contract_holds() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_command_line_starts_light() -> None:
    assert loaded_by("import windtunnel.cli.main").isdisjoint(HEAVY)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_itself_imports_nothing(package: str) -> None:
    """Importing the record must not pull in the judge, nor a world its machinery."""
    bare = loaded_by("pass")
    assert loaded_by(f"import {package}") - bare == {package}


def test_no_room_loads_locust() -> None:
    assert loaded_by("import chaos.load.run").isdisjoint({"locust", "gevent"})
