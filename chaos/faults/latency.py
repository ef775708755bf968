"""Latency: everything on a link takes longer, by a Toxiproxy latency toxic.

The delay is put on one way, by default on the way back (downstream): the callee works at once, and only the answer is
late. Toxiproxy draws from latency ± jitter, the scenario means `add` plus a uniform draw from 0 to `jitter`, so the
toxic's latency is add + jitter/2 and its jitter is jitter/2. Toxiproxy counts whole milliseconds: both are rounded, and
a delay that rounds to nothing is refused. A protocol of several round trips, such as PostgreSQL's, suffers the delay in
each of them. What else is not modelled: toxic.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from chaos.faults.feeling import Felt
from chaos.faults.toxic import PATIENCE_S_MAX, ToxicFault, whole_ms
from scenarios.models import Latency

__all__ = ["LATENCY"]


class LatencyFault(ToxicFault):
    """The kind `latency`."""

    kind = "latency"
    toxic_type = "latency"

    def attributes(self, effect: Latency) -> dict[str, int]:
        """Refuses a delay that rounds to nothing."""
        half_jitter_ms = round(effect.jitter_s * 1000 / 2)
        # A jitter alone can make up for an addition below the resolution.
        least_ms = 0 if half_jitter_ms else 1
        return {
            "latency": whole_ms(self.kind, effect.on, "add_s", effect.add_s, least_ms) + half_jitter_ms,
            "jitter": half_jitter_ms,
        }

    def patience_s(self, attributes: Mapping[str, int]) -> float:
        """The least delay."""
        return min((attributes["latency"] - attributes["jitter"]) / 1000, PATIENCE_S_MAX)

    def refuted(self, felt: Felt, attributes: Mapping[str, int], stream: str) -> bool:
        """An answer sooner than the least delay."""
        del stream
        return felt.answered_s is not None and felt.answered_s < self.patience_s(attributes)


LATENCY = LatencyFault()
