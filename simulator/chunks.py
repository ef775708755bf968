"""Replications in chunks: what one worker plays at a time."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["chunked"]

# Chunks of a worker's share: few enough to cost nothing, enough for an even end and a lively progress.
_CHUNKS_PER_WORKER = 16
_CHUNK_MAX = 32


def chunked(replications: Sequence[int], workers: int) -> list[Sequence[int]]:
    """The replications in their order, in pieces for so many workers."""
    size = max(1, min(_CHUNK_MAX, len(replications) // (workers * _CHUNKS_PER_WORKER)))
    return [replications[start : start + size] for start in range(0, len(replications), size)]
