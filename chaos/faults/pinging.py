"""What packets of our own meet on a link: datagrams to and from the very port that its connections use.

UDP and TCP have ports apart, so no server hears of them; what treats packets by their port treats them alike.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.errors import StagingError
from chaos.staging.ports import LOOPBACK

__all__ = ["BURST", "HEADERS_BYTES", "Pinged", "Pings", "counted", "ping", "require_free"]

# Of IP and UDP.
HEADERS_BYTES = 28
_NUMBER_BYTES = 4
# So many are sent at once, so that they can overtake each other.
BURST = 50
_SO_NO_CHECK = 11  # Linux's own: a damaged datagram is to arrive
_BUFFER_BYTES = 4_000_000


@dataclass(frozen=True)
class Pings:
    """What to send: so many datagrams of this size (without headers), BURST of them every so often.

    patience_s: how long to wait for what is on its way after the last.
    """

    count: int
    size_bytes: int
    every_s: float
    patience_s: float

    @property
    def takes_s(self) -> float:
        """All of it, in seconds."""
        return self.count / BURST * self.every_s + self.patience_s


@dataclass(frozen=True)
class Pinged:
    """Datagrams one way: how many were sent, and what came. Times in seconds.

    `late_s`: of the first copy of each that came, by number. `arrivals`: numbers in the order in which they came,
    copies included; `damaged`: how many of all that came were not as sent. `spread_s`: from first arrival to last.
    """

    sent: int
    late_s: Mapping[int, float] = field(default_factory=dict)
    arrivals: tuple[int, ...] = ()
    damaged: int = 0
    spread_s: float = 0.0

    @property
    def lost(self) -> int:
        """Those that did not come as they were sent."""
        return self.sent - len(self.late_s)

    @property
    def doubled(self) -> int:
        """Copies."""
        return len(self.arrivals) - len(set(self.arrivals))

    @property
    def overtaken(self) -> int:
        """Those that came after one that was sent later."""
        newest, count = -1, 0
        for number in self.arrivals:
            count += number < newest
            newest = max(newest, number)
        return count

    def __str__(self) -> str:
        """For a message."""
        late_ms = sorted(1000 * each for each in self.late_s.values())
        took = f", {late_ms[0]:.1f} to {late_ms[-1]:.1f} ms late" if late_ms else ""
        return (
            f"{self.sent} sent, {self.lost} lost, {self.doubled} doubled, {self.overtaken} overtaken, "
            f"{self.damaged} damaged{took}"
        )


def require_free(port: int) -> None:
    """Raise StagingError when somebody else uses the UDP port of this number: we would hit them, and they us."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise StagingError(f"UDP port {port}: {error.strerror}") from error


def ping(port: int, way: str, pings: Pings) -> Pinged:
    """Send datagrams to (requests) or from (answers) the port. Raises StagingError when it is taken."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
    ):
        try:
            there.bind((LOOPBACK, port))
            here.bind((LOOPBACK, 0))
        except OSError as error:
            raise StagingError(f"UDP port {port}: {error.strerror}") from error
        sender, receiver = (there, here) if way == "answers" else (here, there)
        sender.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        return _exchange(sender, receiver, pings)


def _exchange(sender: socket.socket, receiver: socket.socket, pings: Pings) -> Pinged:
    to, filling = receiver.getsockname(), bytes(pings.size_bytes - _NUMBER_BYTES)
    sent_s: list[float] = []
    came: list[tuple[float, bytes]] = []
    while len(sent_s) < pings.count:
        for _ in range(min(BURST, pings.count - len(sent_s))):
            sender.sendto(len(sent_s).to_bytes(_NUMBER_BYTES, "big") + filling, to)
            sent_s.append(time.monotonic())
        _receive(receiver, time.monotonic() + pings.every_s, came)
    _receive(receiver, time.monotonic() + pings.patience_s, came)
    return counted(sent_s, came, filling)


def _receive(receiver: socket.socket, until_s: float, came: list[tuple[float, bytes]]) -> None:
    """Until then: also when as many came as were sent, since copies may follow."""
    while (left_s := until_s - time.monotonic()) > 0:
        receiver.settimeout(left_s)
        try:
            datagram = receiver.recv(65_536)
        except TimeoutError:
            return
        came.append((time.monotonic(), datagram))


def counted(sent_s: list[float], came: list[tuple[float, bytes]], filling: bytes) -> Pinged:
    """What became of datagrams sent at these times, by those that came (when, and what)."""
    late_s: dict[int, float] = {}
    arrivals: list[int] = []
    for at_s, datagram in came:
        number = int.from_bytes(datagram[:_NUMBER_BYTES], "big")
        if number >= len(sent_s) or datagram[_NUMBER_BYTES:] != filling:
            continue
        arrivals.append(number)
        late_s.setdefault(number, at_s - sent_s[number])
    spread_s = came[-1][0] - came[0][0] if came else 0.0
    return Pinged(len(sent_s), late_s, tuple(arrivals), len(came) - len(arrivals), spread_s)
