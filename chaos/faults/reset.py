"""Reset: connections are reset (TCP RST) at the first that is sent on them, by a Toxiproxy reset_peer toxic.

Connections that were open before are closed in order instead: Toxiproxy prepares a connection for its reset when it is
opened. On a share of the connections, those that are spared end with a reset as well, once they are closed (Toxiproxy's
issue 603). What else is not modelled: toxic.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from chaos.faults.feeling import Felt
from chaos.faults.toxic import PATIENCE_S, PATIENCE_S_MAX, ToxicFault, whole_ms
from scenarios.models import Reset

__all__ = ["RESET"]


class ResetFault(ToxicFault):
    """The kind `reset`."""

    kind = "reset"
    toxic_type = "reset_peer"

    def attributes(self, effect: Reset) -> dict[str, int]:
        """At once unless told otherwise."""
        return {"timeout": whole_ms(self.kind, effect.on, "after_s", effect.after_s, least_ms=0)}

    def patience_s(self, attributes: Mapping[str, int]) -> float:
        """Until the reset, or as long as silence takes to be believed."""
        return min(attributes["timeout"] / 1000, PATIENCE_S_MAX) + PATIENCE_S

    def refuted(self, felt: Felt, attributes: Mapping[str, int], stream: str) -> bool:
        """Any answer, and an orderly end."""
        del attributes, stream
        return felt.answered_s is not None or felt.ended == "closed"


RESET = ResetFault()
