"""Two drills never share a target, whatever state directories they have.

Two staging files may name one target. Its locks are with the user's state: one for each address and port at which the
gate found it, so that `localhost` and `127.0.0.1` are one. Another machine's drills are not seen.

The watchdog is given the locks (lease.py), so that a harness that dies leaves no target free on which its faults are
still in force.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from chaos.safety.errors import StagingBusy, TargetBusy
from chaos.safety.locks import hold
from chaos.safety.targets import Target
from chaos.staging.paths import make_private, user_state_dir

__all__ = ["hold_target"]


@contextmanager
def hold_target(target: Target) -> Iterator[tuple[int, ...]]:
    """Hold every address of a target that passed the gate; the locks' descriptors.

    Raises TargetBusy when another drill does.
    """
    folder = user_state_dir() / "targets"
    make_private(folder)
    port = urlsplit(target.url).port or 80
    with ExitStack() as stack:
        held = []
        for address in sorted(target.addresses):
            try:
                name = f"{address.replace(':', '_')}-{port}.lock"
                held.append(stack.enter_context(hold(folder, name, keep=False)))
            except StagingBusy as error:
                raise TargetBusy(f"target {target.url}: another drill is at it: {error}") from error
        yield tuple(held)
