"""Replications on a Dask cluster: the workers of other machines play what local processes would have played.

A worker that is lost loses nothing: Dask gives its chunks to another one, and a replication depends on the seed and its
own number alone. Imported only when a cluster is named, so that local work needs no Dask.

Not done here: starting clusters, and shipping code. Scheduler and workers must have this Windtunnel installed; each
chunk carries a digest of our sources, and a worker whose own differ refuses it.
"""

from __future__ import annotations

import hashlib
import pickle
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence.measures import FunctionMeasure
from simulator.chunks import chunked
from simulator.errors import ClusterError, RequestError, WorkerDied
from simulator.work import Plays, Work

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["measures_of"]

_CONNECT_TIMEOUT_S = 10.0
_WORKERS_TIMEOUT_S = 60.0
_LOOK_EVERY_S = 2.0
# Chunks that wait on the cluster for each of its threads: it never idles, and holds few answers at a time.
_AHEAD_PER_THREAD = 3

_PACKAGES = ("scenarios", "evidence", "rollout", "simulator")

Chunk = list[list[FunctionMeasure]]


def measures_of(work: Work, replications: Sequence[int], address: str) -> Iterator[Chunk]:
    """Measures of the replications, chunk by chunk, in their order.

    Raises RequestError when Dask is not installed or no scheduler answers at `address`, ClusterError when a worker has
    another Windtunnel or none, WorkerDied when all workers are lost for a minute, or a chunk has lost several.
    """
    client = _connect(address)
    try:
        yield from _played(client, work, chunked(replications, _threads(client)))
    finally:
        client.close(timeout=_CONNECT_TIMEOUT_S)


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise RequestError("executor dask needs the package distributed: install windtunnel[dask]") from error
    try:
        client = Client(address, timeout=_CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise RequestError(
            f"executor(=dask={address}) must be a Dask scheduler that answers within {_CONNECT_TIMEOUT_S:g} s"
        ) from error
    try:
        client.wait_for_workers(1, timeout=_WORKERS_TIMEOUT_S)
    except TimeoutError as error:
        client.close(timeout=_CONNECT_TIMEOUT_S)
        raise WorkerDied(f"dask={address}: no worker within {_WORKERS_TIMEOUT_S:g} s") from error
    return client


def _threads(client: Client) -> int:
    workers: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return sum(int(worker["nthreads"]) for worker in workers.values())


def _played(client: Client, work: Work, chunks: Sequence[Sequence[int]]) -> Iterator[Chunk]:
    ahead = max(1, _threads(client)) * _AHEAD_PER_THREAD
    waiting: deque[Future[Any]] = deque()
    packed, digest = pickle.dumps(work), sources_digest()
    following = iter(chunks)
    try:
        while True:
            for chunk in following:
                waiting.append(client.submit(_play, packed, tuple(chunk), digest, pure=False))
                if len(waiting) >= ahead:
                    break
            if not waiting:
                return
            yield _answer(client, waiting.popleft())
    finally:
        client.cancel(list(waiting))


def _answer(client: Client, future: Future[Any]) -> Chunk:
    """Wait for a chunk as long as there is anybody to play it."""
    from distributed import KilledWorker

    seen_s = time.monotonic()
    while True:
        try:
            answer = future.result(timeout=_LOOK_EVERY_S)
        except TimeoutError:
            if _threads(client) > 0:
                seen_s = time.monotonic()
            elif time.monotonic() - seen_s > _WORKERS_TIMEOUT_S:
                raise WorkerDied(f"all workers of the Dask cluster are gone for {_WORKERS_TIMEOUT_S:g} s") from None
        except KilledWorker as error:
            raise WorkerDied(f"a chunk of replications has lost several Dask workers: {error}") from error
        except (ImportError, RuntimeError) as error:
            # Dask tells of a scheduler that cannot import what it is sent by a RuntimeError of its own.
            if isinstance(error, ImportError) or "deserialization" in str(error):
                raise ClusterError("scheduler and workers of Dask must have this Windtunnel installed") from error
            raise
        else:
            if isinstance(answer, str):
                raise ClusterError(answer)
            chunk: Chunk = answer
            return chunk


@cache
def sources_digest() -> str:
    """SHA-256 of the sources that a replication is played by: equal answers need equal programs."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    for package in _PACKAGES:
        for source in sorted((root / package).rglob("*.py")):
            digest.update(source.relative_to(root).as_posix().encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=4)
def _player(packed: bytes) -> Plays[list[FunctionMeasure]]:
    """One for each work: a worker gets many chunks of it."""
    work: Work = pickle.loads(packed)  # noqa: S301 - whoever reaches a Dask worker can run any code there anyway
    return work.player()


def _play(packed: bytes, replications: Sequence[int], digest: str) -> Chunk | str:
    """On a worker: the measures of the replications, or why it must not play them."""
    if digest != sources_digest():
        return "Dask workers must have the same Windtunnel as this process: the digests of its sources differ"
    player = _player(packed)
    return [player.measures(replication) for replication in replications]
