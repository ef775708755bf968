"""What Envoy is started with, and the endpoint files that it watches.

One listener a service, one cluster a (service, version). Which share of the requests goes to which version is a matter
of runtime keys (`route.checkout.<cluster>`, of WEIGHT_TOTAL); which replicas a cluster has, of a file that is replaced
atomically. So nothing is restarted in a release. Each cohort has routes of its own, by the header that its requests
carry, with keys of its own (`cohort.checkout.coupon.<cluster>`). Copies of requests go to a new version by a mirror
policy (`mirror.checkout.<cluster>`), marked by a header, so that the shop does not keep what they write.

An error fault is a second route, taken by a share of the requests (`fault.checkout.abort`): it has the same weights
and leads to a cluster a (service, version) that answers 503 in the version's place. So these errors stand in the
counters of the version that would have answered, where a guardrail looks; Envoy's own fault filter answers before a
version is chosen, so it does what is no version's own: it holds requests back (`fault.checkout.delay`). Each cohort has
keys of its own for both (`fault.checkout.coupon.abort`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.staging.config import SERVICES, StagingConfig
from chaos.staging.paths import write_atomically
from chaos.staging.ports import LOOPBACK
from chaos.staging.shop.wire import COHORT_HEADER, MARKER_PATH, MIRRORED_HEADER

FRACTION_TOTAL = 10_000
# Envoy takes one random number a request for both choices, abort and version, each modulo its total: only totals
# without a common divisor make the choices independent.
WEIGHT_TOTAL = 9_999_991
STAGING_LISTENER = "staging"
PLAIN_PATH = "/plain"
ABORT_PATH = "/abort"
# Which the router answers itself, and lets nobody through to.
ADMIN_PATH = "/_admin"
ABORTED = "aborted--"
HEALTH_INTERVAL = "0.25s"
CIRCUIT_OPEN = 1_000_000
NO_LIMITS = {
    "thresholds": [
        {
            "max_connections": CIRCUIT_OPEN,
            "max_pending_requests": CIRCUIT_OPEN,
            "max_requests": CIRCUIT_OPEN,
        }
    ]
}
EXTENSION = "type.googleapis.com/envoy.extensions"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {
        "@type": f"{EXTENSION}.filters.http.router.v3.Router",
        "suppress_envoy_headers": True,
    },
}


def cluster_name(service: str, version: str) -> str:
    """The cluster of a version. No dots: they separate the parts of statistics' names."""
    return f"{service}--{re.sub(r'[^A-Za-z0-9_-]', '_', version)}"


def weight_keys(service: str, version: str, cohort: str | None = None) -> tuple[str, str]:
    """The runtime keys of a version's weight, of WEIGHT_TOTAL: of its requests, and of those that are aborted.

    Of a cohort's requests; None: of those that are in no cohort of the configuration.
    """
    prefix, name = _weights(service, cohort), cluster_name(service, version)
    return f"{prefix}.{name}", f"{prefix}.{ABORTED}{name}"


def abort_key(service: str, cohort: str | None = None) -> str:
    """The runtime key of the share of requests, or of a cohort's, that are answered 503, of FRACTION_TOTAL."""
    return f"{_fault(service, cohort)}.abort"


def delay_keys(service: str, cohort: str | None = None) -> tuple[str, str]:
    """The runtime keys of the share of requests, or of a cohort's, that are held back, and of how long, in ms."""
    return f"{_fault(service, cohort)}.delay", f"{_fault(service, cohort)}.delay_ms"


def mirror_key(service: str, version: str) -> str:
    """The runtime key of the share of requests that are copied to a new version, of FRACTION_TOTAL."""
    return f"mirror.{service}.{cluster_name(service, version)}"


def bootstrap(
    config: StagingConfig, folder: Path, admin_port: int, ports: Mapping[str, int], token: str
) -> dict[str, Any]:
    """The bootstrap document. `ports`: of the listeners, by service, and of STAGING_LISTENER."""
    listeners = [
        _listener(
            name,
            ports[name],
            _service_routes(name, config.services[name].versions, config.cohorts),
            _delays(name, config.cohorts),
        )
        for name in SERVICES
    ]
    listeners.append(_staging_listener(ports[STAGING_LISTENER], token))
    pairs = [(name, version) for name in SERVICES for version in config.services[name].versions]
    clusters = [_cluster(name, version, folder) for name, version in pairs]
    clusters += [_aborting_cluster(name, version, ports[STAGING_LISTENER]) for name, version in pairs]
    document: dict[str, Any] = {
        "node": {"id": "windtunnel", "cluster": "staging"},
        "admin": {"address": _address(admin_port)},
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
        # histograms are merged when asked for, not every few seconds: they agree with the counters
        "stats_flush_on_admin": True,
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }
    buckets_ms = sorted({round(edge_s * 1000) for edge_s in config.latency_edges_s} - {0})
    if buckets_ms:
        matcher = {"match": {"suffix": "upstream_rq_time"}, "buckets": buckets_ms}
        document["stats_config"] = {"histogram_bucket_settings": [matcher]}
    return document


def write_endpoints(folder: Path, service: str, version: str, ports: Sequence[int]) -> None:
    """Tell Envoy a cluster's replicas."""
    name = cluster_name(service, version)
    assignment = {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}} for port in sorted(ports)]}],
    }
    write_atomically(folder / f"{name}.json", json.dumps({"resources": [assignment]}))


def _fault(service: str, cohort: str | None) -> str:
    return f"fault.{service}" if cohort is None else f"fault.{service}.{cohort}"


def _weights(service: str, cohort: str | None = None) -> str:
    return f"route.{service}" if cohort is None else f"cohort.{service}.{cohort}"


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _service_routes(service: str, versions: Sequence[str], cohorts: Sequence[str]) -> list[dict[str, Any]]:
    """The first that matches is taken: a cohort's before everybody's, and of each the aborting one first."""
    routes = [_felt(service, one) for one in (*cohorts, None)]
    routes.append(_direct(ADMIN_PATH, 404, ""))
    for one in cohorts:
        match = {"prefix": "/", **_of(one), "runtime_fraction": _fraction(abort_key(service, one))}
        aborting = _weighted(service, versions, one if len(versions) > 1 else None, ABORTED)
        routes.append({"match": match, "route": {**aborting, "prefix_rewrite": f"{ABORT_PATH}/"}})
    # with one version there is nothing to choose
    for cohort in (*(cohorts if len(versions) > 1 else ()), None):
        match = {"prefix": "/", **_of(cohort)}
        aborted = {**match, "runtime_fraction": _fraction(abort_key(service))}
        abort = {**_weighted(service, versions, cohort, ABORTED), "prefix_rewrite": f"{ABORT_PATH}/"}
        routes.append({"match": aborted, "route": abort})
        route = _weighted(service, versions, cohort, "")
        if len(versions) > 1:
            route["request_mirror_policies"] = [_copies(service, version) for version in versions[1:]]
        routes.append({"match": match, "route": route})
    return routes


def _felt(service: str, cohort: str | None) -> dict[str, Any]:
    """A share of the harness's own questions fails as requests do: no version is chosen for them, nor counted."""
    route = _direct(ADMIN_PATH, 503, "")
    route["match"] |= {**_of(cohort), "runtime_fraction": _fraction(abort_key(service, cohort))}
    return route


def _of(cohort: str | None) -> dict[str, Any]:
    """What tells a cohort's requests; None: all are meant."""
    return {} if cohort is None else {"headers": [{"name": COHORT_HEADER, "string_match": {"exact": cohort}}]}


def _delays(service: str, cohorts: Sequence[str]) -> list[dict[str, Any]]:
    """Filters that hold nothing back, unless the runtime says otherwise: of all requests, and of each cohort's."""
    filters = []
    for cohort in (None, *cohorts):
        share_key, ms_key = delay_keys(service, cohort)
        fault = {
            "@type": f"{EXTENSION}.filters.http.fault.v3.HTTPFault",
            "delay": {"fixed_delay": "0.001s", "percentage": {"numerator": 0, "denominator": "TEN_THOUSAND"}},
            "delay_percent_runtime": share_key,
            "delay_duration_runtime": ms_key,
            **_of(cohort),
        }
        filters.append({"name": share_key, "typed_config": fault})
    return filters


def _fraction(key: str) -> dict[str, Any]:
    """None, unless the runtime says otherwise."""
    return {"default_value": {"numerator": 0, "denominator": "TEN_THOUSAND"}, "runtime_key": key}


def _weighted(service: str, versions: Sequence[str], cohort: str | None, prefix: str) -> dict[str, Any]:
    clusters = [
        {"name": prefix + cluster_name(service, version), "weight": WEIGHT_TOTAL if number == 0 else 0}
        for number, version in enumerate(versions)
    ]
    weighted = {"clusters": clusters, "runtime_key_prefix": _weights(service, cohort)}
    # callers have the time limits; Envoy's own (15 s) would be one that nobody modelled
    return {"weighted_clusters": weighted, "timeout": "0s"}


def _copies(service: str, version: str) -> dict[str, Any]:
    mark = {"append": {"header": {"key": MIRRORED_HEADER, "value": "true"}}}
    return {
        "cluster": cluster_name(service, version),
        "runtime_fraction": _fraction(mirror_key(service, version)),
        "request_headers_mutations": [mark],
    }


def _staging_listener(port: int, token: str) -> dict[str, Any]:
    routes = [
        _direct(MARKER_PATH, 200, json.dumps({"id": token})),
        _direct(PLAIN_PATH, 200, "plain\n"),
        _direct(ABORT_PATH, 503, "aborted\n"),
    ]
    return _listener(STAGING_LISTENER, port, routes)


def _direct(prefix: str, status: int, body: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"status": status}
    if body:
        answer["body"] = {"inline_string": body}
    return {"match": {"prefix": prefix}, "direct_response": answer}


def _listener(
    name: str, port: int, routes: list[dict[str, Any]], filters: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    manager = {
        "@type": f"{EXTENSION}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters, ROUTER],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": _address(port), "filter_chains": [chain]}


def _cluster(service: str, version: str, folder: Path) -> dict[str, Any]:
    name = cluster_name(service, version)
    source = {
        "path_config_source": {
            "path": str(folder / f"{name}.json"),
            "watched_directory": {"path": str(folder)},
        },
        "resource_api_version": "V3",
    }
    health = {
        "timeout": "1s",
        "interval": HEALTH_INTERVAL,
        "no_traffic_interval": HEALTH_INTERVAL,
        "unhealthy_interval": HEALTH_INTERVAL,
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": "/ready"},
    }
    return {
        "name": name,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": source},
        "health_checks": [health],
        # a replica taken from the file is out at once, healthy or not, and its requests run to their end
        "ignore_health_on_host_removal": True,
        # with no healthy replica the answer is an error, not a guess among dead ones
        # and what the admin interface calls healthy is so for the worker thread too, not a second later
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 0},
            "update_merge_window": "0s",
        },
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": NO_LIMITS,
    }


def _aborting_cluster(service: str, version: str, port: int) -> dict[str, Any]:
    """Answers 503 in the version's place, by the staging's own listener."""
    name = ABORTED + cluster_name(service, version)
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "circuit_breakers": NO_LIMITS,
    }
