"""The safety lever: one file that keeps every drill of this user from starting, and ends those that run.

It is a plain file, so that anybody can pull the lever with an editor or a script while Windtunnel itself cannot run.
That it exists is what counts; its text is the reason. A lever that cannot be read is on, also one on a shared disk
that does not answer.
"""

from __future__ import annotations

import os
from pathlib import Path

from chaos.safety.bounded import StepTimeout, run_bounded
from chaos.safety.errors import LeverOn, SafetyError
from chaos.staging.paths import make_private, user_state_dir, write_atomically

VARIABLE = "WINDTUNNEL_LEVER"
# Of a machine that is busy.
_TIMEOUT_S = 10.0

__all__ = ["VARIABLE", "lever_path", "lever_reason", "require_lever_off", "turn_off", "turn_on"]


def lever_path() -> Path:
    """`$WINDTUNNEL_LEVER`, for a lever that several users share; else `lever` in the user's state directory."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else user_state_dir() / "lever"


def lever_reason() -> str | None:
    """Why no drill may run; None while the lever is off."""
    path = lever_path()
    try:
        text = run_bounded(lambda: path.read_text(encoding="utf-8", errors="replace"), _TIMEOUT_S, f"reading {path}")
    except FileNotFoundError:
        return "a link to nothing" if path.is_symlink() else None
    except (OSError, StepTimeout) as error:
        return f"the lever cannot be read: {error}"
    return text.strip() or "no reason was given"


def require_lever_off() -> None:
    """Raise LeverOn, with the reason, unless drills may start."""
    reason = lever_reason()
    if reason is not None:
        raise LeverOn(f"the safety lever {lever_path()} is on: {reason}; no drill starts until `windtunnel lever off`")


def turn_on(reason: str) -> None:
    """Block every new drill and end those that run."""
    path = lever_path()
    make_private(path.parent)
    # Readable by all who share the lever.
    try:
        write_atomically(path, f"{reason}\n", mode=0o644)
    except OSError as error:
        raise SafetyError(f"the lever {path} cannot be turned on: {error.strerror}") from error


def turn_off() -> bool:
    """Let drills start again; whether the lever was on."""
    try:
        lever_path().unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SafetyError(f"the lever {lever_path()} cannot be turned off: {error.strerror}") from error
    return True
