"""The adapter of a state directory, made anew from what is on disk there: how an undo finds its staging."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from chaos.errors import FolderUnusable, StagingError
from chaos.staging.adapter import StagingAdapter
from chaos.staging.commands.adapter import CommandsAdapter
from chaos.staging.embedded_adapter import EmbeddedAdapter
from chaos.staging.files.loading import Loaded, parse_staging
from chaos.staging.paths import make_private, state_dir_default, write_atomically
from chaos.staging.state import FILE as EMBEDDED_STATE

__all__ = ["attach", "open_staging", "state_dir_of"]

_KEPT = "staging.json"


def state_dir_of(loaded: Loaded) -> Path:
    """Where the journal and the locks of a file's staging are kept, unless told otherwise: one place a staging."""
    identity = hashlib.sha256(f"{loaded.file.target} {loaded.file.marker.token}".encode()).hexdigest()
    return state_dir_default() / f"{loaded.file.name}-{identity[:12]}"


def open_staging(loaded: Loaded, state_dir: Path) -> StagingAdapter:
    """The staging of a file, which is kept in the state directory so that an undo can do without the file.

    Raises StagingError when the folder is that of another staging, FolderUnusable when it cannot be written to.
    """
    if (state_dir / EMBEDDED_STATE).exists():
        raise StagingError(f"{state_dir} is the folder of an embedded staging: {loaded.path} must have another one")
    make_private(state_dir)
    kept = {"path": str(loaded.path.absolute()), "data": loaded.data}
    try:
        write_atomically(state_dir / _KEPT, json.dumps(kept, indent=1))
    except OSError as error:
        raise FolderUnusable(f"folder {state_dir}: cannot be written to: {error.strerror}") from error
    return _adapter(loaded, state_dir)


def attach(state_dir: Path) -> StagingAdapter:
    """The staging whose state is in this directory, for an undo: it is waited for. Raises StagingNotUp."""
    try:
        kept = json.loads((state_dir / _KEPT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return EmbeddedAdapter.attach(state_dir)
    return _adapter(parse_staging(kept["data"], Path(kept["path"])), state_dir, patient=True)


def _adapter(loaded: Loaded, state_dir: Path, patient: bool = False) -> StagingAdapter:
    """By `adapter:` of the file."""
    if loaded.file.kubernetes is not None:
        return _kubernetes(loaded, state_dir, patient)
    return CommandsAdapter(loaded, state_dir)


def _kubernetes(loaded: Loaded, state_dir: Path, patient: bool) -> StagingAdapter:
    """The cluster's client is an extra of its own."""
    try:
        from chaos.kubernetes.adapter import KubernetesAdapter
    except ImportError as error:
        remedy = "install windtunnel[kubernetes]"
        raise StagingError(f"{loaded.path}: needs the Kubernetes client: {remedy} ({error})") from error
    return KubernetesAdapter(loaded, state_dir, patient)
