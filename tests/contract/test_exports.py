"""The public surface: what a module promises is there, and what the exit codes speak of exists."""

import importlib
import pkgutil

import pytest

from windtunnel.cli.exits import ERROR_CODES, ExitCode, exit_code_of

PACKAGES = ("windtunnel", "simulator", "chaos", "rollout", "evidence", "scenarios")
# The child's modules patch the process that imports them.
IN_A_CHILD = tuple(
    f"chaos.load.{name}" for name in ("locustfile", "master", "worker", "sender", "raw_file", "harness_pipe")
)


def modules() -> list[str]:
    """Every module of the project, by walking and not importing packages' contents."""
    names: list[str] = []
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        names += [each.name for each in pkgutil.walk_packages(path, f"{package}.")]
    return [name for name in names if name not in IN_A_CHILD and not name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_exports_match(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert [each for each in exported if not hasattr(module, each)] == []
    assert len(set(exported)) == len(exported)


@pytest.mark.parametrize("row", ERROR_CODES, ids=lambda row: f"{row[0]}.{row[1]}")
def test_exit_codes_speak_of_errors_that_exist(row: tuple[str, str, ExitCode]) -> None:
    module, name, code = row
    error = getattr(importlib.import_module(module), name)
    assert issubclass(error, Exception)
    try:
        instance = error("message")
    except TypeError:  # it wants more than a message; its base is in the table as well
        return
    assert exit_code_of(instance) == code
