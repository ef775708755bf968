"""Limit of data: a connection is closed when it has carried so much one way, by a Toxiproxy limit_data toxic.

Counted in whole bytes, for open connections from the fault on. Felt as a question or an answer of our own that is cut
off; a limit above these is no proof, and there Toxiproxy's own word is all. What is not modelled: toxic.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from chaos.faults.feeling import Felt
from chaos.faults.toxic import PATIENCE_S, ToxicFault
from scenarios.models import LimitData

__all__ = ["LIMIT_DATA"]


class LimitDataFault(ToxicFault):
    """The kind `limit_data`."""

    kind = "limit_data"
    toxic_type = "limit_data"

    def attributes(self, effect: LimitData) -> dict[str, int]:
        """Whole bytes, one at least."""
        return {"bytes": max(1, round(effect.size_bytes))}

    def patience_s(self, attributes: Mapping[str, int]) -> float:
        """Long enough for an answer on a link without a limit."""
        del attributes
        return PATIENCE_S

    def refuted(self, felt: Felt, attributes: Mapping[str, int], stream: str) -> bool:
        """An answer, though what was sent one way is above the limit."""
        carried = felt.answer_bytes if stream == "downstream" else felt.sent_bytes
        return felt.answered_s is not None and carried > attributes["bytes"]


LIMIT_DATA = LimitDataFault()
