"""Where the embedded staging keeps its files (XDG base directories)."""

from __future__ import annotations

import os
from pathlib import Path

from chaos.errors import FolderUnusable


def state_dir_default() -> Path:
    """`$WINDTUNNEL_STATE`, else `windtunnel/staging` under the user's state directory."""
    chosen = os.environ.get("WINDTUNNEL_STATE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return user_state_dir() / "staging"


def user_state_dir() -> Path:
    """`windtunnel` under the user's state directory: what all stagings share."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser().absolute() / "windtunnel"


def cache_dir() -> Path:
    """`windtunnel` under the user's cache directory; what is in it can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "windtunnel"


def make_private(folder: Path) -> None:
    """Make a folder that only its user can read, unless it is there. Raises FolderUnusable, for a read-only one too."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise FolderUnusable(f"folder {folder}: cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FolderUnusable(f"folder {folder}: cannot be written to")


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace `path` by `text` so that a reader sees the old or the new, and a crash keeps one of them.

    It has `mode` whatever the umask is.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
