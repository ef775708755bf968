"""Bandwidth: each connection of a link carries at most so much one way, by a Toxiproxy bandwidth toxic.

Toxiproxy counts whole kilobytes (1,000 bytes) a second: a rate that rounds to none is refused. Felt as an answer that
comes no sooner than the rate allows for the bytes of our own question or answer, which above some MB/s is no proof;
there Toxiproxy's own word is all. Not modelled: a bottleneck that all connections share. What else: toxic.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from chaos.faults.errors import FaultRefused
from chaos.faults.feeling import Felt
from chaos.faults.toxic import PATIENCE_S_MAX, ToxicFault
from scenarios.models import Bandwidth

__all__ = ["BANDWIDTH"]

_KB = 1000


class BandwidthFault(ToxicFault):
    """The kind `bandwidth`."""

    kind = "bandwidth"
    toxic_type = "bandwidth"

    def attributes(self, effect: Bandwidth) -> dict[str, int]:
        """Refuses a rate that rounds to nothing."""
        rate = round(effect.rate_bytes_per_s / _KB)
        if rate < 1:
            raise FaultRefused(
                f"bandwidth on {effect.on}: rate_bytes_per_s(={effect.rate_bytes_per_s:g}) must be at least {_KB}, "
                "Toxiproxy's resolution"
            )
        return {"rate": rate}

    def patience_s(self, attributes: Mapping[str, int]) -> float:
        """Long enough for an answer on a link that is not limited."""
        del attributes
        return PATIENCE_S_MAX

    def refuted(self, felt: Felt, attributes: Mapping[str, int], stream: str) -> bool:
        """An answer sooner than the rate allows."""
        carried = felt.answer_bytes if stream == "downstream" else felt.sent_bytes
        least_s = min(carried / (attributes["rate"] * _KB), PATIENCE_S_MAX)
        return felt.answered_s is not None and felt.answered_s < least_s


BANDWIDTH = BandwidthFault()
