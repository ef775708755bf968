"""Slicer: what is sent comes in small pieces, each so much later than the one before, by a Toxiproxy slicer toxic.

Sizes are in whole bytes, the delay in whole microseconds. Felt as an answer that comes no sooner than the pieces of our
own question or answer allow; pieces larger than these are no proof, and there Toxiproxy's own word is all. What is not
modelled: toxic.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from chaos.faults.errors import FaultRefused
from chaos.faults.feeling import Felt
from chaos.faults.toxic import PATIENCE_S_MAX, ToxicFault
from scenarios.models import Slicer

__all__ = ["SLICER"]


class SlicerFault(ToxicFault):
    """The kind `slicer`."""

    kind = "slicer"
    toxic_type = "slicer"

    def attributes(self, effect: Slicer) -> dict[str, int]:
        """Refuses pieces that may have no size."""
        size, vary = round(effect.size_bytes), round(effect.vary_bytes or 0.0)
        if size <= vary:
            raise FaultRefused(f"slicer on {effect.on}: size_bytes(={size}) must be above vary_bytes(={vary})")
        return {"average_size": size, "size_variation": vary, "delay": round(effect.delay_s * 1e6)}

    def patience_s(self, attributes: Mapping[str, int]) -> float:
        """Long enough for an answer on a link that is not sliced."""
        del attributes
        return PATIENCE_S_MAX

    def refuted(self, felt: Felt, attributes: Mapping[str, int], stream: str) -> bool:
        """An answer sooner than its pieces allow."""
        carried = felt.answer_bytes if stream == "downstream" else felt.sent_bytes
        # Toxiproxy halves what is longer than the average until it is not, by up to the variation off the middle.
        pieces = math.ceil(carried / (attributes["average_size"] + attributes["size_variation"]))
        least_s = min((pieces - 1) * attributes["delay"] / 1e6, PATIENCE_S_MAX)
        return felt.answered_s is not None and felt.answered_s < least_s


SLICER = SlicerFault()
