"""Envoy's admin interface: weights, abort shares, replicas in rotation, statistics. Every change is read back."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from chaos.errors import EnvoyError
from chaos.staging.config import StagingConfig
from chaos.staging.envoy_config import (
    ABORTED,
    FRACTION_TOTAL,
    WEIGHT_TOTAL,
    abort_key,
    cluster_name,
    delay_keys,
    mirror_key,
    weight_keys,
)
from chaos.staging.envoy_stats import EnvoyStats, read_clusters, rebinned
from chaos.staging.loopback import call
from chaos.staging.ports import LOOPBACK

READ_BACK_S = 2.0
# as much as WEIGHT_TOTAL can tell apart
SHARE_DECIMALS = 6
POLL_S = 0.02


class EnvoyClient:
    """One Envoy. Every method raises EnvoyError."""

    def __init__(self, admin_port: int, config: StagingConfig) -> None:
        self._port = admin_port
        self._config = config

    def ready(self) -> bool:
        """Whether Envoy serves (its clusters are known, its listeners open)."""
        try:
            return self._get("/ready").strip() == "LIVE"
        except EnvoyError:
            return False

    def runtime(self) -> dict[str, str]:
        """Runtime values in force, by key."""
        entries = json.loads(self._get("/runtime"))["entries"]
        return {key: str(entry["final_value"]) for key, entry in entries.items()}

    def set_runtime(self, values: Mapping[str, str]) -> None:
        """Set values together, and wait until they read back. An empty value removes a key."""
        self._request("POST", "/runtime_modify", dict(values))
        deadline = time.monotonic() + READ_BACK_S
        while True:
            now = self.runtime()
            if all(now.get(key, "") == value for key, value in values.items()):
                return
            if time.monotonic() > deadline:
                read = {key: now.get(key, "") for key in values}
                raise EnvoyError(f"runtime reads {read}, ordered {dict(values)}")
            time.sleep(POLL_S)

    def weights(self, service: str) -> dict[str, float]:
        """The share of each version, of 1, for requests of cohorts without shares of their own."""
        return self._weights(self.runtime(), service, None)

    def cohort_weights(self, service: str) -> dict[str, dict[str, float]]:
        """The shares of the cohorts that are routed otherwise than the rest."""
        now = self.runtime()
        rest = self._weights(now, service, None)
        own = {cohort: self._weights(now, service, cohort) for cohort in self._config.cohorts}
        return {cohort: weights for cohort, weights in own.items() if weights != rest}

    def set_weights(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """Put shares (sum 1; versions left out get 0) in force, all together; a cohort left out goes with the rest."""
        own = cohorts or {}
        unknown = sorted(set(own) - set(self._config.cohorts))
        if unknown:
            raise EnvoyError(f"route of {service}: cohorts(={unknown}) must be among {self._config.cohorts}")
        values: dict[str, str] = {}
        for cohort in (None, *self._config.cohorts):
            parts = self._parts(service, weights if cohort is None else own.get(cohort, weights))
            for version, part in parts.items():
                values |= dict.fromkeys(weight_keys(service, version, cohort), str(part))
        self.set_runtime(values)

    def _weights(self, now: Mapping[str, str], service: str, cohort: str | None) -> dict[str, float]:
        versions = self._config.services[service].versions
        defaults = {version: 0 if number else WEIGHT_TOTAL for number, version in enumerate(versions)}
        return {
            version: round(
                int(now.get(weight_keys(service, version, cohort)[0], defaults[version])) / WEIGHT_TOTAL, SHARE_DECIMALS
            )
            for version in versions
        }

    def _parts(self, service: str, weights: Mapping[str, float]) -> dict[str, int]:
        """Shares in parts of WEIGHT_TOTAL, which they add up to."""
        versions = self._config.services[service].versions
        unknown = sorted(set(weights) - set(versions))
        if unknown:
            raise EnvoyError(f"route of {service}: versions(={unknown}) must be among {versions}")
        if not weights or abs(sum(weights.values()) - 1.0) > 1e-9 or min(weights.values()) < 0:
            raise EnvoyError(f"route of {service}: weights(={dict(weights)}) must be >= 0 with sum 1")
        parts = {version: round(weights.get(version, 0.0) * WEIGHT_TOTAL) for version in versions}
        largest = max(parts, key=lambda version: parts[version])
        parts[largest] += WEIGHT_TOTAL - sum(parts.values())
        return parts

    def mirrors(self, service: str) -> dict[str, float]:
        """The share of the requests that are copied to each version; versions that get none are left out."""
        now = self.runtime()
        shares = {
            version: _share(now.get(mirror_key(service, version), ""))
            for version in self._config.services[service].versions[1:]
        }
        return {version: share for version, share in shares.items() if share}

    def set_mirror(self, service: str, version: str, share: float) -> None:
        """Copy a share (0..1, steps of 0.0001) of the service's requests to a new version; 0 ends it."""
        new = self._config.services[service].versions[1:]
        if version not in new:
            raise EnvoyError(f"mirror of {service}: version(={version}) must be among {new}")
        self.set_runtime({mirror_key(service, version): _fraction(f"mirror share of {service}", share)})

    def abort_share(self, service: str, cohort: str | None = None) -> float:
        """The share of the service's requests, or of a cohort's, that are answered 503 in its place."""
        self._known(service, cohort)
        return _share(self.runtime().get(abort_key(service, cohort), ""))

    def set_abort_share(self, service: str, share: float, cohort: str | None = None) -> None:
        """Put a share (0..1, steps of 0.0001) in force; 0 removes it."""
        self._known(service, cohort)
        self.set_runtime({abort_key(service, cohort): _fraction(f"abort share of {service}", share)})

    def delay(self, service: str, cohort: str | None = None) -> tuple[float, float]:
        """The share of the service's requests, or of a cohort's, that are held back, and for how many seconds."""
        self._known(service, cohort)
        share_key, ms_key = delay_keys(service, cohort)
        now = self.runtime()
        return _share(now.get(share_key, "")), int(now.get(ms_key, "") or 0) / 1000

    def set_delay(self, service: str, share: float, delay_s: float, cohort: str | None = None) -> None:
        """Hold a share (0..1, steps of 0.0001) back for whole milliseconds; share 0 removes it."""
        self._known(service, cohort)
        share_key, ms_key = delay_keys(service, cohort)
        delay_ms = str(round(delay_s * 1000)) if share else ""
        self.set_runtime({ms_key: delay_ms, share_key: _fraction(f"delay share of {service}", share)})

    def _known(self, service: str, cohort: str | None) -> None:
        """Raise EnvoyError for a cohort that has no keys: Envoy would take them, and do nothing."""
        if cohort is not None and cohort not in self._config.cohorts:
            raise EnvoyError(f"faults of {service}: cohort(={cohort}) must be among {self._config.cohorts}")

    def healthy_ports(self, service: str, version: str) -> tuple[set[int], set[int]]:
        """Ports of the replicas that take requests, and of all that Envoy knows."""
        name = cluster_name(service, version)
        healthy, known = set(), set()
        for cluster in json.loads(self._get("/clusters", {"format": "json"}))["cluster_statuses"]:
            if cluster["name"] != name:
                continue
            for host in cluster.get("host_statuses", []):
                port = host["address"]["socket_address"]["port_value"]
                known.add(port)
                status = host.get("health_status", {})
                if status.get("eds_health_status") == "HEALTHY" and len(status) == 1:
                    healthy.add(port)
        return healthy, known

    def stats(self, service: str) -> dict[str, EnvoyStats]:
        """Counters of each version of one service."""
        return {each.version: each for each in self._read_stats((service,))}

    def stats_all(self) -> list[EnvoyStats]:
        """Counters of every version of every service, in one call."""
        return self._read_stats(tuple(self._config.services))

    def _read_stats(self, services: Sequence[str]) -> list[EnvoyStats]:
        keys = [(service, version) for service in services for version in self._config.services[service].versions]
        names = {key: cluster_name(*key) for key in keys}
        counts = read_clusters(self._get, [f"{prefix}{name}" for name in names.values() for prefix in ("", ABORTED)])
        bounds_ms = tuple(float(round(1000 * edge)) for edge in self._config.latency_edges_s)
        return [
            EnvoyStats(
                service,
                version,
                whole.completed + aborted.completed,
                whole.errors + aborted.errors,
                whole.cancelled + aborted.cancelled,
                bounds_ms,
                rebinned(whole.times, bounds_ms),
            )
            for (service, version), name in names.items()
            for whole, aborted in [(counts[name], counts[f"{ABORTED}{name}"])]
        ]

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> str:
        return self._request("GET", path, params)

    def _request(self, method: str, path: str, params: Mapping[str, str] | None = None) -> str:
        where = f"envoy {method} {LOOPBACK}:{self._port}{path}"
        # Envoy takes a plus sign as it is, where a form would read a blank
        target = f"{path}?{urlencode(params, quote_via=quote)}" if params else path
        try:
            status, text = call(method, self._port, target)
        except (OSError, http.client.HTTPException) as error:
            raise EnvoyError(f"{where}: {error}") from error
        if status != 200:
            raise EnvoyError(f"{where}: status(={status}) must be 200: {text.strip()}")
        return text


def _share(value: str) -> float:
    return json.loads(value)["numerator"] / FRACTION_TOTAL if value else 0.0


def _fraction(what: str, share: float) -> str:
    """A runtime value, empty for 0: that removes the key."""
    if not 0.0 <= share <= 1.0:
        raise EnvoyError(f"{what}(={share}) must be in 0..1")
    percent = {"numerator": round(share * FRACTION_TOTAL), "denominator": "TEN_THOUSAND"}
    return json.dumps(percent, separators=(",", ":")) if share else ""
