"""Each rule of the gate refuses with its own error, and a listed staging with its marker passes."""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chaos.safety import targets
from chaos.safety.errors import (
    AddressNotAllowed,
    MarkerMismatch,
    MarkerMissing,
    MarkerUnreachable,
    ProductionLikeTarget,
    TargetNotListed,
    TargetRefused,
)
from chaos.safety.targets import LOOPBACK, MARKER_PATH, AllowList, preflight

TOKEN = "token-of-this-staging"


@contextmanager
def server(status: int, body: bytes, headers: dict[str, str] | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == MARKER_PATH else 200)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}"
        finally:
            http.shutdown()
            thread.join(5)


def marker(token: str) -> bytes:
    return json.dumps({"id": token}).encode()


def test_a_listed_loopback_staging_with_its_marker_passes() -> None:
    with server(200, marker(TOKEN)) as url:
        assert preflight(url, TOKEN).addresses == ("127.0.0.1",)


@pytest.mark.parametrize(
    "host",
    [
        "prod.example.com", "shop-production-1.internal", "live.shop", "eu.prd2.x", "shop.PROD", "eu_prod_1",
        "dbprod01.x", "shopprd", "prodweb-3", "prdapi.x", "live2", "non-prod.x", "pre-prod.x",
    ],
)  # fmt: skip
def test_a_name_that_looks_like_production_is_refused_even_when_listed(host: str) -> None:
    allow = AllowList(frozenset({host}), LOOPBACK.networks)
    with pytest.raises(ProductionLikeTarget, match="looks like production"):
        preflight(f"http://{host}:80", TOKEN, allow)


@pytest.mark.parametrize(
    "host",
    [
        "product.test",
        "delivery.test",
        "liver.test",
        "nonprod",
        "preprod2.x",
        "alive-1",
        "livestock",
        "reproduce",
        "prodigy",
    ],
)
def test_names_that_only_contain_such_letters_do_not(host: str) -> None:
    with pytest.raises(TargetNotListed):
        preflight(f"http://{host}:80", TOKEN)


def test_an_unlisted_host_is_refused() -> None:
    with pytest.raises(TargetNotListed, match=r"'staging.example.com' is not on the allow-list"):
        preflight("http://staging.example.com", TOKEN)


def test_one_address_outside_the_networks_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [(0, 0, 0, "", ("127.0.0.1", 80)), (0, 0, 0, "", ("203.0.113.7", 80))]
    monkeypatch.setattr(targets.socket, "getaddrinfo", lambda *a, **k: rows)
    with pytest.raises(AddressNotAllowed, match=r"resolves to 203.0.113.7, outside"):
        preflight("http://localhost:80", TOKEN)


def test_another_name_of_production_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(0, 0, 0, "shop.prod.internal", ("127.0.0.1", 80)), (0, 0, 0, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(targets.socket, "getaddrinfo", lambda *a, **k: rows)
    with pytest.raises(
        ProductionLikeTarget, match=r"another name of 'shop.prod.internal', which looks like production"
    ):
        preflight("http://localhost:80", TOKEN)


def test_a_listed_address_outside_the_networks_is_refused() -> None:
    allow = AllowList(frozenset({"127.0.0.1"}), (ipaddress.ip_network("10.0.0.0/8"),))
    with pytest.raises(AddressNotAllowed):
        preflight("http://127.0.0.1:80", TOKEN, allow)


def test_a_name_that_does_not_resolve_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(targets.socket, "getaddrinfo", fail)
    with pytest.raises(AddressNotAllowed, match="does not resolve"):
        preflight("http://localhost:80", TOKEN)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b""),
        (499, marker(TOKEN)),
        (200, b"hello"),
        (200, b"{}"),
        (200, b"[]"),
        (200, marker(TOKEN).ljust(4097)),
    ],
)
def test_a_target_without_a_marker_is_refused(status: int, body: bytes) -> None:
    with server(status, body) as url, pytest.raises(MarkerMissing, match="marker") as refused:
        preflight(url, TOKEN)
    assert refused.type is MarkerMissing


@pytest.mark.parametrize("status", [500, 503])
def test_of_a_target_that_fails_nothing_is_known(status: int) -> None:
    with server(status, marker(TOKEN)) as url, pytest.raises(MarkerUnreachable, match=f"answered {status}"):
        preflight(url, TOKEN)


def test_a_marker_may_have_some_room() -> None:
    with server(200, marker(TOKEN).ljust(4096)) as url:
        preflight(url, TOKEN)


def test_a_redirect_to_a_marker_is_not_followed() -> None:
    with (
        server(200, marker(TOKEN)) as real,
        server(302, b"", {"location": real + MARKER_PATH}) as url,
        pytest.raises(MarkerMissing, match="302"),
    ):
        preflight(url, TOKEN)


def test_a_proxy_of_the_environment_cannot_answer_for_the_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with server(200, marker(TOKEN)) as proxy, server(404, b"") as url:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(MarkerMissing):
            preflight(url, TOKEN)


def test_nothing_listening_is_refused() -> None:
    with server(200, b"") as url:
        pass
    with pytest.raises(MarkerUnreachable, match="no staging marker"):
        preflight(url, TOKEN)


def test_the_marker_of_another_staging_is_refused() -> None:
    with server(200, marker("another")) as url, pytest.raises(MarkerMismatch, match="another"):
        preflight(url, TOKEN)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:80",
        "https://127.0.0.1",
        "ftp://127.0.0.1",
        "http://",
        "http://u:p@127.0.0.1",
        "http://u@127.0.0.1",
        "http://127.0.0.1:99999",
        "http://[x",
    ],
)
def test_what_is_not_a_plain_http_url_is_refused(url: str) -> None:
    with pytest.raises(TargetRefused, match=r"must be http://host:port, without user or password|is not a URL"):
        preflight(url, TOKEN)
