"""The library: scenarios that come with Windtunnel, each with the sources of its numbers."""

from __future__ import annotations

from pathlib import Path

__all__ = ["library_file", "library_names"]

_LIBRARY = Path(__file__).parent / "library"


def library_names() -> list[str]:
    """Names of the library's scenarios, sorted."""
    return sorted(path.stem for path in _LIBRARY.glob("*.yaml"))


def library_file(name: str) -> Path | None:
    """The file of a library scenario, or None when there is none of that name."""
    return _LIBRARY / f"{name}.yaml" if name in library_names() else None
