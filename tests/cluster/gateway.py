"""A stand-in for a gateway and for the processes of simulated pods, which have none.

It follows the HTTPRoute as the cluster has it, as a gateway's controller does, says that it accepts it, and sends each
request by the rule that fits best, by weights, to a ready pod of the Service (EndpointSlice), or answers 503 where it
has none. In a pod's place it answers by the version that the pod's image is, and counts that for a Prometheus. When
the API server is away it goes on with what it knew, as gateways do.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chaos.kubernetes.api import HTTP_ROUTE, Api
from chaos.kubernetes.errors import KubernetesError, NotAnswered, ObjectMissing
from tests.cluster.shop_objects import CANARY, ENDPOINT_SLICE, STABLE, image

VERSION_OF = {image(version): version for version in (STABLE, CANARY)}


@dataclass
class Gateway:
    """`fails`: the share of its requests that a version fails.

    `answers` are counted by cohort, version ("" where no pod was there) and status, `copies` by version and status,
    `by_generation` by cohort and version for each generation of the route, as it was in force here.
    """

    api: Api
    token: str
    fails: Mapping[str, float] = field(default_factory=dict)
    answers: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    copies: Counter[tuple[str, int]] = field(default_factory=Counter)
    by_generation: defaultdict[int, Counter[tuple[str, str]]] = field(default_factory=lambda: defaultdict(Counter))

    def __post_init__(self) -> None:
        self._random = random.Random(7)
        self._mutex = threading.Lock()
        self._generation = 0
        self._rules: list[dict[str, Any]] = []
        self._ready: dict[str, list[str]] = {}
        self.url = ""

    # -- controller -----------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Take in what the cluster has, and say that it is in force."""
        body = self.api.get(HTTP_ROUTE, "checkout")
        images = {
            pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in self.api.pods("app=checkout")
        }
        ready: dict[str, list[str]] = {}
        for each in self.api.all(ENDPOINT_SLICE):
            service = each["metadata"]["labels"]["kubernetes.io/service-name"]
            names = [end["targetRef"]["name"] for end in each.get("endpoints") or [] if end["conditions"].get("ready")]
            ready.setdefault(service, []).extend(VERSION_OF[images[name]] for name in names if name in images)
        with self._mutex:
            self._generation, self._rules, self._ready = body["metadata"]["generation"], body["spec"]["rules"], ready
        said = {
            "status": "True",
            "reason": "StandIn",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": body["metadata"]["generation"],
        }
        conditions = [{"type": kind, **said} for kind in ("Accepted", "ResolvedRefs")]
        parent = {"parentRef": {"name": "edge"}, "controllerName": "example.invalid/edge", "conditions": conditions}
        if body.get("status", {}).get("parents") != [parent]:
            self.api.patch(HTTP_ROUTE, "checkout", {"status": {"parents": [parent]}}, part="status")

    # -- data plane -----------------------------------------------------------------------------------------------

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """As the gateway's clients get it."""
        if path == "/metrics":
            return 200, self._metrics().encode()
        if path == "/.well-known/windtunnel-staging":
            return 200, json.dumps({"id": self.token}).encode()
        with self._mutex:
            fitting = [(fit, rule) for rule in self._rules for fit in fits(rule, path, headers)]
            if not fitting:
                return 404, b""
            _, rule = max(fitting, key=lambda each: each[0])
            refs = rule["backendRefs"]
            (ref,) = self._random.choices(refs, [each["weight"] for each in refs])
            for mirror in rule.get("filters", []):
                fraction = mirror["requestMirror"].get("fraction", {"numerator": 1, "denominator": 1})
                if self._random.random() < fraction["numerator"] / fraction["denominator"]:
                    self._copy(mirror["requestMirror"]["backendRef"]["name"])
            version = self._pod(ref["name"])
            status = 503 if not version else self._status(version)
            cohort = headers.get("x-cohort", "")
            self.answers[cohort, version, status] += 1
            self.by_generation[self._generation][cohort, version] += 1
        return status, b"{}"

    def _pod(self, service: str) -> str:
        ready = self._ready.get(service)
        return self._random.choice(ready) if ready else ""

    def _status(self, version: str) -> int:
        return 500 if self._random.random() < self.fails.get(version, 0.0) else 200

    def _copy(self, service: str) -> None:
        version = self._pod(service)
        if version:
            self.copies[version, self._status(version)] += 1

    def _metrics(self) -> str:
        with self._mutex:
            counts = Counter(self.copies)
            for (_, version, status), count in self.answers.items():
                counts[version, status] += count
        lines = [
            f'http_requests_total{{service="checkout",version="{version}",code="{status}"}} {counts[version, status]}'
            for version in (STABLE, CANARY)
            for status in (200, 500)
        ]
        return "\n".join(["# TYPE http_requests_total counter", *lines, ""])


def fits(rule: dict[str, Any], path: str, headers: Mapping[str, str]) -> Iterator[tuple[bool, int, int]]:
    """How well each match of a rule fits, as the Gateway API orders it: exact path, its length, number of headers."""
    for match in rule["matches"]:
        wanted, asked = match["path"], match.get("headers", [])
        exact = wanted["type"] == "Exact"
        right = path == wanted["value"] if exact else path.startswith(wanted["value"])
        if right and all(headers.get(each["name"].lower()) == each["value"] for each in asked):
            yield exact, len(wanted["value"]), len(asked)


def _handler(gateway: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, body = gateway.answer(self.path, headers)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # connections that clients keep open


@contextmanager
def serving(gateway: Gateway) -> Iterator[Gateway]:
    """Both its parts at work."""
    stopped = threading.Event()
    failures: list[KubernetesError] = []

    def control() -> None:
        while not stopped.wait(0.1):
            try:
                gateway.follow()
            except (NotAnswered, ObjectMissing):
                pass  # what it knew stays in force; at first nothing
            except KubernetesError as error:
                failures.append(error)
                return

    with _Server(("127.0.0.1", 0), _handler(gateway)) as server:
        gateway.url = f"http://127.0.0.1:{server.server_address[1]}"
        workers: list[Callable[[], None]] = [control, server.serve_forever]
        threads = [threading.Thread(target=work) for work in workers]
        for thread in threads:
            thread.start()
        try:
            yield gateway
        finally:
            stopped.set()
            server.shutdown()
            for thread in threads:
                thread.join(70.0)
    assert not failures, failures
