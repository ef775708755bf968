"""What a connection of our own meets on a link: that a fault is in force is felt, not only read from a configuration.

The question is one that the callee's side answers at once, without a service or a table being touched: so silence, a
late answer or a broken connection are the fault's.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Literal

from chaos.staging.ports import LOOPBACK
from chaos.staging.shop.wire import COHORT_HEADER

_CONNECT_TIMEOUT_S = 2.0
_CHUNK = 65_536

__all__ = ["HTTP", "PADDING_BYTES", "POSTGRES", "Felt", "Question", "feel", "of_cohort"]

# So much of a question is ballast, so that a limit on requests is felt as well.
PADDING_BYTES = 4_000


@dataclass(frozen=True)
class Question:
    """What is sent, and with what its answer ends."""

    text: bytes
    answer_ends: bytes


# Envoy answers this path itself (chaos.staging.envoy_config).
HTTP = Question(
    b"GET /_admin HTTP/1.1\r\nhost: windtunnel\r\nx-padding: " + b"." * PADDING_BYTES + b"\r\n\r\n", b"\r\n\r\n"
)
# PostgreSQL's SSLRequest: answered by one letter before any login. Nothing is put after it: that would be a breach.
POSTGRES = Question(b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"N")


def of_cohort(cohort: str) -> Question:
    """The same question, as one of a cohort's clients would ask it."""
    ending = b"\r\n\r\n"
    header = f"\r\n{COHORT_HEADER}: {cohort}".encode()
    return Question(HTTP.text.removesuffix(ending) + header + ending, HTTP.answer_ends)


@dataclass(frozen=True)
class Felt:
    """Times in seconds from the sending; None: not within the patience.

    answer_bytes: of the answer, as far as it came. closed_s: with `close`, from our own closing on. status: of an
    answer by HTTP.
    """

    sent_bytes: int
    answer_bytes: int
    answered_s: float | None
    ended: Literal["open", "closed", "reset"]
    closed_s: float | None = None
    status: int | None = None

    def __str__(self) -> str:
        """For a message."""
        status = "" if self.status is None else f" {self.status}"
        answer = "no answer" if self.answered_s is None else f"an answer{status} after {self.answered_s * 1000:.0f} ms"
        return f"{answer}, {self.answer_bytes} bytes, connection {self.ended}"


def feel(port: int, question: Question, patience_s: float, close: bool = False) -> Felt:
    """Ask once through `port`. `close`: then close our side, and wait for the other to do so."""
    sent = len(question.text)
    try:
        connection = socket.create_connection((LOOPBACK, port), _CONNECT_TIMEOUT_S)
    except OSError:
        return Felt(sent, 0, None, "reset")
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            began_s = time.monotonic()
            connection.sendall(question.text)
            answer, ended = _read(connection, began_s + patience_s, question.answer_ends)
            answered_s = time.monotonic() - began_s if answer.endswith(question.answer_ends) else None
            if not close or ended != "open":
                return Felt(sent, len(answer), answered_s, ended, status=_status(answer))
            closing_s = time.monotonic()
            connection.shutdown(socket.SHUT_WR)
            _, ended = _read(connection, closing_s + patience_s, None)
        except OSError:  # reset while we were sending
            return Felt(sent, 0, None, "reset")
        closed_s = time.monotonic() - closing_s if ended != "open" else None
        return Felt(sent, len(answer), answered_s, ended, closed_s, _status(answer))


def _status(answer: bytes) -> int | None:
    """Of as much of it as came."""
    version, _, rest = answer.partition(b" ")
    return int(rest[:3]) if version.startswith(b"HTTP/") and rest[:3].isdigit() else None


def _read(
    connection: socket.socket, deadline_s: float, until: bytes | None
) -> tuple[bytes, Literal["open", "closed", "reset"]]:
    """What comes until it ends so, the connection ends, or the deadline."""
    read = b""
    while until is None or not read.endswith(until):
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return read, "open"
        connection.settimeout(left_s)
        try:
            chunk = connection.recv(_CHUNK)
        except TimeoutError:
            return read, "open"
        except ConnectionError:
            return read, "reset"
        if not chunk:
            return read, "closed"
        read += chunk
    return read, "open"
