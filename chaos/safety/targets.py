"""The gate before anything is touched: listed, near, and itself saying that it is staging.

Four rules, each with its own refusal (errors.py): the name must not look like production, not even
when it is listed; the host must be on the allow-list; every address that it resolves to must lie
in an allowed network; and the target itself must serve the marker of this very staging. The
marker is fetched from an address that was checked, without redirects and without any proxy of the
environment, so that nothing between us and the target can answer for it.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httpx

from chaos.safety.bounded import StepTimeout, run_bounded
from chaos.safety.errors import (
    AddressNotAllowed,
    MarkerMismatch,
    MarkerMissing,
    MarkerUnreachable,
    ProductionLikeTarget,
    TargetNotListed,
    TargetRefused,
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MARKER_PATH = "/.well-known/windtunnel-staging"
# Words of their own, and `prod` and `prd` also at either end of one, as in `dbprod01` and `prodweb`: but not in
# `product`, `produce` and `prodigy`, nor where they are denied, as in `nonprod` and `preprod`.
_PRODUCTION = re.compile(
    r"(?<![a-z])(?:prod(?!uc|ig)|prd|(?:production|live)(?![a-z]))|(?<!non)(?<!pre)(?:prod|prd)(?![a-z])",
    re.IGNORECASE,
)
_MARKER_BYTES_MAX = 4096
_TIMEOUT_S = 3.0

__all__ = ["LOOPBACK", "MARKER_PATH", "AllowList", "Target", "looks_like_production", "preflight", "require_allowed"]


@dataclass(frozen=True)
class AllowList:
    """Hosts that may be targets, and the networks in which all their addresses must lie."""

    hosts: frozenset[str]
    networks: tuple[Network, ...]


LOOPBACK = AllowList(
    frozenset({"127.0.0.1", "::1", "localhost"}),
    (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
)


@dataclass(frozen=True)
class Target:
    """A target that passed the gate, and the addresses that were checked."""

    url: str
    addresses: tuple[str, ...]


def looks_like_production(name: str) -> bool:
    """Whether a name has prod, prd, production or live as a word, or a word that begins or ends in prod or prd."""
    return _PRODUCTION.search(name) is not None


def preflight(url: str, token: str, allow: AllowList = LOOPBACK, timeout_s: float = _TIMEOUT_S) -> Target:
    """Check the target at `url` against every rule; `token` is the staging's own.

    Raises TargetRefused's subclass for the rule that was broken.
    """
    addresses = require_allowed(url, allow, timeout_s)
    parts = _split(url)
    for address in addresses:
        _check_marker(url, (parts.hostname or "").lower(), address, parts.port or 80, token, timeout_s)
    return Target(url, addresses)


def require_allowed(url: str, allow: AllowList, timeout_s: float = _TIMEOUT_S) -> tuple[str, ...]:
    """The addresses of the host of `url`, which is listed, and all of them in allowed networks.

    Raises TargetRefused's subclass for the rule that was broken.
    """
    parts = _split(url)
    host = (parts.hostname or "").lower()
    if looks_like_production(host):
        raise ProductionLikeTarget(f"target {url}: host {host!r} looks like production; refused even when listed")
    if host not in allow.hosts:
        listed = ", ".join(sorted(allow.hosts))
        raise TargetNotListed(f"target {url}: host {host!r} is not on the allow-list ({listed})")
    addresses = _resolve(url, host, parts.port or 80, timeout_s)
    for address in addresses:
        if not any(ipaddress.ip_address(address) in network for network in allow.networks):
            networks = ", ".join(str(network) for network in allow.networks)
            raise AddressNotAllowed(
                f"target {url}: {host!r} resolves to {address}, outside the allowed networks ({networks})"
            )
    return addresses


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise TargetRefused(f"target {url!r}: is not a URL: {error}") from error
    if parts.scheme != "http" or not parts.hostname or parts.username is not None:
        raise TargetRefused(f"target {url!r}: must be http://host:port, without user or password")
    return parts


def _resolve(url: str, host: str, port: int, timeout_s: float) -> tuple[str, ...]:
    try:
        found = run_bounded(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME),
            timeout_s,
            f"resolving {host}",
        )
    except (OSError, StepTimeout) as error:
        raise AddressNotAllowed(f"target {url}: {host!r} does not resolve: {error}") from error
    for alias in sorted({row[3] for row in found if looks_like_production(row[3])}):
        raise ProductionLikeTarget(
            f"target {url}: host {host!r} is another name of {alias!r}, which looks like production"
        )
    return tuple(dict.fromkeys(str(row[4][0]) for row in found))


def _check_marker(url: str, host: str, address: str, port: int, token: str, timeout_s: float) -> None:
    """Fetch the marker from one checked address; all must serve it, any may be used later."""
    literal = f"[{address}]" if ":" in address else address
    where = f"http://{literal}:{port}{MARKER_PATH}"
    try:
        with httpx.Client(trust_env=False, follow_redirects=False, timeout=timeout_s) as client:
            answer = client.get(where, headers={"host": f"{host}:{port}"})
    except httpx.HTTPError as error:
        raise MarkerUnreachable(f"target {url}: no staging marker at {where}: {error!r}") from error
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise MarkerUnreachable(f"target {url}: no staging marker at {where}: answered {answer.status_code}")
    if answer.status_code != httpx.codes.OK or len(answer.content) > _MARKER_BYTES_MAX:
        raise MarkerMissing(
            f"target {url}: no staging marker at {where}: answered {answer.status_code}, "
            "must be 200 (redirects are not followed)"
        )
    try:
        served = answer.json()["id"]
    except (ValueError, KeyError, TypeError) as error:
        raise MarkerMissing(f"target {url}: {where} served no marker with an id: {error!r}") from error
    if served != token:
        raise MarkerMismatch(f"target {url}: {where} is the marker of another staging ({served!r})")
