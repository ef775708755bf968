"""What runs of a control plane, on disk: so that any later process can end it, however its starter died."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chaos.errors import StagingError, StagingNotUp
from chaos.staging.paths import cache_dir, write_atomically
from chaos.staging.processes import ProcessId

FILE = "cluster.json"
SCHEMA = "windtunnel-cluster/v2"

__all__ = ["State", "folder_default", "read", "remove", "write"]


def folder_default() -> Path:
    """Beside the programs that it runs."""
    return cache_dir() / "cluster" / "state"


@dataclass(frozen=True)
class State:
    """`token` marks every process of it, also one that its starter did not live to record."""

    token: str
    ports: dict[str, int]
    up: bool = False
    processes: dict[str, ProcessId] = field(default_factory=dict)


def read(folder: Path) -> State:
    """The state in a folder. Raises StagingNotUp, or StagingError for a file that is none of ours."""
    path = folder / FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StagingNotUp(f"no cluster in {folder}: `python -m chaos.cluster start` starts one") from None
    except ValueError as error:
        raise StagingError(f"{path} is not JSON: {error}") from error
    if data.pop("schema", None) != SCHEMA:
        raise StagingError(f"{path}: schema must be {SCHEMA}")
    processes = {name: ProcessId(**each) for name, each in data.pop("processes").items()}
    return State(**data, processes=processes)


def write(folder: Path, state: State) -> None:
    """Replace the state, on disk when this returns."""
    write_atomically(folder / FILE, json.dumps({"schema": SCHEMA, **asdict(state)}, indent=1))


def remove(folder: Path) -> None:
    """There is no cluster any more."""
    (folder / FILE).unlink(missing_ok=True)
