"""A staging is up when its shop takes an order: one that is slow, silent or broken is told as such."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaos.staging.starting import Start

ORDER = {"order_id": "up-1", "amount": 1}


@contextmanager
def shop(order: int, goods: int, silent: threading.Event | None = None) -> Iterator[int]:
    """Answers orders and questions for goods with these statuses; when `silent`, after that is set."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int) -> None:
            if silent is not None:
                silent.wait(10.0)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self._answer(order)

        def do_GET(self) -> None:
            self._answer(goods)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            if silent is not None:
                silent.set()
            server.shutdown()
            thread.join()


def refused(folder: Path, port: int, within_s: float) -> str | None:
    start = Start(cast("Any", SimpleNamespace(folder=folder)), print)
    return start._refused(port, ORDER, time.monotonic() + within_s)


@pytest.mark.parametrize(
    ("order", "goods", "says"),
    [
        (201, 200, None),
        (503, 200, "POST /checkout: status(=503) must be 201: "),
        (201, 502, "GET /catalogue: status(=502) must be 200: "),
    ],
)
def test_the_shop_must_take_an_order_and_show_its_goods(
    tmp_path: Path, order: int, goods: int, says: str | None
) -> None:
    with shop(order, goods) as port:
        assert refused(tmp_path, port, 10.0) == says


def test_a_shop_that_does_not_answer_is_told_and_no_defect_of_ours(tmp_path: Path) -> None:
    with shop(201, 200, threading.Event()) as port:
        assert refused(tmp_path, port, 0.2) == "POST /checkout: TimeoutError: timed out"
    said = refused(tmp_path, port, 0.2)  # nobody listens there any more
    assert said is not None
    assert said.startswith("POST /checkout: ConnectionRefusedError: ")
