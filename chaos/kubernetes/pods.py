"""Pods: which are whose, what they are made of, and which still run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from chaos.kubernetes.api import Object
from chaos.kubernetes.errors import KubernetesError

__all__ = ["made_of", "owned", "running", "selector_of"]


def selector_of(owner: Object) -> str:
    """The label selector of a Deployment, ReplicaSet or Rollout, as text. Raises KubernetesError for expressions."""
    selector = owner["spec"]["selector"]
    if selector.get("matchExpressions"):
        name = owner["metadata"]["name"]
        raise KubernetesError(f"{name}: spec.selector.matchExpressions cannot be followed; must be matchLabels only")
    return ",".join(f"{key}={value}" for key, value in selector["matchLabels"].items())


def owned(objects: Iterable[Object], owners: Iterable[Object]) -> list[Object]:
    """Those that one of the owners has made: selectors may overlap."""
    uids = {owner["metadata"]["uid"] for owner in owners}
    return [
        each for each in objects if any(owner["uid"] in uids for owner in each["metadata"].get("ownerReferences", []))
    ]


def made_of(owner: Object) -> str:
    """Images, and the digest of the whole spec without its replicas."""
    spec = {key: value for key, value in owner["spec"].items() if key != "replicas"}
    images = ", ".join(each["image"] for each in spec["template"]["spec"]["containers"])
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
    return f"{images}, spec {digest[:12]}"


def running(pods: Iterable[Object]) -> list[Object]:
    """Those that run and are not about to end, by name."""
    alive = [
        pod for pod in pods if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    ]
    return sorted(alive, key=lambda pod: str(pod["metadata"]["name"]))
