"""Autoscalers: whoever else orders replicas takes back what a drill orders, and what its undo restores."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.kubernetes.api import AUTOSCALER, Api, Kind

__all__ = ["autoscaled", "autoscalers"]


def autoscaled(api: Api, kind: Kind, name: str) -> Iterator[str]:
    """A line for each autoscaler of this object."""
    for each in _autoscalers(api, kind, name):
        yield f"{kind.name} {name}: {AUTOSCALER.name} {each} orders its replicas as well"


def autoscalers(api: Api, kind: Kind, name: str) -> dict[str, str]:
    """Those of this object, as facts: one that comes or goes in the middle of a drill is drift."""
    return {
        f"{AUTOSCALER.name} {each}": f"orders replicas of {kind.name} {name}" for each in _autoscalers(api, kind, name)
    }


def _autoscalers(api: Api, kind: Kind, name: str) -> Iterator[str]:
    for each in api.all(AUTOSCALER):
        target = each["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (kind.name, name):
            yield each["metadata"]["name"]
