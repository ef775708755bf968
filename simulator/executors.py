"""Where replications are played: local processes, or the workers of a Dask cluster. The answer is the same."""

from __future__ import annotations

import re
from dataclasses import dataclass

from simulator.errors import RequestError

__all__ = ["DaskCluster", "Executor", "Local", "executor_of"]

_ADDRESS = re.compile(r"(tcp://|tls://)?[A-Za-z0-9_.-]+:\d{1,5}|(tcp://|tls://)?\[[0-9A-Fa-f:]+\]:\d{1,5}")


@dataclass(frozen=True, slots=True)
class Local:
    """Processes of this machine; None: as many as pay."""

    processes: int | None = None


@dataclass(frozen=True, slots=True)
class DaskCluster:
    """A Dask cluster, by the address of its scheduler."""

    address: str


Executor = Local | DaskCluster


def executor_of(text: str, processes: int | None = None) -> Executor:
    """`local`, or `dask=ADDRESS` with the scheduler's host and port.

    Raises RequestError for anything else, for no processes, and for a number of them beside a cluster.
    """
    if processes is not None and processes < 1:
        raise RequestError(f"processes(={processes}) must be at least 1")
    if text == "local":
        return Local(processes)
    kind, _, address = text.partition("=")
    if kind != "dask" or not _ADDRESS.fullmatch(address):
        raise RequestError(f"executor(={text}) must be local or dask=ADDRESS, such as dask=tcp://127.0.0.1:8786")
    if processes is not None:
        raise RequestError(f"processes(={processes}) must not be given beside executor {text}: its workers are its own")
    return DaskCluster(address)
