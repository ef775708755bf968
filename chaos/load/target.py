"""Load goes to loopback, or into networks that are listed, and this is where that is held.

The name is resolved once, every address it resolves to must lie in one of them, and the load is sent to
the address that was checked rather than to the name, so that a name that resolves differently a
second later changes nothing.
"""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from chaos.load.errors import TargetRefused

__all__ = ["LOOPBACK", "Target", "is_loopback", "require_network", "resolve_target"]

LOOPBACK = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class Target:
    """A checked target: the address, the port and the URL built from the two."""

    address: str
    port: int

    @property
    def url(self) -> str:
        """`http://address:port`, without a trailing slash."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"


def resolve_target(base_url: str, networks: Sequence[str] = LOOPBACK) -> Target:
    """Resolve `base_url` and return its address, which lies in `networks`; raise TargetRefused otherwise."""
    parts = _split(base_url)
    host, port = parts.hostname or "", parts.port or 80
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the second for names that cannot be host names
        raise TargetRefused(f"base_url(={base_url}): {host!r} does not resolve: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not _lies_in(address, networks):
            where = "loopback only" if tuple(networks) == LOOPBACK else f"{', '.join(networks)} only"
            raise TargetRefused(f"base_url(={base_url}): {host!r} resolves to {address}, load goes to {where}")
    # Servers here bind 127.0.0.1; `localhost` often lists ::1 first.
    return Target(min(addresses, key=lambda address: ":" in address), port)


def require_network(text: str, what: str) -> None:
    """Raise TargetRefused unless the text, which `what` names in the error, is an IP network such as 10.0.0.0/8."""
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise TargetRefused(f"{what}(={text}): {error}") from error


def is_loopback(address: str) -> bool:
    """Whether a numeric address is one of the machine's own."""
    return _lies_in(address, LOOPBACK)


def _split(base_url: str) -> SplitResult:
    try:
        parts = urlsplit(base_url)
    except ValueError as error:
        raise TargetRefused(f"base_url(={base_url}): {error}") from error
    try:
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    rules = {
        "the scheme must be http": parts.scheme == "http",
        "it must name a host": bool(parts.hostname),
        "the port must be 1..65535": port_is_valid,
        "it must not carry credentials": "@" not in parts.netloc,
        "it must have no path, query or fragment": parts.path in ("", "/") and not parts.query and not parts.fragment,
    }
    for rule, holds in rules.items():
        if not holds:
            raise TargetRefused(f"base_url(={base_url}): {rule}")
    return parts


def _lies_in(address: str, networks: Sequence[str]) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in ipaddress.ip_network(network) for network in networks)
