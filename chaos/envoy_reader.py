"""What an Envoy of the user's own tells of versions: counters of its clusters, from its admin interface, only read."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from chaos.errors import EnvoyError
from chaos.safety.targets import AllowList, require_allowed
from chaos.staging.envoy_stats import EnvoyStats, read_clusters

__all__ = ["EnvoyReader"]

_TIMEOUT_S = 5.0


class EnvoyReader:
    """Reads `clusters`, the names of Envoy's clusters by service and version, from the admin interface at `url`.

    It asks nobody but whom `allow` lists.
    """

    def __init__(self, url: str, clusters: Mapping[str, Mapping[str, str]], allow: AllowList) -> None:
        self._url = url
        self._allow = allow
        self._names = {
            (service, version): name for service, versions in clusters.items() for version, name in versions.items()
        }
        self._address = ""

    def read(self) -> list[EnvoyStats]:
        """Counters since Envoy's start. Raises TargetRefused, EnvoyError."""
        if not self._address:  # from now on that one, whatever the name resolves to
            self._address = require_allowed(self._url, self._allow)[0]
        counts = read_clusters(self._get, list(self._names.values()))
        found = []
        for (service, version), name in self._names.items():
            of = counts[name]
            bounds_ms, histogram = zip(*of.times, strict=True) if of.times else ((), ())
            histogram = (*histogram, 0) if histogram else ()
            found.append(EnvoyStats(service, version, of.completed, of.errors, of.cancelled, bounds_ms, histogram))
        return found

    def _get(self, path: str, params: Mapping[str, str]) -> str:
        parts = urlsplit(self._url)
        connection = http.client.HTTPConnection(self._address, parts.port or 80, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", f"{path}?{urlencode(params, quote_via=quote)}", headers={"host": parts.netloc})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise EnvoyError(f"envoy {self._url}{path}: {error!r}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise EnvoyError(f"envoy {self._url}{path}: status(={answer.status}) must be 200: {text.strip()[:200]}")
        return text
