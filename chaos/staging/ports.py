"""Free loopback ports.

Taken from outside the range that the kernel hands to outgoing connections, so that a port found free is not taken by a
client's socket in between. Ports that are promised to servers yet to start are held bound meanwhile, so that two
stagings that start at once never take each other's. Anybody else's server may still take one; then the component's
start fails and says so.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chaos.errors import StagingError

LOOPBACK = "127.0.0.1"
FIRST, LAST = 10_000, 65_535
SPAN_MIN = 4_000
EPHEMERAL_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
EPHEMERAL_USUAL = (32_768, 60_999)
ATTEMPTS_MAX = 2_000
BACKLOG = 1_024


def free_ports(count: int) -> list[int]:
    """`count` different TCP ports on which nothing listens now. Raises StagingError."""
    with ExitStack() as held:
        found: list[int] = []
        for _ in range(count):
            listener = held.enter_context(_bound(()))
            found.append(listener.getsockname()[1])
        return found


@contextmanager
def promised_ports(count: int) -> Iterator[list[int]]:
    """`count` different TCP ports that no search finds free while inside, though a server may listen on them.

    Linux lets a server that reuses addresses, as nearly all do, bind beside a socket that does so too and does not
    listen. Raises StagingError.
    """
    with ExitStack() as held:
        found: list[int] = []
        for _ in range(count):
            holder = held.enter_context(_bound(()))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only now: the search itself must not reuse
            found.append(holder.getsockname()[1])
        yield found


@contextmanager
def held(ports: Collection[int]) -> Iterator[list[int]]:
    """Descriptors for a child to inherit: as long as it lives no search finds these ports free, listening or not.

    They are bound as in `promised_ports`. Raises StagingError when somebody else has one.
    """
    with ExitStack() as holders:
        descriptors: list[int] = []
        for port in ports:
            holder = holders.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                holder.bind((LOOPBACK, port))
            except OSError as error:
                raise StagingError(f"port {port}: {error.strerror}") from error
            descriptors.append(holder.fileno())
        yield descriptors


def listening_socket(avoid: Collection[int] = ()) -> socket.socket:
    """A listening socket on a free port, to be inherited by a child: no moment at which the port can be lost.

    `avoid`: ports that nobody listens on yet, but that are promised. Raises StagingError.
    """
    listener = _bound(avoid)
    listener.listen(BACKLOG)
    return listener


def _bound(avoid: Collection[int]) -> socket.socket:
    chance = random.SystemRandom()
    low, high = _span()
    for _ in range(ATTEMPTS_MAX):
        port = chance.randint(low, high)
        if port in avoid:
            continue
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            listener.close()
            continue
        return listener
    raise StagingError(f"no free port found in {low}-{high} in {ATTEMPTS_MAX} attempts")


def _span() -> tuple[int, int]:
    """The larger of what lies below and above the ephemeral range; all of it if that leaves too little."""
    try:
        text = EPHEMERAL_FILE.read_text(encoding="ascii").split()
        ephemeral = (int(text[0]), int(text[1]))
    except (OSError, ValueError, IndexError):
        ephemeral = EPHEMERAL_USUAL
    below, above = (FIRST, ephemeral[0] - 1), (ephemeral[1] + 1, LAST)
    larger = max(below, above, key=lambda span: span[1] - span[0])
    return larger if larger[1] - larger[0] >= SPAN_MIN else (FIRST, LAST)
