"""Orders in PostgreSQL, through Toxiproxy.

A write that takes longer than its caller waits is not cancelled: its statement runs on in the database, as it would for
any client that gave up, and its connection stays taken until it ends. The insert is idempotent, because callers retry.
"""

from __future__ import annotations

import asyncio
import random
import select
from dataclasses import asdict, replace

import psycopg

from chaos.staging.config import ServiceTime
from chaos.staging.shop.client import CallFailed
from chaos.staging.shop.draws import service_time_s
from chaos.staging.shop.orders import Order
from chaos.staging.shop.statements import any_wrong, insert

CONNECT_TIMEOUT_S = 5
WARM_CONNECTIONS = 2
# Opened while the replica already serves. A pool that grew only when it has to would pay for every new connection in
# requests: five round trips each, which is a timeout where the network is slow.
FILLED_CONNECTIONS = 20
WARM_RETRY_S = 0.05


class OrderStore:
    """A small pool of connections and the one statement, for the schema (old, dual, new) that its version writes."""

    def __init__(
        self, dsn: str, connections: int, service_time: ServiceTime | None, chance: random.Random, schema: str = "old"
    ) -> None:
        self._schema = schema
        self._dsn = dsn
        self._service_time = service_time
        self._chance = chance
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[psycopg.AsyncConnection] = []
        self._filled = min(connections, FILLED_CONNECTIONS)
        self._filling: asyncio.Task[None] | None = None
        self._abandoned: set[asyncio.Task[None]] = set()

    async def warm(self, deadline_s: float) -> bool:
        """Open the first connections, trying again until `deadline_s` from now; False when that failed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        while len(self._idle) < WARM_CONNECTIONS:
            try:
                self._idle.append(await self._connect())
            except psycopg.Error:
                if loop.time() > end:
                    return False
                await asyncio.sleep(WARM_RETRY_S)
        self._filling = asyncio.create_task(self._fill())
        return True

    async def _fill(self) -> None:
        for _ in range(self._filled - WARM_CONNECTIONS):
            try:
                self._idle.insert(0, await self._connect())
            except psycopg.Error:
                return  # a database that is away; requests will say so

    async def write(self, order: Order, timeout_s: float | None, *, keep: bool = True) -> None:
        """Return when committed, or, not to keep it, rolled back: all of the work, and no row.

        Raises TimeoutError or CallFailed: then the outcome is unknown.
        """
        task = asyncio.create_task(self._insert(order, keep))
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        if done:
            try:
                return task.result()
            except psycopg.Error as error:
                raise CallFailed(str(error).strip()) from error
        self._abandoned.add(task)
        task.add_done_callback(self._bury)
        raise TimeoutError(f"order {order.id} not committed within {timeout_s} s")

    async def any_wrong(self, after_s: float) -> bool:
        """Whether a row is wrong, and has been there for so long. Raises CallFailed."""
        try:
            async with self._slots:
                connection = await self._take()
                try:
                    cursor = await connection.execute(any_wrong(self._schema), {"after_s": after_s})
                    row = await cursor.fetchone()
                except BaseException:
                    await connection.close()
                    raise
                self._idle.append(connection)
        except psycopg.Error as error:
            raise CallFailed(str(error).strip()) from error
        return row == (True,)

    def _bury(self, task: asyncio.Task[None]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # nobody waits for it any more; its caller counted the timeout

    async def _insert(self, order: Order, keep: bool) -> None:
        async with self._slots:
            connection = await self._take()
            try:
                if keep:
                    await self._execute(connection, order)
                else:
                    # an id of its own: the order that it copies must not wait for it
                    async with connection.transaction(force_rollback=True):
                        await self._execute(connection, replace(order, id=f"copy of {order.id}"))
            except BaseException:
                await connection.close()
                raise
            self._idle.append(connection)

    async def _execute(self, connection: psycopg.AsyncConnection, order: Order) -> None:
        """One statement; whoever writes both columns goes on with the new one alone when the old one is dropped."""
        values: dict[str, object] = asdict(order)
        if self._service_time is not None:
            values["pause_s"] = service_time_s(self._service_time, self._chance)
        slowly = self._service_time is not None
        try:
            await connection.execute(insert(self._schema, slowly=slowly), values)
        except psycopg.errors.UndefinedColumn:
            if self._schema != "dual":
                raise
            self._schema = "new"
            await connection.execute(insert(self._schema, slowly=slowly), values)

    async def _take(self) -> psycopg.AsyncConnection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and not _hung_up(connection):
                return connection
            await connection.close()
        return await self._connect()

    async def _connect(self) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)

    async def close(self) -> None:
        """Close what is idle; the rest ends with the process."""
        if self._filling is not None:
            self._filling.cancel()
        while self._idle:
            await self._idle.pop().close()


def _hung_up(connection: psycopg.AsyncConnection) -> bool:
    """An idle connection has nothing to read, unless the other side closed it."""
    watcher = select.poll()
    watcher.register(connection.fileno(), select.POLLIN)
    return bool(watcher.poll(0))
