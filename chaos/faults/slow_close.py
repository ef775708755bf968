"""Slow close: connections stay open for so much longer after one side has closed them, by a Toxiproxy slow_close toxic.

What uses up sockets and descriptors on both sides while no request is slower. Whole milliseconds. What is not
modelled: toxic.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from chaos.faults.feeling import Felt
from chaos.faults.toxic import PATIENCE_S_MAX, ToxicFault, whole_ms
from scenarios.models import SlowClose

__all__ = ["SLOW_CLOSE"]


class SlowCloseFault(ToxicFault):
    """The kind `slow_close`."""

    kind = "slow_close"
    toxic_type = "slow_close"
    closes = True

    def attributes(self, effect: SlowClose) -> dict[str, int]:
        """Refuses a delay that rounds to nothing."""
        return {"delay": whole_ms(self.kind, effect.on, "delay_s", effect.delay_s)}

    def patience_s(self, attributes: Mapping[str, int]) -> float:
        """The delay: a healthy link's end comes sooner."""
        return min(attributes["delay"] / 1000, PATIENCE_S_MAX)

    def refuted(self, felt: Felt, attributes: Mapping[str, int], stream: str) -> bool:
        """The other side's end sooner than the delay."""
        del stream
        return felt.closed_s is not None and felt.closed_s < self.patience_s(attributes)


SLOW_CLOSE = SlowCloseFault()
