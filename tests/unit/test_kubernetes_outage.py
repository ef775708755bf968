"""An API server that is away: waited for once, by all calls together, and told when a drill must not go on."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kubernetes import client

from chaos.kubernetes import api as api_module
from chaos.kubernetes.api import DEPLOYMENT, Api
from chaos.kubernetes.errors import NotAnswered, ObjectMissing

OUTAGE_S = 0.6


class Server(ThreadingHTTPServer):
    """Answers each request of a kind with the next of its statuses, 200 when there are none left."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: dict[str, list[int]] = {"deployments": [], "namespaces": []}
        self.asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        waiting = self.server.statuses["deployments" if "deployments" in self.path else "namespaces"]
        status = waiting.pop(0) if waiting else 200
        body = json.dumps({"metadata": {}, "message": "says the stand-in"}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(api_module, "_OUTAGE_S", OUTAGE_S)
    monkeypatch.setattr(api_module, "_AGAIN_S", 0.01)
    monkeypatch.setattr(api_module, "_SILENT_S", 0.2)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10.0)


def api_of(server: Server, patient: bool = False) -> Api:
    settings = client.Configuration(host=f"http://127.0.0.1:{server.server_address[1]}")
    settings.retries = 0
    return Api(client.ApiClient(settings), "shop", patient)


def away(api: Api) -> None:
    """From now on at an address where nobody listens."""
    api.connection.configuration.host = "http://127.0.0.1:9"


def test_server_that_comes_back_is_waited_for(server: Server) -> None:
    api = api_of(server)
    api.get(DEPLOYMENT, "shop")
    server.statuses["deployments"] = [503, 429, 500, 504, 404]
    with pytest.raises(ObjectMissing, match="404 says the stand-in"):  # an answer, and waited for no longer
        api.get(DEPLOYMENT, "shop")
    assert server.asked == 6


def test_server_that_stays_away_is_waited_for_once(server: Server) -> None:
    api = api_of(server)
    api.get(DEPLOYMENT, "shop")
    heard_s = time.monotonic()
    away(api)
    for _ in range(2):
        with pytest.raises(NotAnswered, match=r"Deployment shop: http://127\.0\.0\.1:9 did not answer"):
            api.get(DEPLOYMENT, "shop")
        assert time.monotonic() - heard_s >= OUTAGE_S
    began_s = time.monotonic()
    with pytest.raises(NotAnswered):
        api.get(DEPLOYMENT, "shop")
    assert time.monotonic() - began_s < OUTAGE_S


def test_call_that_alone_fails_ends_though_others_are_answered(server: Server) -> None:
    api = api_of(server)
    api.annotations()
    server.statuses["deployments"] = [500] * 10_000
    stopped = threading.Event()

    def others() -> None:
        while not stopped.wait(0.01):
            api.annotations()

    thread = threading.Thread(target=others)
    thread.start()
    try:
        with pytest.raises(NotAnswered, match="500 says the stand-in"):
            api.get(DEPLOYMENT, "shop")
    finally:
        stopped.set()
        thread.join(10.0)


def test_server_never_heard_is_waited_for_by_an_undo_alone(server: Server) -> None:
    for patient in (False, True):
        api = api_of(server, patient)
        server.statuses["namespaces"] = [503]
        if patient:
            assert api.annotations() == {}
            continue
        with pytest.raises(NotAnswered, match="503 says the stand-in"):
            api.annotations()
        assert server.asked == 1


def test_lost_when_silent_for_longer_than_a_moment(server: Server) -> None:
    api = api_of(server)
    assert api.lost() is None
    heard_s = time.monotonic()
    away(api)
    lost = api.lost()
    assert lost is None or time.monotonic() - heard_s > 0.2
    while time.monotonic() - heard_s <= 0.25:
        time.sleep(0.01)
    assert "127.0.0.1:9 did not answer" in (api.lost() or "")
    server.statuses["namespaces"] = [404]  # the namespace has gone: nothing to wait for
    fresh = api_of(server)
    assert "404 says the stand-in" in (fresh.lost() or "")
