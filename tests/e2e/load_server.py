"""A server that misbehaves on order, and plans for loads before it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from chaos.load.plan import FunctionLoad, LoadPlan
from tests.e2e.drills import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """HTTP on loopback; the path says how it behaves, `stalled` holds back all answers."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.loop = asyncio.new_event_loop()
        self.flowing = asyncio.Event()
        self.thread = threading.Thread(target=self._serve)
        self.started = threading.Event()
        self.connections: set[asyncio.Task[None]] = set()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.flowing.set()
        server = self.loop.run_until_complete(asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=2048))
        self.port = server.sockets[0].getsockname()[1]
        self.started.set()
        self.loop.run_forever()
        server.close()
        for task in self.connections:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*self.connections, return_exceptions=True))
        self.loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)
        try:
            while await self._request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = lines[0].split(" ")[1]
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.seen[path] += 1
        self.requests.append((headers, body))
        await self.flowing.wait()
        if path == "/never":
            await asyncio.Event().wait()
        if path == "/close":
            return False
        if path == "/broken":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")
            await writer.drain()
            return False
        status = {"/error": b"500 Oops", "/redirect": b"302 Found", "/order": b"201 Created"}
        writer.write(
            b"HTTP/1.1 " + status.get(path, b"200 OK") + b"\r\nx-version: edge=1,checkout=2.4\r\n"
            b"location: /elsewhere\r\ncontent-length: 2\r\n\r\nok"
        )
        await writer.drain()
        return True

    def stall(self, stall_s: float) -> None:
        """Hold back every answer for a while."""
        self.loop.call_soon_threadsafe(self.flowing.clear)
        time.sleep(stall_s)
        self.loop.call_soon_threadsafe(self.flowing.set)

    def close(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


def plan(port: int, *functions: FunctionLoad, **changes: Any) -> LoadPlan:
    values = {"duration_s": 1.0, "arrivals": "uniform", "drain_s": 5.0, **changes}
    return LoadPlan(f"http://127.0.0.1:{port}", functions, **values)


def load(path: str, rate_per_s: float = 40.0, **changes: Any) -> FunctionLoad:
    values = {"name": path.strip("/"), "profile": ((0.0, rate_per_s),), "path": path, **changes}
    return FunctionLoad(**values)


def await_gone(pid: int) -> bool:
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False
