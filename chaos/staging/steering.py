"""What else than weights decides who answers a service's requests, and how: cohorts' own routes, copies, the flag.

No baseline has any of it, so what is found is what a release has left in force.
"""

from __future__ import annotations

from collections.abc import Iterator

from chaos.staging.envoy import EnvoyClient
from chaos.staging.flagged import Flags

__all__ = ["clear", "flagged", "found"]


def found(envoy: EnvoyClient, flags: Flags, service: str) -> Iterator[str]:
    """A line for each, as it is in force now."""
    for cohort, weights in envoy.cohort_weights(service).items():
        shares = {version: share for version, share in weights.items() if share}
        yield f"cohort {cohort} routes {shares}"
    for version, share in envoy.mirrors(service).items():
        yield f"{share:g} of the requests are copied to {version}"
    yield from flagged(flags, service)


def flagged(flags: Flags, service: str) -> Iterator[str]:
    """The flag's part of it."""
    flag = flags.state(service)
    if flag.on:
        yield f"the flag is on for {', '.join([*flag.cohorts, f'{flag.share:g} of the requests'])}"
    else:
        late = [order for order in flags.orders(service) if order < flag.order]
        if late:
            yield f"{len(late)} replicas have not heard that the flag is off"


def clear(envoy: EnvoyClient, flags: Flags, service: str) -> None:
    """None of it."""
    envoy.set_weights(service, envoy.weights(service))
    for version in envoy.mirrors(service):
        envoy.set_mirror(service, version, 0.0)
    if flags.state(service).on:
        flags.order(service, 0.0, ())
