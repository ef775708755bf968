"""flagd as a part of a staging: it watches the flags' files and streams what they say to the new version's replicas."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from pathlib import Path

from chaos.errors import ComponentFailed
from chaos.staging import processes
from chaos.staging.config import StagingConfig
from chaos.staging.flagd_build import FLAGD
from chaos.staging.flags import FlagFile
from chaos.staging.loopback import call
from chaos.staging.processes import ProcessId
from chaos.staging.state import FLAGD_SYNC, State

__all__ = ["PORTS", "ready", "spawn", "wanted"]

# flagd opens all of them; only the stream of flags and the readiness are used.
_OPTIONS = {
    FLAGD_SYNC: "--sync-port",
    "flagd:management": "--management-port",
    "flagd:evaluation": "--port",
    "flagd:ofrep": "--ofrep-port",
}
PORTS = tuple(_OPTIONS)


def wanted(config: StagingConfig) -> bool:
    """Whether a staging has one: for a release with a flag, where it has been built."""
    return config.flag_poll_s is not None and FLAGD.find() is not None


def spawn(state: State, folder: Path) -> ProcessId:
    """Start it over the flags' files of the services that have a new version. Raises ComponentFailed."""
    program = FLAGD.find()
    if program is None:
        raise ComponentFailed("flagd-loopback is neither on PATH nor in the cache any more")
    command = [str(program), "start"]
    for port, option in _OPTIONS.items():
        command += [option, str(state.ports[port])]
    for service, told in state.config.services.items():
        if len(told.versions) > 1:
            command += ["--uri", f"file:{FlagFile(folder, service).path}"]
    # It takes options from the environment and from a file in HOME: only ours count.
    return processes.spawn(
        command, log=folder / "log" / "flagd.log", environment={"HOME": str(folder)}, token=state.token, cwd=folder
    )


def ready(ports: Mapping[str, int]) -> bool:
    """Whether it has read its files."""
    try:
        status, _ = call("GET", ports["flagd:management"], "/readyz")
    except (OSError, http.client.HTTPException):
        return False
    return status == 200
