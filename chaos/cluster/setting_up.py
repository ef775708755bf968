"""What a control plane needs before it is of use: answers, definitions, nodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from ruamel.yaml import YAML

_TIMEOUT_S = 10.0

__all__ = ["add_nodes", "answers", "connected", "define", "defined", "settled"]


@contextmanager
def connected(kubeconfig: Path) -> Iterator[client.ApiClient]:
    """A client of the cluster; no proxy of the environment may come between."""
    connection = config.new_client_from_config(  # type: ignore[no-untyped-call]
        str(kubeconfig), persist_config=False
    )
    connection.configuration.proxy = None
    with client.ApiClient(connection.configuration) as direct:
        yield direct


def answers(kubeconfig: Path) -> bool:
    """Whether the API server says that it is ready."""
    if not (kubeconfig.parent / "certificates" / "apiserver.crt").exists():
        return False
    try:
        with connected(kubeconfig) as api:
            api.call_api("GET", f"{api.configuration.host}/readyz", _request_timeout=_TIMEOUT_S)
    except (ApiException, urllib3.exceptions.HTTPError, OSError):
        return False
    return True


def define(api: client.ApiClient, files: Sequence[Path]) -> None:
    """Install custom resource definitions."""
    extensions = client.ApiextensionsV1Api(api)
    for path in files:
        extensions.create_custom_resource_definition(YAML(typ="safe").load(path), _request_timeout=_TIMEOUT_S)


def defined(api: client.ApiClient) -> bool:
    """Whether every definition is served."""
    listed = _items(client.ApiextensionsV1Api(api).list_custom_resource_definition)
    return all(_condition(each, "Established") for each in listed)


def add_nodes(api: client.ApiClient, count: int) -> None:
    """Machines that kwok pretends."""
    for index in range(count):
        name = f"simulated-{index}"
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"}
        about = client.V1ObjectMeta(name=name, labels=labels, annotations={"kwok.x-k8s.io/node": "fake"})
        client.CoreV1Api(api).create_node(client.V1Node(metadata=about), _request_timeout=_TIMEOUT_S)


def settled(api: client.ApiClient, nodes: int) -> bool:
    """Whether nodes take pods, controllers are at work (a namespace has its service account) and Services are taken."""
    core = client.CoreV1Api(api)
    ready = [node for node in _items(core.list_node) if _condition(node, "Ready") and not node["spec"].get("taints")]
    accounts = _items(core.list_namespaced_service_account, "default")
    return len(ready) == nodes and bool(accounts) and _takes_services(core)


def _takes_services(core: client.CoreV1Api) -> bool:
    """An API server says that it is ready before it knows from which range a Service gets its address."""
    spec = client.V1ServiceSpec(ports=[client.V1ServicePort(port=80)])
    service = client.V1Service(metadata=client.V1ObjectMeta(generate_name="asked-"), spec=spec)
    try:
        core.create_namespaced_service("default", service, dry_run="All", _request_timeout=_TIMEOUT_S)
    except ApiException as error:
        if error.status != 500:
            raise
        return False
    return True


def _items(call: Callable[..., Any], *arguments: str) -> list[dict[str, Any]]:
    answer = call(*arguments, _preload_content=False, _request_timeout=_TIMEOUT_S)
    return list(json.loads(answer.data)["items"])


def _condition(item: dict[str, Any], kind: str) -> bool:
    conditions = item.get("status", {}).get("conditions") or []
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)
