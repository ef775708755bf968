"""Quota: a service, such as a third party, answers 429 to what is above so many requests a second.

Each replica has an even share of it and a second's worth in reserve; replicas that start meanwhile have as much, so
that more replicas mean a larger quota. A caller takes 429 for a failure and tries again as its retries say. Not
modelled: a quota of each client; a `retry-after` that callers heed.

Confirmed by each replica, from the place where a request looks the quota up. It is not tried: that would use up what
callers are still to get.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.faults.conditions import ConditionFault
from scenarios.models import ThirdPartyQuota

__all__ = ["QUOTA"]


class QuotaFault(ConditionFault):
    """The kind `quota`."""

    kind = "quota"

    def keys(self, effect: ThirdPartyQuota, replicas: int) -> Mapping[str, Any]:
        """Its share for every replica."""
        return {"quota_per_s": effect.rate_per_s / max(1, replicas)}


QUOTA = QuotaFault()
