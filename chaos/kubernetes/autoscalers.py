"""Autoscalers: whoever else orders replicas takes back what a drill orders, and what its undo restores."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.kubernetes.api import AUTOSCALER, Api, Kind

__all__ = ["autoscaled"]


def autoscaled(api: Api, kind: Kind, name: str) -> Iterator[str]:
    """A line for each autoscaler of this object."""
    for each in api.all(AUTOSCALER):
        target = each["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (kind.name, name):
            yield f"{kind.name} {name}: {AUTOSCALER.name} {each['metadata']['name']} orders its replicas as well"
