"""Facts of a staging's application, by name: of one service, and of the embedded shop as it is and was told to be."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.faults.surface import Surface
from chaos.staging.config import CALLS, StagingConfig

__all__ = ["application_declared", "application_facts", "service_facts"]


def service_facts(surface: Surface, service: str) -> Mapping[str, str]:
    """What of one service runs, and who answers its requests. Raises StagingError."""
    return {
        f"replicas {service}": _by_version(surface.ready(service)),
        f"routes {service}": _by_version(surface.routes(service)),
        f"steering {service}": "; ".join(surface.steering(service)) or "none",
    }


def application_facts(surface: Surface, config: StagingConfig) -> Mapping[str, str]:
    """What runs where, as the staging tells it now. Raises StagingError."""
    facts: dict[str, str] = {}
    for service in sorted(config.services):
        facts |= service_facts(surface, service)
        facts[f"defects {service}"] = ", ".join(surface.defects(service)) or "none"
        facts[f"errors {service}"] = f"{surface.error_share(service):g}"
    for caller, callee in CALLS:
        name = surface.proxy_name(caller, callee)
        proxy = surface.proxy(name)
        toxics = ", ".join(sorted(proxy.toxics)) or "no toxics"
        facts[f"proxy {name}"] = f"{'open' if proxy.enabled else 'closed'}, {toxics}"
    return facts


def application_declared(surface: Surface, config: StagingConfig) -> Mapping[str, str]:
    """The same facts as the staging was told to be: the first version of each service, and nothing wrong."""
    facts = {}
    for service, told in sorted(config.services.items()):
        first = told.versions[0]
        facts[f"replicas {service}"] = _by_version({first: told.replicas})
        facts[f"routes {service}"] = _by_version({first: 1.0})
        facts[f"steering {service}"] = "none"
        facts[f"defects {service}"] = "none"
        facts[f"errors {service}"] = "0"
    for caller, callee in CALLS:
        facts[f"proxy {surface.proxy_name(caller, callee)}"] = "open, no toxics"
    return facts


def _by_version(values: Mapping[str, float]) -> str:
    return ", ".join(f"{version}: {value:g}" for version, value in sorted(values.items())) or "none"
