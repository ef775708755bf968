"""Two drills never share a target: not those of two users, two state folders or two clones, nor by two of its names.

A staging is known by the token of its marker, which no other one serves. Its lock is a name among the kernel's
abstract sockets: every user of this machine sees it, no file is left, and it is free once nobody holds the socket any
more. Another machine's drills are not seen, nor those in a network namespace of their own.

The watchdog is given the lock (lease.py), so that a harness that dies leaves no target free on which its faults are
still in force.
"""

from __future__ import annotations

import errno
import hashlib
import pwd
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from chaos.safety.errors import SafetyError, TargetBusy
from chaos.safety.locks import holder

# Of SO_PEERCRED: pid, user and group of whoever listens.
_CREDENTIALS = struct.Struct("3i")

__all__ = ["hold_target"]


@contextmanager
def hold_target(token: str) -> Iterator[int]:
    """Hold the target whose marker, as the gate found it, is `token`; the lock's descriptor.

    Raises TargetBusy when another drill does.
    """
    name = f"\0windtunnel-target-{hashlib.sha256(token.encode()).hexdigest()}"
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind(name)
            lock.listen()  # so that others can ask the kernel who it is
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise SafetyError(f"the target's lock cannot be taken: {error.strerror}") from error
            raise TargetBusy(f"another drill is at the target: {_listening(name)}") from error
        yield lock.fileno()


def _listening(name: str) -> str:
    """Who holds the lock of that name."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(name)
            found = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:  # it has just been let go, or is about to listen, or too many have asked
            return "pid unknown"
    pid, user, _ = _CREDENTIALS.unpack(found)
    return f"{holder(pid)} (user {_name(user)})"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
