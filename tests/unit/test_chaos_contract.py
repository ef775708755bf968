"""The contract check without a staging: documents of the shop, oasdiff's answers, calls replayed against servers."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from chaos.contract import oasdiff
from chaos.contract.check import ContractBroken, ContractReport
from chaos.contract.oasdiff import Breaking, DocumentInvalid
from chaos.contract.replay import TIMES, Call, calls_of, replay
from chaos.errors import ChaosError
from chaos.realise import defects_of
from chaos.staging.adapter import Request
from chaos.staging.shop.openapi import document
from scenarios.loading import load
from windtunnel.cli.exits import ExitCode

ORDER = Request("POST", "/checkout", '{"order_id": "$id", "amount": 55}', "orders")
CALL = Call("edge", "checkout", "coupon", ORDER)


_ORDERS = """
openapi: 3.1.0
info: {title: orders, version: "1"}
paths:
  /orders:
    get:
      responses:
        "200":
          description: the order
          content: {application/json: {schema: {type: object, properties: {id: {type: string}, state: {type: string}}}}}
        "404": {description: no such order}
"""


class Server(ThreadingHTTPServer):
    """Answers every call alike, and keeps what it was sent."""

    def __init__(self, status: int, body: object) -> None:
        self.seen: list[dict[str, str]] = []
        self.answer = (status, json.dumps(body).encode())
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        sent = self.rfile.read(int(self.headers["content-length"])).decode()
        server.seen.append({"body": sent, **{name.lower(): value for name, value in self.headers.items()}})
        status, body = server.answer
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def versions() -> Iterator[list[Server]]:
    servers = [Server(201, {"order_id": "1"}), Server(201, {"order_id": "2"}), Server(400, {"error": "currency"})]
    threads = [threading.Thread(target=each.serve_forever, daemon=True) for each in servers]
    for thread in threads:
        thread.start()
    yield servers
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join(5)
        server.server_close()


def test_calls_that_are_answered_otherwise_are_found(versions: list[Server]) -> None:
    """Values may differ, names of fields may not; every call has an id of its own and is marked as a copy."""
    old, same, broken = (each.server_address[1] for each in versions)
    assert replay([CALL], old, same) == []
    (difference,) = replay([CALL], old, broken)
    assert difference.old == {"201 {order_id}": TIMES}
    assert difference.new == {"400 {error}": TIMES}
    assert "POST /checkout (edge, for checkout as coupon): the old version answers 201" in str(difference)
    seen = versions[2].seen
    assert {(each["x-mirrored"], each["x-cohort"]) for each in seen} == {("true", "coupon")}
    assert len({json.loads(each["body"])["order_id"] for each in seen}) == TIMES
    with pytest.raises(ChaosError, match="at port 1"):
        replay([CALL], old, 1)


def test_consumers_are_those_who_come_before_the_service() -> None:
    functions = {
        "checkout": (["edge", "checkout"], ("default", "coupon"), ORDER),
        "browse": (["edge", "catalogue"], ("default",), Request("GET", "/catalogue")),
    }
    found = [(call.consumer, call.function, call.cohort) for call in calls_of("checkout", functions)]
    assert found == [("edge", "checkout", "default"), ("edge", "checkout", "coupon")]
    assert {call.consumer for call in calls_of("edge", functions)} == {"client"}


@pytest.mark.parametrize("service", ["edge", "catalogue", "checkout", "payments"])
def test_a_version_that_breaks_the_contract_says_so(service: str) -> None:
    kept, broken = (document(service, "2.4", breaks=breaks) for breaks in (False, True))
    assert kept["paths"].keys() == broken["paths"].keys()
    assert ("currency" in json.dumps(kept), "currency" in json.dumps(broken)) == (False, True)
    if oasdiff.OASDIFF.find() is None:
        pytest.skip("oasdiff is neither on PATH nor in the cache: `windtunnel contract shop-contract` builds it once")
    assert oasdiff.breaking(kept, kept) == []
    assert {each.kind for each in oasdiff.breaking(kept, broken)} <= {
        "new-required-request-property", "new-required-request-parameter",
    }  # fmt: skip
    assert len(oasdiff.breaking(kept, broken)) == len(kept["paths"])


def fake(folder: Path, script: str) -> Path:
    path = folder / "oasdiff"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_oasdiff_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    fake(tmp_path, "echo no such spec >&2; exit 102")
    shop = document("checkout", "2.3", breaks=False)
    with pytest.raises(DocumentInvalid, match="oasdiff: no such spec"):
        oasdiff.breaking(shop, shop)
    fake(tmp_path, "echo out of memory >&2; exit 2")
    with pytest.raises(ChaosError, match="oasdiff failed with code 2: out of memory"):
        oasdiff.breaking(shop, shop)
    entry = {"id": "removed", "text": "removed it", "operation": "GET", "path": "/x", "level": 3}
    fake(tmp_path, f"echo '{json.dumps([entry])}'")
    assert oasdiff.breaking(shop, shop) == [Breaking("/x", "GET", "removed", "removed it")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "cannot be read"),
        ("hello: 1", "openapi: None: must be a version 3"),
        ('{"swagger": "2.0", "paths": {"/x": {"get": {}}}}', "openapi: None: must be a version 3"),
        ("openapi: 3.0.3\npaths: {}", "paths: must have an operation"),
    ],
)
def test_a_document_that_promises_nothing_is_refused(
    text: str, problem: str, tmp_path: Path, windtunnel: Callable[..., Any]
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.yaml"
    good.write_text(json.dumps(document("checkout", "2.3", breaks=False)), encoding="utf-8")
    bad.write_text(text, encoding="utf-8")
    for pair in ((good, bad), (bad, good)):
        result = windtunnel("contract", "--documents", *map(str, pair))
        assert result.code == ExitCode.USAGE
        assert f"{bad}: {problem}" in result.err


def test_two_files_are_compared(tmp_path: Path, windtunnel: Callable[..., Any]) -> None:
    """What oasdiff only mentions counts: an optional field or header, and a status that is no success."""
    if oasdiff.OASDIFF.find() is None:
        pytest.skip("oasdiff is neither on PATH nor in the cache: `windtunnel contract shop-contract` builds it once")
    old, new = tmp_path / "old.yaml", tmp_path / "new.json"
    old.write_text(_ORDERS, encoding="utf-8")
    there: Any = YAML(typ="safe").load(_ORDERS)
    there["paths"]["/orders"]["get"]["responses"]["200"]["headers"] = {"X-Left": {"schema": {"type": "integer"}}}
    old.write_text(json.dumps(there), encoding="utf-8")
    new.write_text(json.dumps(there), encoding="utf-8")
    assert windtunnel("contract", "--documents", str(old), str(new)).code == 0
    responses = there["paths"]["/orders"]["get"]["responses"]
    del (
        responses["404"],
        responses["200"]["headers"],
        responses["200"]["content"]["application/json"]["schema"]["properties"]["state"],
    )
    new.write_text(json.dumps(there), encoding="utf-8")
    result = windtunnel("contract", "--documents", str(old), str(new), "--json")
    assert result.code == ExitCode.FAIL
    assert sorted(each["kind"] for each in json.loads(result.out)["breaking"]) == [
        "optional-response-header-removed",
        "response-non-success-status-removed",
        "response-optional-property-removed",
    ]
    assert windtunnel("contract", "shop-contract", "--documents", str(old), str(new)).code == ExitCode.USAGE
    assert windtunnel("contract").code == ExitCode.USAGE


def test_a_broken_contract_tells_every_difference() -> None:
    broken = ContractReport("checkout", "2.3", "2.4", (Breaking("/x", "GET", "removed", "removed it"),), 3, ())
    with pytest.raises(ContractBroken, match=r"breaks the contract of 2.3:\n  document: GET /x: removed it"):
        broken.require_kept()
    assert broken.to_json()["breaking"] == [vars(broken.breaking[0])]
    kept = ContractReport("checkout", "2.3", "2.4", (), 3, ())
    kept.require_kept()
    assert kept.kept


def test_the_scenarios_defect_is_the_shops() -> None:
    scenario = load("shop-contract")[0]
    assert defects_of(scenario, ["currency-required"], scenario.release.strategy)[0].contract
