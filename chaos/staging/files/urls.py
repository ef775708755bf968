"""The only kind of URL that a staging file may name for what is asked there."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

__all__ = ["plain_url"]


def plain_url(value: Any) -> str:
    """`http://host:port`, without a slash at the end. Raises ValueError."""
    rule = "must be http://host:port, without path, user or password"
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        port = parts.port
    except ValueError:
        raise ValueError(rule) from None
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    if parts.scheme != "http" or not parts.hostname or port == 0 or not bare:
        raise ValueError(rule)
    return f"http://{parts.netloc}"
