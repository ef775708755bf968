"""The gate before a cluster is touched: its names do not look like production, and the namespace says what it is."""

from __future__ import annotations

from urllib.parse import urlsplit

from chaos.kubernetes.api import Api
from chaos.kubernetes.errors import NotThisStaging
from chaos.kubernetes.models import Kubernetes
from chaos.safety.targets import looks_like_production

MARKER = "windtunnel/staging"

__all__ = ["MARKER", "require_staging"]


def require_staging(api: Api, config: Kubernetes, token: str) -> None:
    """Raise NotThisStaging unless the namespace carries the marker's token, and nothing is named like production."""
    names = {
        "context": api.context,
        "cluster": api.cluster,
        "namespace": config.namespace,
        "server": urlsplit(api.server()).hostname or "",
    }
    for what, name in names.items():
        if looks_like_production(name):
            raise NotThisStaging(f"{what} {name!r} looks like production; refused even when it carries the marker")
    found = api.annotations().get(MARKER)
    if found is None:
        raise NotThisStaging(f"namespace {config.namespace}: has no annotation {MARKER}; must be the marker's token")
    if found != token:
        raise NotThisStaging(f"namespace {config.namespace}: {MARKER}(={found!r}) is the marker of another staging")
