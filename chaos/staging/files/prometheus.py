"""The part of a staging file that says what a Prometheus knows of the services."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from chaos.prometheus import PrometheusReader, Queries
from scenarios.base import Part, Text

__all__ = ["Prometheus"]

_UNITS_S = {"s": 1.0, "ms": 1e-3}


def _url(value: Any) -> str:
    try:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        right = parts.scheme == "http" and bool(parts.hostname) and not parts.query and "@" not in parts.netloc
        right = right and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise ValueError("must be http://host:port, without user or password")
    return str(value)


class Prometheus(Part):
    """Counters that only grow, one series a process, by PromQL without `sum`; the server is only read."""

    url: Annotated[str, BeforeValidator(_url)] = Field(description="where it answers: http://host:port")
    requests: Text = Field(description="PromQL: answers, with labels that tell service and version")
    errors: Text = Field(description="PromQL: those of them that failed")
    latency: Text | None = Field(
        None, description="PromQL: buckets of their times, by the label le; guardrails on times need it"
    )
    unit: Literal["s", "ms"] = Field("s", description="of the label le")
    service: Text = Field("service", description="the label that names the service as the scenario does")
    version: Text = Field("version", description="the label that names the version as the scenario does")

    def reader(self) -> PrometheusReader:
        """Nothing is asked yet."""
        queries = Queries(
            self.requests, self.errors, self.latency, self.service, self.version, le_s=_UNITS_S[self.unit]
        )
        return PrometheusReader(self.url, queries)
