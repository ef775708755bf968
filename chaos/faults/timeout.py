"""Timeout: nothing comes through one way while connections stay open, by a Toxiproxy timeout toxic.

What a lost route or a firewall that drops packets looks like: no refusal, only silence. With `close_after` each
connection is closed so long after it has met the fault. The connections that it hit are closed when it ends, since what
was swallowed is not sent again. What is not modelled: toxic.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from chaos.faults.feeling import Felt
from chaos.faults.toxic import PATIENCE_S, ToxicFault, whole_ms
from scenarios.models import Timeout

__all__ = ["TIMEOUT"]


class TimeoutFault(ToxicFault):
    """The kind `timeout`."""

    kind = "timeout"
    toxic_type = "timeout"

    def attributes(self, effect: Timeout) -> dict[str, int]:
        """To Toxiproxy, 0 is never."""
        if effect.close_after_s is None:
            return {"timeout": 0}
        return {"timeout": whole_ms(self.kind, effect.on, "close_after_s", effect.close_after_s)}

    def patience_s(self, attributes: Mapping[str, int]) -> float:
        """Silence takes as long to be believed, however short it is."""
        del attributes
        return PATIENCE_S

    def refuted(self, felt: Felt, attributes: Mapping[str, int], stream: str) -> bool:
        """Any answer."""
        del attributes, stream
        return felt.answered_s is not None


TIMEOUT = TimeoutFault()
