"""Free loopback ports.

Taken from below the range that the kernel hands to outgoing connections, so that a port found free cannot be taken by
a client socket in between. Another server may still take it; then the component's start fails and says so.
"""

from __future__ import annotations

import random
import socket

from chaos.errors import StagingError

LOOPBACK = "127.0.0.1"
RANGE = (20_000, 32_000)
ATTEMPTS_MAX = 2_000


def free_ports(count: int) -> list[int]:
    """`count` different TCP ports on which nothing listens now."""
    chance = random.SystemRandom()
    held: list[socket.socket] = []
    try:
        for _ in range(ATTEMPTS_MAX):
            if len(held) == count:
                return [listener.getsockname()[1] for listener in held]
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                listener.bind((LOOPBACK, chance.randrange(*RANGE)))
            except OSError:
                listener.close()
                continue
            held.append(listener)
        raise StagingError(f"only {len(held)} of {count} free ports found in {RANGE[0]}-{RANGE[1]}")
    finally:
        for listener in held:
            listener.close()


def listening_socket() -> socket.socket:
    """A listening socket on a free port, to be inherited by a child: no moment at which the port can be lost."""
    (port,) = free_ports(1)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    listener.listen(1024)
    return listener
