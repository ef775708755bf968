"""Configuration: a wrong one is pushed to every replica of a service, and is what new ones start with.

Each replica says back what it serves with: the workers that are there, the timeout that its next call looks up. With
fewer workers, requests that are at work are not cut off; a timeout holds for attempts that begin later. Not modelled: a
configuration that does not parse; one that reaches replicas one after the other; a rollback of the release that brings
the configuration back (the fault stands until its end).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.faults.conditions import ConditionFault
from scenarios.models import Configuration

__all__ = ["CONFIGURATION"]


class ConfigurationFault(ConditionFault):
    """The kind `configuration`."""

    kind = "configuration"
    confirmed = "every replica says back what it serves with: its workers, its next call's timeout"

    def keys(self, effect: Configuration, replicas: int) -> Mapping[str, Any]:
        """The same for every replica."""
        del replicas
        keys = {"workers": effect.workers, "call_timeout_s": effect.timeout_s}
        return {key: value for key, value in keys.items() if value is not None}


CONFIGURATION = ConfigurationFault()
