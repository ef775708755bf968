"""The calls that the harness makes to a cluster's API, by the official client: each with a time limit, as plain data.

Objects go in and out as the API's own JSON: definitions such as Rollout and HTTPRoute have no classes in the client.

An API server that restarts, or whose etcd has no leader, is away for seconds. A call that it does not answer is made
again until it has been silent for a minute; every call here may be made twice. So a drill's verbs and its undo outlast
that; whether to play on meanwhile is asked of `lost`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from websocket import WebSocketException

from chaos.kubernetes.errors import KubernetesError, NotAnswered, ObjectChanged, ObjectMissing
from chaos.kubernetes.kubeconfig import read_kubeconfig

_TIMEOUT_S = 10.0
_OUTAGE_S = 60.0
_AGAIN_S = 0.5
# A drill looks often whether the server is there, and must not stand still for that.
_LOOK_TIMEOUT_S = 2.0
_SILENT_S = 3.0
_REFUSALS = {404: ObjectMissing, 409: ObjectChanged, **dict.fromkeys((429, 500, 502, 503, 504), NotAnswered)}
_UNKNOWN = 401
_CHANGES_MAX = 10
_MERGE = "application/merge-patch+json"

Object = dict[str, Any]

__all__ = [
    "AUTOSCALER",
    "DEPLOYMENT",
    "HTTP_ROUTE",
    "POD",
    "REPLICA_SET",
    "ROLLOUT",
    "Api",
    "Kind",
    "Object",
    "Right",
]


@dataclass(frozen=True)
class Kind:
    """A kind of namespaced object."""

    group: str
    version: str
    plural: str
    name: str


DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
REPLICA_SET = Kind("apps", "v1", "replicasets", "ReplicaSet")
ROLLOUT = Kind("argoproj.io", "v1alpha1", "rollouts", "Rollout")
HTTP_ROUTE = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
AUTOSCALER = Kind("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
POD = Kind("", "v1", "pods", "pod")


@dataclass(frozen=True)
class Right:
    """What an account may do: the verb, to one object or (without a name) to all of the kind, or to a part of it."""

    verb: str
    kind: Kind
    name: str = ""
    part: str = ""

    def __str__(self) -> str:
        """As a role would have it."""
        group = f".{self.kind.group}" if self.kind.group else ""
        part = f"/{self.part}" if self.part else ""
        return f"{self.verb} {self.kind.plural}{part}{group}{f' {self.name}' if self.name else ''}"


class Api:
    """One namespace of one cluster. Every call raises KubernetesError when it is refused or not answered in time."""

    def __init__(
        self, connection: client.ApiClient, namespace: str, patient: bool = False, context: str = "", cluster: str = ""
    ) -> None:
        """With `patient`, a server that has not answered yet is waited for like one that has.

        context, cluster: what a kubeconfig calls the way there.
        """
        self._heard_s = time.monotonic() if patient else -math.inf
        self.context = context
        self.cluster = cluster
        self.connection = connection
        self.namespace = namespace
        self._objects = client.CustomObjectsApi(connection)
        self._core = client.CoreV1Api(connection)

    @classmethod
    def connect(cls, kubeconfig: Path, context: str | None, namespace: str, patient: bool = False) -> Self:
        """As the file says. Raises KubernetesError when it cannot be used."""
        access = read_kubeconfig(kubeconfig, context)
        return cls(client.ApiClient(access.settings), namespace, patient, access.context, access.cluster)

    def server(self) -> str:
        """The API server's address."""
        return str(self.connection.configuration.host)

    def get(self, kind: Kind, name: str) -> Object:
        """One object. Raises ObjectMissing."""
        return self._call(f"{kind.name} {name}", self._objects.get_namespaced_custom_object, *self._of(kind), name)

    def all(self, kind: Kind, selector: str = "") -> list[Object]:
        """Every object whose labels fit."""
        listed = self._call(
            f"{kind.name}s", self._objects.list_namespaced_custom_object, *self._of(kind), label_selector=selector
        )
        return list(listed["items"])

    def patch(self, kind: Kind, name: str, body: Mapping[str, Any], part: str = "") -> Object:
        """Merge into an object, or into its part `status`; lists are replaced whole, and None takes a key away."""
        objects = self._objects
        call = objects.patch_namespaced_custom_object_status if part else objects.patch_namespaced_custom_object
        return self._call(f"{kind.name} {name}", call, *self._of(kind), name, dict(body), _content_type=_MERGE)

    def change(self, kind: Kind, name: str, edit: Callable[[Object], None]) -> Object:
        """Edit an object in place; anew when somebody else, such as its controller, was quicker."""
        for tries_left in reversed(range(_CHANGES_MAX)):
            body = self.get(kind, name)
            edit(body)
            try:
                call = self._objects.replace_namespaced_custom_object
                return self._call(f"{kind.name} {name}", call, *self._of(kind), name, body)
            except ObjectChanged:
                if not tries_left:
                    raise
        raise AssertionError

    def pods(self, selector: str) -> list[Object]:
        """Every pod whose labels fit."""
        listed = self._call("pods", self._core.list_namespaced_pod, self.namespace, label_selector=selector)
        return list(listed["items"])

    def delete_pod(self, name: str, uid: str) -> None:
        """At once, without grace, and this very pod only; one that is gone is fine."""
        now = client.V1DeleteOptions(grace_period_seconds=0, preconditions=client.V1Preconditions(uid=uid))
        with suppress(ObjectMissing):
            self._call(f"pod {name}", self._core.delete_namespaced_pod, name, self.namespace, body=now)

    def execute(self, pod: str, container: str, command: Sequence[str]) -> str:
        """Standard output of a command in a container; it must end with exit code 0."""
        what = f"{command[0]} in pod {pod}"
        # The stream takes over the client that it is given, so it is given one of its own.
        core = client.CoreV1Api(client.ApiClient(self.connection.configuration))
        try:
            session = stream(
                core.connect_get_namespaced_pod_exec,
                pod,
                self.namespace,
                container=container,
                command=list(command),
                stdin=False,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
                _request_timeout=_TIMEOUT_S,
            )
            try:
                session.run_forever(timeout=_TIMEOUT_S)
                ended, out, err = not session.is_open(), session.read_stdout(timeout=0), session.read_stderr(timeout=0)
                code = session.returncode if ended else None
            finally:
                session.sock.shutdown()  # the client's own close leaves open what the server has ended
        except (ApiException, urllib3.exceptions.HTTPError, WebSocketException, OSError, ValueError) as error:
            raise KubernetesError(f"{what}: cannot be run: {_refusal(error)}") from error
        if code != 0:
            told = f"exit code {code}: {err.strip()[:300]}" if ended else f"no end within {_TIMEOUT_S:g} s"
            raise KubernetesError(f"{what}: {told}")
        return str(out)

    def annotations(self) -> dict[str, str]:
        """Those of the namespace. Raises ObjectMissing."""
        found = self._call("annotations", self._core.read_namespace, self.namespace)
        return dict(found["metadata"].get("annotations") or {})

    def may(self, right: Right) -> bool:
        """Whether the account has this right in the namespace."""
        asked = client.V1ResourceAttributes(
            verb=right.verb,
            group=right.kind.group,
            resource=right.kind.plural,
            subresource=right.part or None,
            name=right.name or None,
            namespace=self.namespace,
        )
        spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=asked)
        review = client.AuthorizationV1Api(self.connection).create_self_subject_access_review
        body = client.V1SelfSubjectAccessReview(spec=spec)
        return bool(self._call("rights", review, body)["status"]["allowed"])

    def lost(self) -> str | None:
        """Why nothing can be changed or undone any more; None while the server answers, or is silent for a moment."""
        try:
            self._once("annotations", self._core.read_namespace, self.namespace, timeout_s=_LOOK_TIMEOUT_S)
        except NotAnswered as error:
            silent_s = time.monotonic() - self._heard_s
            return f"API server (silent for {silent_s:.0f} s: {error})" if silent_s > _SILENT_S else None
        except KubernetesError as error:
            return f"API server ({error})"
        return None

    def _call(self, what: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Object:
        """The answer as the API wrote it, waited for through an outage: all calls together wait once for it."""
        deadline_s = self._heard_s + _OUTAGE_S  # other calls may well be answered meanwhile
        while True:
            try:
                return self._once(what, call, *arguments, **options)
            except NotAnswered:
                if time.monotonic() >= deadline_s:
                    raise
                time.sleep(_AGAIN_S)

    def _once(
        self, what: str, call: Callable[..., Any], *arguments: Any, timeout_s: float = _TIMEOUT_S, **options: Any
    ) -> Object:
        try:
            answer = call(*arguments, **options, _preload_content=False, _request_timeout=timeout_s)
            found = dict(json.loads(answer.data))
        except ApiException as error:
            kind = _REFUSALS.get(error.status or 0, KubernetesError)
            if kind is not NotAnswered:
                self._heard_s = time.monotonic()
            raise kind(f"{what} in namespace {self.namespace}: {_message(error)}") from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise NotAnswered(f"{what}: {self.server()} did not answer: {error}") from error
        self._heard_s = time.monotonic()
        return found

    def _of(self, kind: Kind) -> tuple[str, str, str, str]:
        return kind.group, kind.version, self.namespace, kind.plural


def _refusal(error: Exception) -> str:
    """Why nothing could be run: the server's own words, which the client hides behind every header of its answer."""
    text = str(error).strip()
    try:
        return str(json.loads(text.rsplit("-+-+-", 1)[-1])["message"])
    except (ValueError, KeyError, TypeError):
        return text[:300]


def _message(error: ApiException) -> str:
    if error.status == _UNKNOWN:
        return "401: the API server does not know the account: has its token expired, or its kubeconfig no user?"
    try:
        return f"{error.status} {json.loads(error.body or '')['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{error.status} {error.reason}"
