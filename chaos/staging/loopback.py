"""HTTP calls to the staging's own admin interfaces.

The standard library's client: no proxies from the environment, no redirects, a connection a call. A fresh httpx client
loads certificates first and costs 50 ms, which is too much for what is polled four times a second.
"""

from __future__ import annotations

import http.client

from chaos.staging.ports import LOOPBACK

TIMEOUT_S = 5.0


def call(method: str, port: int, path: str, body: bytes = b"", timeout_s: float = TIMEOUT_S) -> tuple[int, str]:
    """Status and text of the answer. Raises OSError or http.client.HTTPException."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    try:
        connection.request(method, path, body or None, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    finally:
        connection.close()
