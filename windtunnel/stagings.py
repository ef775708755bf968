"""Which staging a user names: `local`, the embedded one, or the file that describes another."""

from __future__ import annotations

from pathlib import Path

from chaos.staging.adapter import StagingAdapter
from chaos.staging.adapters import attach, open_staging, state_dir_of
from chaos.staging.files.loading import Loaded, load_staging
from chaos.staging.paths import state_dir_default

__all__ = ["LOCAL", "named", "opened", "state_dir_named"]

LOCAL = "local"


def named(staging: str) -> Loaded | None:
    """The staging of a file; None for the embedded one. Raises StagingFileError."""
    return None if staging == LOCAL else load_staging(Path(staging))


def state_dir_named(staging: str, state_dir: Path | None) -> Path:
    """Its state folder, unless it is told. Raises StagingFileError."""
    if state_dir is not None:
        return state_dir
    loaded = named(staging)
    return state_dir_default() if loaded is None else state_dir_of(loaded)


def opened(staging: str, state_dir: Path | None) -> StagingAdapter:
    """The staging, as it runs. Raises StagingFileError, StagingNotUp."""
    loaded = named(staging)
    if loaded is None:
        return attach(state_dir or state_dir_default())
    return open_staging(loaded, (state_dir or state_dir_of(loaded)).absolute())
