"""The ASGI application of one replica.

    GET  /ready                             200 when it can serve
    GET  /metrics                           counters in Prometheus' text format
    GET  /.well-known/windtunnel-staging    the staging's token: what a harness asks before it does any harm
    GET, PUT /_admin/defects                what is wrong with this replica (Envoy lets nobody in from outside)
    GET, PUT /_admin/conditions             what faults have changed about it
    PUT  /_admin/attempt                    try to have more of a resource, or of a quota, than a fault leaves it
    GET  /_admin/flag                       the release's flag as it has it, and what it answered with it on
    GET  /openapi.json                      what this version promises its callers
    GET  /_admin/busy                       how many requests it is at work on
    anything else                           the service itself: GET /catalogue, POST /checkout, POST /payments

Plain ASGI rather than a framework: at 100 orders/s over four services each layer shows on two cores.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaos.errors import StagingError
from chaos.staging.config import Defect
from chaos.staging.shop import openapi
from chaos.staging.shop.attempts import attempt
from chaos.staging.shop.conditions import Conditions
from chaos.staging.shop.service import Answer, Request, Service
from chaos.staging.shop.wire import (
    ATTEMPT_PATH,
    BUSY_PATH,
    CONDITIONS_PATH,
    DEFECTS_PATH,
    FLAG_PATH,
    MARKER_PATH,
    OPENAPI_PATH,
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class App:
    """ASGI callable around one Service."""

    def __init__(self, service: Service, token: str) -> None:
        self._service = service
        self._token = token

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"scope type(={scope['type']}) must be http")
        request = await _read(scope, receive)
        path = request.path
        if path == "/ready":
            answer = Answer(200, {"service": self._service.name, "version": self._service.version})
        elif path == MARKER_PATH:
            answer = Answer(200, {"id": self._token})
        elif path == "/metrics":
            await _send(send, 200, "text/plain", self._metrics().encode(), "")
            return
        elif path == DEFECTS_PATH:
            answer = self._defects(request)
        elif path == CONDITIONS_PATH:
            answer = self._conditions(request)
        elif path == ATTEMPT_PATH:
            answer = self._attempt(request)
        elif path == OPENAPI_PATH:
            breaks = any(defect.contract for defect in self._service.defects)
            answer = Answer(200, openapi.document(self._service.name, self._service.version, breaks=breaks))
        elif path == BUSY_PATH:
            answer = Answer(200, {"busy": self._service.counters.busy})
        elif path == FLAG_PATH:
            flag = self._service.flag
            answer = Answer(404, {"error": "no flag"}) if flag is None else Answer(200, flag.document())
        else:
            answer = await self._answer(request, receive)
        body = json.dumps(answer.document).encode()
        await _send(send, answer.status, "application/json", body, answer.versions)

    async def _answer(self, request: Request, receive: Receive) -> Answer:
        """The service's answer, counted by the flag where there is one."""
        flag = self._service.flag
        if flag is None:
            return await self._service.answer(request)
        # all of the request is read: what is received next is that its caller hung up
        gone = asyncio.ensure_future(receive())
        try:
            answer = await self._service.answer(request)
            if answer.flag_on:
                flag.count(answer.status, answer.took_s, hung_up=gone.done())
            return answer
        finally:
            gone.cancel()

    def _defects(self, request: Request) -> Answer:
        if request.method == "PUT":
            try:
                self._service.defects = tuple(Defect(**entry) for entry in json.loads(request.body))
            except (ValueError, TypeError, StagingError) as error:
                return Answer(400, {"error": str(error)})
        return Answer(200, [asdict(defect) for defect in self._service.defects])

    def _conditions(self, request: Request) -> Answer:
        if request.method == "PUT":
            try:
                self._service.meet(Conditions(**json.loads(request.body)))
            except (ValueError, TypeError) as error:
                return Answer(400, {"error": str(error)})
        usual = asdict(Conditions())
        # what it serves with, which for workers is what is there
        now = asdict(self._service.conditions) | {"workers": self._service.workers_changed()}
        return Answer(200, {key: value for key, value in now.items() if value != usual[key]})

    def _attempt(self, request: Request) -> Answer:
        try:
            told = json.loads(request.body)
            resource, most = str(told["resource"]), int(told["most"])
            if resource == "quota":
                return Answer(200, {"error": None if self._service.takes_at_once(most) else "429"})
            return Answer(200, {"error": attempt(resource, most, Path(told["folder"]))})
        except (ValueError, KeyError, TypeError) as error:
            return Answer(400, {"error": str(error)})

    def _metrics(self) -> str:
        service = self._service
        labels = f'service="{service.name}",version="{service.version}"'
        lines = [
            f'requests_total{{{labels},status="{status}"}} {count}'
            for status, count in sorted(service.counters.by_status.items())
        ]
        lines.append(f"request_seconds_sum{{{labels}}} {service.counters.seconds:.6f}")
        lines.append(f"requests_in_progress{{{labels}}} {service.counters.busy}")
        lines.append(f"requests_waiting{{{labels}}} {service.workers.waiting}")
        return "\n".join(lines) + "\n"


async def _read(scope: Message, receive: Receive) -> Request:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], headers, body)


async def _send(send: Send, status: int, kind: str, body: bytes, versions: str) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    if versions:
        headers.append((b"x-version", versions.encode("latin-1")))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
