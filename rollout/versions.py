"""How the record names what answers a request."""

from __future__ import annotations

__all__ = ["flag_on"]


def flag_on(version: str) -> str:
    """The new version where its flag is on: the same replicas, and other code. No author can name a version so."""
    return f"{version} (flag on)"
