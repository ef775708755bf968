"""What else than weights decides who answers a service's requests: cohorts' own routes, and copies.

No baseline has any of it, so what is found is what a release has left in force.
"""

from __future__ import annotations

from collections.abc import Iterator

from chaos.staging.envoy import EnvoyClient

__all__ = ["clear", "found"]


def found(envoy: EnvoyClient, service: str) -> Iterator[str]:
    """A line for each, as it is in force now."""
    for cohort, weights in envoy.cohort_weights(service).items():
        shares = {version: share for version, share in weights.items() if share}
        yield f"cohort {cohort} routes {shares}"
    for version, share in envoy.mirrors(service).items():
        yield f"{share:g} of the requests are copied to {version}"


def clear(envoy: EnvoyClient, service: str) -> None:
    """None of it."""
    envoy.set_weights(service, envoy.weights(service))
    for version in envoy.mirrors(service):
        envoy.set_mirror(service, version, 0.0)
