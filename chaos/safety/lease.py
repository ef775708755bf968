"""The harness's end of the watchdog: started before the first fault, told often that we live.

The lease is a socket with JSON lines to the watchdog (`beat`, `guard`, `hold`, `let_go`, `release`) and its
answers (`ready`, `guarding`, `holding`, `let go`, `released`). The kernel closes it when the harness
dies, however it dies, so the watchdog knows at once; the beats are for a harness that hangs. Locks go
with a `hold` as descriptors, so that the watchdog holds the very same ones.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chaos.safety.errors import WatchdogError
from chaos.staging.processes import identify, own

_BEATS_PER_LEASE = 6
_START_TIMEOUT_S = 60.0  # of a machine that is busy
_ANSWER_TIMEOUT_S = 20.0
_PROJECT = Path(__file__).resolve().parents[2]

__all__ = ["Lease"]


class Lease:
    """A running watchdog over one drill. A context manager: leaving it releases the lease.

    Leave it only after everything was undone: a released watchdog heals nothing.
    """

    def __init__(self, state_dir: Path, drill_id: str, lease_s: float, deadline_s: float) -> None:
        """Start the watchdog and wait until it says that it is ready.

        Without a beat for `lease_s`, or `deadline_s` after its start whatever the harness says, the
        watchdog kills the harness and heals. Raises WatchdogError when it does not come up.
        """
        self._write_mutex = threading.Lock()
        self._ask_mutex = threading.Lock()
        self._ended = threading.Event()
        self._pending = b""
        self._errors = state_dir / "watchdog.err"
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_ANSWER_TIMEOUT_S)
        with theirs:
            self.process = self._start(state_dir, drill_id, lease_s, deadline_s, theirs)
        try:
            self._expect("ready", _START_TIMEOUT_S)
        except BaseException:
            self._kill()
            raise
        self._beater = threading.Thread(
            target=self._beat, args=(lease_s / _BEATS_PER_LEASE,), name="watchdog-beat", daemon=True
        )
        self._beater.start()

    def _start(
        self, state_dir: Path, drill_id: str, lease_s: float, deadline_s: float, theirs: socket.socket
    ) -> subprocess.Popen[bytes]:
        harness = own()
        arguments = {
            "--state-dir": str(state_dir),
            "--drill": drill_id,
            "--lease-s": repr(lease_s),
            "--deadline-s": repr(deadline_s),
            "--harness-pid": str(harness.pid),
            "--harness-started": harness.started,
        }
        command = [sys.executable, "-m", "chaos.safety.watchdog"]
        command += [text for pair in arguments.items() for text in pair]
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(
            part for part in (str(_PROJECT), environment.get("PYTHONPATH")) if part
        )
        with self._errors.open("ab") as errors:
            return subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=errors,
                env=environment,
                start_new_session=True,
            )

    def guard(self, pid: int) -> None:
        """Have the watchdog kill this child too when the harness dies (the load generator).

        Raises WatchdogError when it does not confirm.
        """
        try:
            child = identify(pid)
        except ProcessLookupError as error:
            raise WatchdogError(f"watchdog: child {pid} to guard does not run") from error
        self._ask({"guard": asdict(child)}, "guarding")

    @contextmanager
    def holding(self, locks: Sequence[int]) -> Iterator[None]:
        """The watchdog holds these locks, too: should the harness die meanwhile, until all is undone.

        Raises WatchdogError when it does not confirm.
        """
        self._ask({"hold": len(locks)}, f"holding {len(locks)}", locks)
        try:
            yield
        finally:
            try:
                self._ask({"let_go": True}, "let go")
            except WatchdogError:
                if self.lost() is None:  # one that is dead holds nothing
                    raise

    def lost(self) -> str | None:
        """Why the watchdog no longer watches, or None while it does."""
        code = self.process.poll()
        if code is not None:
            return f"watchdog {self.process.pid} ended with code {code}"
        return None

    def require(self) -> None:
        """Raise WatchdogError unless the watchdog lives; asked before every fault."""
        lost = self.lost()
        if lost is not None:
            raise WatchdogError(f"{lost}; nothing may be injected without it")

    def release(self) -> None:
        """Everything is undone: end the watchdog. Harmless when it has already ended."""
        self._ended.set()
        try:
            if self.lost() is None:
                self._ask({"release": True}, "released")
                self.process.wait(_ANSWER_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise WatchdogError(f"watchdog {self.process.pid} was released but did not end") from error
        finally:
            self._kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _beat(self, every_s: float) -> None:
        while not self._ended.wait(every_s):
            try:
                self._send({"beat": time.monotonic()})
            except WatchdogError:
                return  # lost() says so to whoever asks

    def _send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._write_mutex:
            try:
                sent = socket.send_fds(self._socket, [line], descriptors) if descriptors else 0
                self._socket.sendall(line[sent:])
            except OSError as error:
                raise WatchdogError(f"watchdog {self.process.pid} does not listen: {error}") from error

    def _ask(self, message: dict[str, Any], answer: str, descriptors: Sequence[int] = ()) -> None:
        with self._ask_mutex:
            self._send(message, descriptors)
            self._expect(answer, _ANSWER_TIMEOUT_S)

    def _expect(self, answer: str, timeout_s: float) -> None:
        """Read the watchdog's next line and insist that it is `answer`."""
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise WatchdogError(f"watchdog: no {answer!r} within {timeout_s:g} s")
                data = self._received()
                if not data:
                    raise WatchdogError(
                        f"watchdog: ended with code {self.process.wait(_ANSWER_TIMEOUT_S)} "
                        f"instead of saying {answer!r}; its errors are in {self._errors}"
                    )
                self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        if line.decode("utf-8", "replace") != answer:
            raise WatchdogError(f"watchdog: said {line!r} instead of {answer!r}")

    def _received(self) -> bytes:
        """Nothing when the watchdog is gone, also one that had not read all that it was told."""
        try:
            return self._socket.recv(4096)
        except ConnectionResetError:
            return b""

    def _kill(self) -> None:
        """The last resort on every path: our own child, by its handle."""
        self._ended.set()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(_ANSWER_TIMEOUT_S)
        self._socket.close()
