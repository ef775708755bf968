"""Each consumer's calls, made to both versions: what the new one answers otherwise than the old one.

Calls go to a replica itself, past the router, and are marked as copies: nothing of what they write stays.
"""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from chaos.errors import ChaosError
from chaos.staging.adapter import Request
from chaos.staging.ports import LOOPBACK
from chaos.staging.shop.wire import COHORT_HEADER, MIRRORED_HEADER

__all__ = ["Call", "Difference", "calls_of", "replay"]

# So often that what a version does to one call in five is missed once in eighty.
TIMES = 20
_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Call:
    """What a consumer sends to the service: for a business function, as a cohort."""

    consumer: str
    function: str
    cohort: str
    request: Request

    def __str__(self) -> str:
        """As a person reads it."""
        who = f"{self.consumer}, for {self.function}" + (f" as {self.cohort}" if self.cohort != "default" else "")
        return f"{self.request.method} {self.request.path} ({who})"


@dataclass(frozen=True)
class Difference:
    """A call that the versions answer differently; answers as `201 {order_id}`, with how many of the calls had it."""

    call: Call
    old: dict[str, int]
    new: dict[str, int]

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.call}: the old version answers {_told(self.old)}, the new one {_told(self.new)}"


def replay(calls: Sequence[Call], old_port: int, new_port: int) -> list[Difference]:
    """Calls whose answers differ in status or in shape. Raises ChaosError when a replica does not answer at all."""
    found = []
    for call in calls:
        old, new = (Counter(_answer(call, port) for _ in range(TIMES)) for port in (old_port, new_port))
        if set(new) - set(old):
            found.append(Difference(call, dict(old), dict(new)))
    return found


def calls_of(service: str, functions: Mapping[str, tuple[Sequence[str], Sequence[str], Request]]) -> Iterator[Call]:
    """The calls to a service, of business functions by name: path, cohorts, and the client's request.

    The shop's callers pass a client's request on as it is.
    """
    for name, (path, cohorts, request) in functions.items():
        if service in path:
            place = list(path).index(service)
            consumer = path[place - 1] if place else "client"
            for cohort in cohorts:
                yield Call(consumer, name, cohort, request)


def _answer(call: Call, port: int) -> str:
    body = call.request.body
    sent = None if body is None else body.replace("$id", f"contract-{uuid4()}").encode()
    headers = {COHORT_HEADER: call.cohort, MIRRORED_HEADER: "true", "content-type": "application/json"}
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_S)
    try:
        connection.request(call.request.method, call.request.path, sent, headers)
        response = connection.getresponse()
        return f"{response.status} {_shape(response.read())}"
    except (OSError, http.client.HTTPException) as error:
        raise ChaosError(f"{call} at port {port}: {error}") from error
    finally:
        connection.close()


def _shape(body: bytes) -> str:
    try:
        return _shape_of(json.loads(body))
    except ValueError:
        return "no JSON"


def _shape_of(value: Any) -> str:
    """Names of an object's fields, and of what a list holds; no values."""
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(sorted({_shape_of(each) for each in value})) + "]"
    return type(value).__name__


def _told(answers: dict[str, int]) -> str:
    return ", ".join(f"{answer} ({count} of {TIMES})" for answer, count in sorted(answers.items()))
