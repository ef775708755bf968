"""The shop's parts without its processes: workers, defects, retries, the client."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from chaos.staging.config import CallConfig, Defect, ServiceConfig, ServiceTime, Symptom
from chaos.staging.envoy_config import cluster_name
from chaos.staging.shop.calls import BadStatus, DownstreamError, with_retries
from chaos.staging.shop.client import CallFailed, Pool, Response
from chaos.staging.shop.conditions import Conditions
from chaos.staging.shop.draws import service_time_s, stream, suffer
from chaos.staging.shop.reading import Reading
from chaos.staging.shop.service import Request, Service
from chaos.staging.shop.workers import Refused, Workers


def test_workers_are_taken_in_turn_and_places_run_out() -> None:
    async def run() -> list[str]:
        workers = Workers(1, 1)
        order: list[str] = []
        await workers.acquire()
        second = asyncio.create_task(workers.acquire())
        await asyncio.sleep(0)
        assert workers.waiting == 1
        try:
            await workers.acquire()
        except Refused:
            order.append("refused")
        workers.release()
        await second
        order.append("second")
        workers.release()
        await workers.acquire()
        order.append("third")
        return order

    assert asyncio.run(run()) == ["refused", "second", "third"]


def test_a_service_without_free_worker_or_place_answers_503() -> None:
    async def run() -> list[int]:
        config = ServiceConfig(workers=1, queue=0, service_time=ServiceTime("constant", 0.02))
        service = Service("payments", "1.0", config, random.Random(1))
        request = Request("POST", "/payments", {}, b'{"order": "a", "amount": 55}')
        answers = await asyncio.gather(*(service.answer(request) for _ in range(3)))
        assert {answer.versions for answer in answers} == {"payments=1.0"}
        return sorted(answer.status for answer in answers)

    assert asyncio.run(run()) == [200, 503, 503]


@pytest.mark.parametrize(
    ("time", "mean_s"),
    [
        (ServiceTime("constant", 0.02), 0.02),
        (ServiceTime("exponential", 0.02), 0.02),
        (ServiceTime("uniform", 0.01, 0.03), 0.02),
        (ServiceTime("lognormal", -4.0, 0.5), 0.0207542),  # exp(mu + sigma**2 / 2)
    ],
)
def test_service_times_have_their_mean(time: ServiceTime, mean_s: float) -> None:
    chance = stream(1, "checkout", "2.3", 0)
    draws = [service_time_s(time, chance) for _ in range(20_000)]
    # the widest has a standard deviation of its mean: five standard errors
    assert sum(draws) / len(draws) == pytest.approx(mean_s, rel=5 / 20_000**0.5)


def test_a_quota_is_met_without_using_it_up() -> None:
    async def run() -> list[object]:
        service = Service("payments", "1.0", ServiceConfig(), random.Random(1))
        service.meet(Conditions(quota_per_s=2.0))
        body = b'{"order": "a", "amount": 55}'
        told = [service.takes_at_once(2), service.takes_at_once(3), service.takes_at_once(3)]
        answers = [(await service.answer(Request("POST", "/payments", {}, body))).status for _ in range(3)]
        service.meet(Conditions())
        return [*told, *answers, service.takes_at_once(9)]

    assert asyncio.run(run()) == [True, False, False, 200, 200, 429, True]


def test_defects_add_up_for_the_cohort_they_touch() -> None:
    defects = (
        Defect("all", latency_factor=2.0),
        Defect("some", errors_ratio=1.0, latency_factor=3.0, latency_add_s=0.5, cohort="coupon"),
    )
    some = suffer(defects, "coupon", random.Random(1))
    assert (some.error, some.latency_factor, some.latency_add_s, some.lost_write) == (True, 6.0, 0.5, False)
    rest = suffer(defects, "default", random.Random(1))
    assert (rest.error, rest.latency_factor, rest.latency_add_s) == (False, 2.0, 0.0)
    behind = (Defect("behind", errors_ratio=1.0, flag=True),)
    assert [suffer(behind, "default", random.Random(1), flag_on=on).error for on in (False, True)] == [False, True]


def test_rows_are_written_wrong_for_the_cohort_that_meets_the_defect() -> None:
    defects = (Defect("wrong-sign", wrong_rows_ratio=1.0, cohort="coupon"),)
    found = {cohort: suffer(defects, cohort, random.Random(1)).wrong_row for cohort in ("coupon", "default")}
    assert found == {"coupon": True, "default": False}


class Rows:
    """A store whose looks find these, one after the other; an error is one that could not be made."""

    def __init__(self, *looks: bool | Exception) -> None:
        self.looks = list(looks)
        self.over = asyncio.Event()

    async def any_wrong(self, after_s: float) -> bool:
        assert after_s == 3.0
        if not self.looks:
            self.over.set()
            await asyncio.Event().wait()
        found = self.looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.mark.parametrize(
    ("looks", "fails"), [((True,), True), ((True, False), False), ((True, CallFailed("away"), TimeoutError()), True)]
)
def test_wrong_rows_hurt_until_a_look_finds_none(
    looks: tuple[bool | Exception, ...], fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaos.staging.shop.reading.LOOK_S", 0.0)

    async def run() -> list[bool]:
        rows = Rows(*looks)
        reading = Reading(rows, Symptom(3.0, 1.0, "coupon"))  # type: ignore[arg-type]
        watching = asyncio.create_task(reading.watch())
        await rows.over.wait()
        watching.cancel()
        return [reading.fails(cohort, random.Random(1)) for cohort in ("coupon", "default")]

    assert asyncio.run(run()) == [fails, False]


def attempts(*outcomes: Exception | str) -> tuple[Callable[[], Awaitable[str]], list[int]]:
    made: list[int] = []

    async def attempt() -> str:
        outcome = outcomes[len(made)]
        made.append(1)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return attempt, made


def test_retries_after_timeout_error_and_refusal() -> None:
    bad = BadStatus(Response(503, {"x-version": "payments=1.0"}))
    attempt, made = attempts(TimeoutError(), CallFailed("gone"), bad, "done")
    call = CallConfig(retries=3)
    assert asyncio.run(with_retries("payments", call, random.Random(1), attempt)) == "done"
    assert len(made) == 4


def test_the_last_attempt_says_how_it_ended() -> None:
    bad = BadStatus(Response(503, {"x-version": "payments=1.0"}))
    for outcomes, timed_out, version in (
        ((bad, TimeoutError()), True, ""),
        ((TimeoutError(), bad), False, "payments=1.0"),
    ):
        attempt, _ = attempts(*outcomes)
        with pytest.raises(DownstreamError) as caught:
            asyncio.run(with_retries("payments", CallConfig(retries=1), random.Random(1), attempt))
        assert (caught.value.timed_out, caught.value.version) == (timed_out, version)


def test_backoff_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    attempt, _ = attempts(TimeoutError(), TimeoutError(), TimeoutError(), "done")
    call = CallConfig(retries=3, backoff_base_s=0.1)
    asyncio.run(with_retries("payments", call, random.Random(1), attempt))
    assert waits == [0.1, 0.2, 0.4]


def test_the_client_keeps_connections_and_notices_when_they_end() -> None:
    connections = 0
    ended: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            for number in range(2):  # then it hangs up
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"POST /x HTTP/1.1\r\n")
                assert await reader.readexactly(2) == b"{}"
                body = str(number).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nX-Version: v\r\nContent-Length: 1\r\n\r\n" + body)
        except asyncio.IncompleteReadError:
            pass  # the client hung up first
        writer.close()
        await writer.wait_closed()

    async def track(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        ended.append(task)
        await task

    async def run() -> list[bytes]:
        server = await asyncio.start_server(track, "127.0.0.1", 0)
        pool = Pool("127.0.0.1", server.sockets[0].getsockname()[1])
        bodies = []
        async with server:
            for number in range(3):
                response = await pool.request("POST", "/x", {}, b"{}")
                assert (response.status, response.headers["x-version"]) == (200, "v")
                bodies.append(response.body)
                if number == 1:
                    await ended[0]
                    async with asyncio.timeout(5):
                        while pool._idle:  # until its goodbye is read
                            await asyncio.sleep(0.001)
            pool.close()
            await asyncio.gather(*ended)
        return bodies

    assert asyncio.run(run()) == [b"0", b"1", b"0"]
    assert connections == 2


def test_a_callee_that_is_not_there_is_a_failed_call() -> None:
    async def run() -> None:
        await Pool("127.0.0.1", 1).request("GET", "/", {})

    with pytest.raises(CallFailed):
        asyncio.run(run())


def test_cluster_names_have_no_dots() -> None:
    assert cluster_name("checkout", "2.3-rc.1") == "checkout--2_3-rc_1"
