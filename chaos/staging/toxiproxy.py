"""Toxiproxy through toxiproxy-python, behind a wrapper that does not believe it.

What toxiproxy-python 0.1.1 gets wrong, and what is done about it here:
- host and port are attributes of a class, so one client redirects all: each client has a subclass of its own;
- no timeouts: every call gets one; proxies from the environment are not used for loopback;
- an answer of 5xx counts as success: every status is checked;
- names are not escaped in addresses: they are;
- `enable()` says enabled without looking, `add_toxic` returns nothing: every change is read back and compared.

`/reset` is never called: it is global, and would undo what others did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from chaos.errors import ToxiproxyError
from chaos.staging.ports import LOOPBACK

TIMEOUT_S = 5.0
# The server keeps it in single precision.
TOXICITY_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Toxic:
    """A toxic as the server has it."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Proxy:
    """A proxy as the server has it."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[Toxic, ...] = field(default=())

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.listen.rpartition(":")[2])


class ToxiproxyClient:
    """One Toxiproxy server. Every method raises ToxiproxyError."""

    def __init__(self, port: int, host: str = LOOPBACK) -> None:
        self.host = host
        self.port = port
        self._api: type[Any] = type("Consumer", (APIConsumer,), {"host": host, "port": port})

    def version(self) -> str:
        """The server's version."""
        return str(self._call("get", "/version")["version"])

    def proxies(self) -> dict[str, Proxy]:
        """All proxies with their toxics, by name."""
        return {name: _proxy(data) for name, data in self._call("get", "/proxies").items()}

    def proxy(self, name: str) -> Proxy:
        """One proxy."""
        return _proxy(self._call("get", _path(name)))

    def create(self, name: str, listen_port: int, upstream: str) -> Proxy:
        """A new proxy on `listen_port`, enabled."""
        body = {
            "name": name,
            "listen": f"{self.host}:{listen_port}",
            "upstream": upstream,
            "enabled": True,
        }
        self._call("post", "/proxies", body)
        proxy = self.proxy(name)
        if (proxy.upstream, proxy.port, proxy.enabled) != (upstream, listen_port, True):
            raise ToxiproxyError(f"proxy {name}: read back {proxy}, ordered {body}")
        return proxy

    def destroy(self, name: str) -> None:
        """Remove a proxy; none of that name is as good."""
        if name in self.proxies():
            self._call("delete", _path(name))
        if name in self.proxies():
            raise ToxiproxyError(f"proxy {name}: still there after its removal")

    def enable(self, name: str, enabled: bool = True) -> Proxy:
        """Let a proxy listen, or stop it and drop its connections."""
        self._call("post", _path(name), {"enabled": enabled})
        proxy = self.proxy(name)
        if proxy.enabled is not enabled:
            raise ToxiproxyError(f"proxy {name}: enabled(={proxy.enabled}) must be {enabled}")
        return proxy

    def set_upstream(self, name: str, upstream: str) -> Proxy:
        """Lead a proxy elsewhere; connections to where it led are broken."""
        self._call("post", _path(name), {"upstream": upstream})
        proxy = self.proxy(name)
        if proxy.upstream != upstream:
            raise ToxiproxyError(f"proxy {name}: upstream(={proxy.upstream}) must be {upstream}")
        return proxy

    def add_toxic(
        self,
        proxy: str,
        name: str,
        kind: str,
        attributes: Mapping[str, Any],
        *,
        stream: str = "downstream",
        toxicity: float = 1.0,
    ) -> Toxic:
        """A new toxic, on the connections that are open too. Toxicity is rolled once a connection."""
        toxic = {"name": name, "type": kind, "stream": stream, "toxicity": toxicity}
        self._call("post", f"{_path(proxy)}/toxics", {**toxic, "attributes": dict(attributes)})
        found = self.toxic(proxy, name)
        if found is None:
            raise ToxiproxyError(f"proxy {proxy}: toxic {name} is not there after it was added")
        wanted = Toxic(name, kind, stream, toxicity, attributes)
        different = {
            key: found.attributes.get(key) for key, value in attributes.items() if found.attributes.get(key) != value
        }
        odd = abs(found.toxicity - toxicity) > TOXICITY_TOLERANCE
        if different or odd or (found.type, found.stream) != (kind, stream):
            raise ToxiproxyError(f"proxy {proxy}: toxic read back {found}, ordered {wanted}")
        return found

    def toxic(self, proxy: str, name: str) -> Toxic | None:
        """One toxic, or None."""
        return next((toxic for toxic in self.proxy(proxy).toxics if toxic.name == name), None)

    def remove_toxic(self, proxy: str, name: str) -> None:
        """Remove a toxic; none of that name is as good."""
        if self.toxic(proxy, name) is not None:
            self._call("delete", f"{_path(proxy)}/toxics/{quote(name, safe='')}")
        if self.toxic(proxy, name) is not None:
            raise ToxiproxyError(f"proxy {proxy}: toxic {name} is still there after its removal")

    def _call(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        options: dict[str, Any] = {"timeout": TIMEOUT_S, "proxies": {"http": None, "all": None}}
        if body is not None:
            options["json"] = body
        where = f"toxiproxy {self.host}:{self.port} {verb.upper()} {path}"
        try:
            response = getattr(self._api, verb)(path, **options)
        except (InvalidToxic, NotFound, ProxyExists) as error:
            raise ToxiproxyError(f"{where}: {type(error).__name__}: {_text(error)}") from error
        except requests.RequestException as error:
            raise ToxiproxyError(f"{where}: {error}") from error
        if not 200 <= response.status_code < 300:
            raise ToxiproxyError(f"{where}: status(={response.status_code}) must be 2xx: {response.text}")
        return response.json() if response.content else None


def _path(proxy: str) -> str:
    return f"/proxies/{quote(proxy, safe='')}"


def _text(error: Exception) -> str:
    detail = error.args[0] if error.args else ""
    return detail.decode("utf-8", "replace").strip() if isinstance(detail, bytes) else str(detail)


def _proxy(data: Mapping[str, Any]) -> Proxy:
    toxics = tuple(
        Toxic(entry["name"], entry["type"], entry["stream"], entry["toxicity"], entry["attributes"])
        for entry in data.get("toxics") or ()
    )
    return Proxy(data["name"], data["listen"], data["upstream"], data["enabled"], toxics)
