"""A stream of one's own, made from another's seed."""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["own_stream"]


def own_stream(rng: np.random.Generator, name: str) -> np.random.Generator:
    """What the one named draws from: follows from the seed that `rng` began with, and shifts no draw of the others."""
    seed = rng.bit_generator.seed_seq
    assert isinstance(seed, np.random.SeedSequence)
    key = (*seed.spawn_key, zlib.crc32(name.encode()))
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))
