"""A lean HTTP/1.1 client for calls between the shop's services.

Why not httpx: it costs about a millisecond of processor time a request, which is most of what two cores can give to
100 orders/s at four services each. This one keeps connections alive, parses with httptools and does nothing else: no
redirects, no proxies, no streaming.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import httptools


class CallFailed(Exception):
    """The callee could not be reached, or hung up."""


@dataclass
class Response:
    """What came back. Header names are lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Response] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._pool.forget(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(CallFailed(f"connection lost: {exc or 'closed by the callee'}"))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(CallFailed(f"not an HTTP answer: {error}"))
            self.close()

    # httptools calls these three by name
    def on_header(self, name: bytes, value: bytes) -> None:
        self._response.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._response.body += body

    def on_message_complete(self) -> None:
        self._response.status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._response)

    async def exchange(self, request: bytes) -> Response:
        assert self._transport is not None
        self._parser = httptools.HttpResponseParser(self)
        self._response = Response()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()


class Pool:
    """Connections to one callee, opened as needed and kept."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: list[_Connection] = []

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        """Send and wait, without limit: the caller cancels it when its time is up. Raises CallFailed."""
        lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines.append(f"content-length: {len(body)}")
        head = "\r\n".join(lines).encode("latin-1")
        connection = await self._connection()
        try:
            response = await connection.exchange(head + b"\r\n\r\n" + body)
        except BaseException:  # cancelled too: its answer may still come and belongs to nobody
            connection.close()
            raise
        if not connection.closed:
            self._idle.append(connection)
        return response

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def forget(self, connection: _Connection) -> None:
        """Drop a lost connection."""
        if connection in self._idle:
            self._idle.remove(connection)

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        loop = asyncio.get_running_loop()
        try:
            _, opened = await loop.create_connection(lambda: _Connection(self), self._host, self._port)
        except OSError as error:
            raise CallFailed(f"{self._host}:{self._port}: {error}") from error
        return opened
