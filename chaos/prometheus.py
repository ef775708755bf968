"""What each version answered, as a Prometheus server has it: counters by PromQL, read as Envoy's are.

Each query is an instant query that answers a vector of cumulative counters, one series for every process that counts.
Series are followed one by one, as PromQL's `increase` does within a range: a counter that falls was started anew, and
one that vanishes keeps what it had. A sum made by the server would fall whenever a replica ends, and hide what it had
answered; so `sum` belongs into no query here.

Prometheus knows nothing newer than its last scrape: what is observed is late by up to a scrape interval, and resolved
to one. It does not see callers that hung up.
"""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from chaos.errors import StagingError
from chaos.staging.envoy_stats import EnvoyStats

__all__ = ["Counters", "PrometheusError", "PrometheusReader", "Queries"]

_TIMEOUT_S = 5.0


class PrometheusError(StagingError):
    """The server cannot be asked, refuses a query, or answers something else than counters of the services."""


@dataclass(frozen=True)
class Queries:
    """PromQL for cumulative counters, and the labels that tell service and version.

    `requests` counts answers, `errors` those of them that failed; `latency` (None: not observed) counts answers by
    their upper bound in the label `le`, in units of `le_s` seconds.
    """

    requests: str
    errors: str
    latency: str | None = None
    service: str = "service"
    version: str = "version"
    le_s: float = 1.0


Series = tuple[tuple[str, str], ...]


class Counters:
    """Running totals by group over series that start anew, come and go."""

    def __init__(self) -> None:
        self._last: dict[Series, float] = {}
        self._totals: dict[tuple[str, ...], float] = {}

    def add(self, samples: Sequence[tuple[Series, tuple[str, ...], float]]) -> dict[tuple[str, ...], float]:
        """Take in samples of (series, group, value); the totals of all groups since the start."""
        for series, group, value in samples:
            before = self._last.get(series, 0.0)
            self._totals[group] = self._totals.get(group, 0.0) + (value - before if value >= before else value)
            self._last[series] = value
        return self._totals


class PrometheusReader:
    """Reads the counters of all services from the server at `url`. Every method raises PrometheusError."""

    def __init__(self, url: str, queries: Queries) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.query or parts.fragment:
            raise PrometheusError(f"prometheus.url(={url}) must be http://HOST:PORT")
        self._host, self._port, self._root = parts.hostname, parts.port or 80, parts.path.rstrip("/")
        self._url, self._queries = url.rstrip("/"), queries
        self._requests, self._errors, self._latency = Counters(), Counters(), Counters()

    def read(self) -> list[EnvoyStats]:
        """Totals of every version of every service that has answered; one without a series has answered nothing."""
        requests = self._requests.add(self._samples(self._queries.requests))
        errors = self._errors.add(self._samples(self._queries.errors))
        buckets: dict[tuple[str, ...], float] = {}
        if self._queries.latency is not None:
            buckets = self._latency.add(self._samples(self._queries.latency, "le"))
        return [self._stats((service, version), requests, errors, buckets) for service, version in sorted(requests)]

    def _stats(
        self,
        key: tuple[str, ...],
        requests: Mapping[tuple[str, ...], float],
        errors: Mapping[tuple[str, ...], float],
        buckets: Mapping[tuple[str, ...], float],
    ) -> EnvoyStats:
        cumulative = sorted((float(group[2]), count) for group, count in buckets.items() if group[:2] == key)
        counts = [count for _, count in cumulative]
        parted = tuple(round(high - low) for low, high in zip([0.0, *counts], counts, strict=False))
        bounds_ms = tuple(bound * self._queries.le_s * 1e3 for bound, _ in cumulative if math.isfinite(bound))
        histogram = parted if len(parted) == len(bounds_ms) + 1 else (*parted, 0) if parted else ()
        return EnvoyStats(
            key[0], key[1], round(requests.get(key, 0.0)), round(errors.get(key, 0.0)), 0, bounds_ms, tuple(histogram)
        )

    def _samples(self, query: str, *more: str) -> list[tuple[Series, tuple[str, ...], float]]:
        """Series, group (service, version and the labels `more`) and value; what has no service is left out."""
        found = []
        for entry in self._ask(query):
            labels, value = entry["metric"], float(entry["value"][1])
            service = labels.get(self._queries.service, "")
            if service and math.isfinite(value):
                group = (service, labels.get(self._queries.version, ""), *(labels.get(name, "") for name in more))
                found.append((tuple(sorted(labels.items())), group, value))
        return found

    def _ask(self, query: str) -> list[dict[str, Any]]:
        where = f"prometheus {self._url}: {query}"
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", f"{self._root}/api/v1/query?{urlencode({'query': query})}")
            answer = connection.getresponse()
            document = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise PrometheusError(f"{where}: {error!r}") from error
        finally:
            connection.close()
        if not isinstance(document, dict) or document.get("status") != "success":
            told = document.get("error") if isinstance(document, dict) else None
            raise PrometheusError(f"{where}: status(={answer.status}): {told or 'no answer of a Prometheus'}")
        if document["data"]["resultType"] != "vector":
            raise PrometheusError(f"{where}: answers a {document['data']['resultType']}, must be a vector")
        result: list[dict[str, Any]] = document["data"]["result"]
        return result
