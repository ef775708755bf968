"""Calls to other services: a time limit an attempt, retries, backoff."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from chaos.staging.config import CallConfig
from chaos.staging.shop.client import CallFailed, Pool, Response

Answer = TypeVar("Answer")


class DownstreamError(Exception):
    """The call failed for good; `timed_out` tells how its last attempt ended, `version` who answered it."""

    def __init__(self, message: str, timed_out: bool, version: str = "") -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.version = version


TOO_MANY_REQUESTS = 429


class BadStatus(Exception):
    """The callee answered 5xx, or that it is asked too often."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"status {response.status}")
        self.version = response.headers.get("x-version", "")


async def http(
    pool: Pool,
    timeout_s: float | None,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
) -> Response:
    """One attempt. A timed-out one is abandoned: its connection is closed, the callee works on."""
    async with asyncio.timeout(timeout_s):
        response = await pool.request(method, path, headers, body)
    if response.status >= 500 or response.status == TOO_MANY_REQUESTS:
        raise BadStatus(response)
    return response


async def with_retries(
    name: str, call: CallConfig, chance: random.Random, attempt: Callable[[], Awaitable[Answer]]
) -> Answer:
    """Try once and `retries` times more, after a timeout, an error or a refusal. Raises DownstreamError."""
    for number in range(call.retries + 1):
        if number > 0 and call.backoff_base_s > 0:
            wait_s = call.backoff_base_s * 2.0 ** (number - 1)
            await asyncio.sleep(chance.uniform(0.0, wait_s) if call.jitter == "full" else wait_s)
        try:
            return await attempt()
        except (TimeoutError, CallFailed, BadStatus) as error:
            last: Exception = error
    reason = str(last) or type(last).__name__
    raise DownstreamError(f"{name}: {reason}", isinstance(last, TimeoutError), getattr(last, "version", "")) from last
