"""Quota: a service, such as a third party, answers 429 to what is above so many requests a second.

Each replica has an even share of it and a second's worth in reserve; replicas that start meanwhile have as much, so
that more replicas mean a larger quota. A caller takes 429 for a failure and tries again as its retries say. Not
modelled: a quota of each client; a `retry-after` that callers heed.

Confirmed twice: each replica says it back, and refuses one request more than it may take at once, which it tries on a
copy of its meter: what callers are still to get is not used up by that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from chaos.faults.conditions import ConditionFault
from chaos.faults.errors import FaultNotConfirmed
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry
from scenarios.models import ThirdPartyQuota

__all__ = ["QUOTA"]


class QuotaFault(ConditionFault):
    """The kind `quota`."""

    kind = "quota"
    confirmed = "every replica says it back, and refuses one request more"

    def keys(self, effect: ThirdPartyQuota, replicas: int) -> Mapping[str, Any]:
        """Its share for every replica."""
        return {"quota_per_s": effect.rate_per_s / max(1, replicas)}

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """Said back, and met."""
        super().confirm(surface, entry)
        more = math.floor(max(1.0, entry.undo["keys"]["quota_per_s"])) + 1
        for version in surface.running(entry.undo["service"]).values():
            for process in version:
                met = surface.attempt(process, "quota", more)
                if met != "429":
                    what = f"process {process.pid} met {met} of {more} requests at once, must be 429"
                    raise FaultNotConfirmed(f"quota of {entry.target}: {what}")


QUOTA = QuotaFault()
