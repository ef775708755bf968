"""The staging's state file: what runs where, so that any later process can use it and end it.

Written atomically and fsynced after each change, under a file lock; read anew each time, because the harness, its
watchdog and a command line may all have their hands on one staging. It holds the database's password: mode 0600.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from chaos.errors import StagingError, StagingNotUp
from chaos.staging.config import StagingConfig, proxy_name
from chaos.staging.locks import FileLock
from chaos.staging.paths import write_atomically
from chaos.staging.ports import LOOPBACK
from chaos.staging.processes import ProcessId

FILE = "state.json"
SCHEMA = "windtunnel-staging/v2"
# The port on which flagd streams the flags.
FLAGD_SYNC = "flagd"


@dataclass(frozen=True)
class Replica:
    """One process of the shop. `place`: its number among its version's, which says in which zone it stands."""

    service: str
    version: str
    index: int
    port: int
    process: ProcessId
    draining: bool = False
    place: int = 0


@dataclass(frozen=True)
class State:
    """All of it. `ports` by name: admin, toxiproxy, primary, standby, restored, listen:<service>, proxy:<name>.

    With a flagd also flagd, flagd:management, flagd:evaluation, flagd:ofrep. `ordered`: replicas by service and
    version, as the last deploys had it; `placed`: the zones that these named, where they did. `zones_out`: in which
    nothing runs, and nothing starts. `owner`: the drill's process that started it for itself alone; with none it was
    started to stay. `store_at`: the database server that takes the orders.
    """

    token: str
    password: str
    config: StagingConfig
    ports: dict[str, int]
    phase: str = "starting"  # starting | up
    components: dict[str, ProcessId] = field(default_factory=dict)
    replicas: tuple[Replica, ...] = ()
    replicas_started: int = 0
    ordered: dict[str, dict[str, int]] = field(default_factory=dict)
    placed: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    zones_out: tuple[str, ...] = ()
    postgres_base: str = ""
    owner: ProcessId | None = None
    store_at: str = "primary"

    @property
    def flag_source(self) -> str:
        """What the new version's replicas have the release's flag from: flagd, file, or none without a flag."""
        if self.config.flag_poll_s is None:
            return "none"
        return "flagd" if FLAGD_SYNC in self.ports else "file"

    def proxy_port(self, caller: str, callee: str) -> int:
        """Where Toxiproxy takes the caller's calls to the callee."""
        return self.ports[f"proxy:{proxy_name(caller, callee)}"]

    def url(self, port: str) -> str:
        """Base address of a named port."""
        return f"http://{LOOPBACK}:{self.ports[port]}"


class StateFile:
    """The state of one state directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE
        self._lock = FileLock(folder / ".state.lock")

    def exists(self) -> bool:
        """Whether there is a state."""
        return self.path.exists()

    def read(self) -> State:
        """The state now. Raises StagingNotUp, or StagingError for a file that is none of ours."""
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise StagingNotUp(f"no staging in {self.folder}: `windtunnel staging up` starts one") from None
        except OSError as error:
            raise StagingError(f"{self.path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise StagingError(f"{self.path} is not JSON: {error}") from error
        if data.get("schema") != SCHEMA:
            raise StagingError(f"{self.path}: schema(={data.get('schema')}) must be {SCHEMA}")
        return _state(data)

    def write(self, state: State) -> None:
        """Replace the state."""
        data = {"schema": SCHEMA, **asdict(state), "config": state.config.to_json()}
        write_atomically(self.path, json.dumps(data, indent=1))

    def change(self, **changes: Any) -> State:
        """Replace some fields of the state."""
        with self.locked():
            state = replace(self.read(), **changes)
            self.write(state)
            return state

    def remove(self) -> None:
        """There is no staging here any more."""
        self.path.unlink(missing_ok=True)

    def locked(self) -> AbstractContextManager[None]:
        """Alone with the state: threads of this process, and other processes, wait. Reentrant."""
        return self._lock


def _state(data: dict[str, Any]) -> State:
    fields = {key: value for key, value in data.items() if key != "schema"}
    fields["config"] = StagingConfig.from_json(data["config"])
    fields["owner"] = ProcessId(**data["owner"]) if data.get("owner") else None
    fields["zones_out"] = tuple(data["zones_out"])
    fields["components"] = {name: ProcessId(**entry) for name, entry in data["components"].items()}
    fields["replicas"] = tuple(
        Replica(**{**entry, "process": ProcessId(**entry["process"])}) for entry in data["replicas"]
    )
    return State(**fields)
