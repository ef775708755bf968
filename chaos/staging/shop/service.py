"""What one replica does with a request: wait for a worker, work, suffer its defects, call on, answer.

The order is the simulator's: a place or a refusal (503); the service time, stretched by the defects; their errors
(500); then the calls one after the other, each with its own limit and retries (502, or 504 when it timed out).
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from chaos.staging.config import CallConfig, Defect, ServiceConfig
from chaos.staging.shop import calls
from chaos.staging.shop.client import Pool, Response
from chaos.staging.shop.conditions import Conditions, QuotaMeter
from chaos.staging.shop.draws import Suffered, service_time_s, suffer
from chaos.staging.shop.orders import Order
from chaos.staging.shop.tracing import Tracing
from chaos.staging.shop.wire import COHORT_HEADER, MIRRORED_HEADER
from chaos.staging.shop.workers import Refused, Workers

if TYPE_CHECKING:  # only checkout pays for importing the database driver, and a new version for its flag's
    from chaos.staging.shop.flag import Flag
    from chaos.staging.shop.payments_ledger import PaymentsLedger
    from chaos.staging.shop.reading import Reading
    from chaos.staging.shop.store import OrderStore

PASSED_ON = (COHORT_HEADER, MIRRORED_HEADER, "x-function", "traceparent", "tracestate", "content-type")
ITEMS = [{"sku": f"sku-{number:03d}", "price": 5 + number} for number in range(10)]


@dataclass
class Request:
    """A request as the handlers see it. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def cohort(self) -> str:
        """The caller's cohort."""
        return self.headers.get(COHORT_HEADER, "default")

    @property
    def mirrored(self) -> bool:
        """Whether it is a copy, which nobody waits for: it must leave nothing behind."""
        return MIRRORED_HEADER in self.headers

    @property
    def trace_id(self) -> str:
        """Of its W3C trace context; empty without one."""
        return self.headers.get("traceparent", "").partition("-")[2].partition("-")[0]


@dataclass
class Answer:
    """A status, a JSON document, and the versions that had a part in it, nearest first."""

    status: int
    document: Any
    versions: str = ""
    took_s: float = 0.0
    flag_on: bool = False


@dataclass
class Counters:
    """What /metrics shows."""

    by_status: dict[int, int] = field(default_factory=dict)
    busy: int = 0
    seconds: float = 0.0


class Service:
    """One replica of one service."""

    def __init__(self, name: str, version: str, config: ServiceConfig, chance: random.Random) -> None:
        self.name = name
        self.version = version
        self.config = config
        self.defects: tuple[Defect, ...] = ()
        self.conditions = Conditions()
        self.quota = QuotaMeter()
        self.chance = chance
        self.workers = Workers(config.workers, config.queue)
        self.pools: dict[str, tuple[Pool, CallConfig]] = {}
        self.store: tuple[OrderStore, CallConfig] | None = None
        self.reading: Reading | None = None
        self.ledger: PaymentsLedger | None = None
        self.counters = Counters()
        self.flag: Flag | None = None
        self.tracing = Tracing()

    def meet(self, conditions: Conditions) -> None:
        """Serve under these from now on."""
        self.conditions = conditions
        self.workers.resize(conditions.workers or self.config.workers)

    def workers_changed(self) -> int | None:
        """How many workers there are, if a fault said so or they are not as configured."""
        usual = self.conditions.workers is None and self.workers.count == self.config.workers
        return None if usual else self.workers.count

    def takes_at_once(self, requests: int) -> bool:
        """Whether so many would all be within the quota; nothing of it is used up by that."""
        meter = copy(self.quota)
        return all(meter.lets(self.conditions.quota_per_s) for _ in range(requests))

    async def answer(self, request: Request) -> Answer:
        """Serve one request to its end, traced and counted."""
        path = request.path.partition("?")[0]
        with self.tracing.serving(
            f"{request.method} {path}", request.headers, request.cohort, mirrored=request.mirrored
        ) as span:
            answer = await self._counted(request)
            if answer.status >= 400:
                self.tracing.failed(span, f"status {answer.status}: {answer.document.get('error', '')}")
        return answer

    async def _counted(self, request: Request) -> Answer:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self.counters.busy += 1
        flag_on = self.flag is not None and self.flag.on(request.trace_id or str(self.chance.random()), request.cohort)
        try:
            answer = await self._serve(request, flag_on)
        finally:
            self.counters.busy -= 1
            self.counters.seconds += loop.time() - began_s
        answer.took_s, answer.flag_on = loop.time() - began_s, flag_on
        own = f"{self.name}={self.version}"
        answer.versions = f"{own},{answer.versions}" if answer.versions else own
        self.counters.by_status[answer.status] = self.counters.by_status.get(answer.status, 0) + 1
        return answer

    async def _serve(self, request: Request, flag_on: bool) -> Answer:
        if not self.quota.lets(self.conditions.quota_per_s):
            return Answer(429, {"error": f"{self.name}: above its quota"})
        try:
            await self.workers.acquire()
        except Refused:
            return Answer(503, {"error": f"{self.name}: all workers busy, no waiting place"})
        suffered = suffer(self.defects, request.cohort, self.chance, flag_on=flag_on)
        held = True
        try:
            own_s = service_time_s(self.config.service_time, self.chance)
            await asyncio.sleep(own_s * suffered.latency_factor + suffered.latency_add_s)
            if suffered.error:
                return Answer(500, {"error": f"{self.name} {self.version}: defect"})
            if self.reading is not None and self.reading.fails(request.cohort, self.chance):
                return Answer(500, {"error": f"{self.name} {self.version}: an order in the books cannot be read"})
            if not self.config.holds_worker:
                self.workers.release()
                held = False
            return await self._then(request, suffered)
        except calls.DownstreamError as error:
            return Answer(504 if error.timed_out else 502, {"error": str(error)}, error.version)
        finally:
            if held:
                self.workers.release()

    async def _then(self, request: Request, suffered: Suffered) -> Answer:
        if self.name == "edge":
            return await self._forward(request)
        if self.name == "checkout":
            return await self._order(request, suffered)
        if self.name == "catalogue":
            return Answer(200, {"items": ITEMS})
        return self._pay(request)

    def _pay(self, request: Request) -> Answer:
        """Written down before it is acknowledged; a copy pays nothing."""
        try:
            payment = json.loads(request.body)
            order_id, amount = str(payment["order"]), float(payment["amount"])
        except (ValueError, KeyError, TypeError) as error:
            return Answer(400, {"error": f"payment: {error!r}; must be JSON with an order and an amount"})
        if self.ledger is not None and not request.mirrored:
            self.ledger.take(order_id, amount)
        return Answer(200, {"paid": True})

    async def _forward(self, request: Request) -> Answer:
        callee = request.path.split("?")[0].strip("/").split("/")[0]
        if callee not in self.pools:
            return Answer(404, {"error": f"no such page: {request.path}"})
        response = await self._call(callee, request, request.method, request.path, request.body)
        return Answer(response.status, json.loads(response.body), response.headers.get("x-version", ""))

    async def _order(self, request: Request, suffered: Suffered) -> Answer:
        if request.method != "POST":
            return Answer(405, {"error": f"{request.method} must be POST"})
        try:
            order = self._parse(request)
        except (ValueError, KeyError, TypeError) as error:
            return Answer(400, {"error": f"order: {error!r}; must be JSON with an order_id"})
        payment = json.dumps({"order": order.id, "amount": order.amount}).encode()
        paid = await self._call("payments", request, "POST", "/payments", payment)
        versions = paid.headers.get("x-version", "")
        if suffered.wrong_row:
            order = replace(order, amount=-order.amount)
        if not suffered.lost_write:
            await self._store(order, keep=not request.mirrored)
        return Answer(201, {"order_id": order.id}, versions)

    def _parse(self, request: Request) -> Order:
        data = json.loads(request.body)
        function = request.headers.get("x-function") or data.get("function", "checkout")
        cohort = request.headers.get("x-cohort") or data.get("cohort", "default")
        return Order(str(data["order_id"]), function, cohort, float(data.get("amount", 0)), self.version)

    async def _store(self, order: Order, *, keep: bool) -> None:
        assert self.store is not None
        store, call = self.store
        timeout_s = self.conditions.call_timeout_s or call.timeout_s

        async def attempt() -> None:
            with self.tracing.calling("orders"):
                await store.write(order, timeout_s, keep=keep)

        await calls.with_retries("orders", call, self.chance, attempt)

    async def _call(self, callee: str, request: Request, method: str, path: str, body: bytes) -> Response:
        pool, call = self.pools[callee]
        timeout_s = self.conditions.call_timeout_s or call.timeout_s
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}

        async def attempt() -> Response:
            with self.tracing.calling(callee) as context:
                return await calls.http(pool, timeout_s, method, path, headers | context, body)

        return await calls.with_retries(callee, call, self.chance, attempt)
