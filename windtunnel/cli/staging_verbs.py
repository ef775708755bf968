"""``windtunnel staging show|deploy|route|defects``: the embedded staging by hand, or from a script."""

from __future__ import annotations

from typing import Annotated

import typer

from windtunnel.cli.options import StateOption
from windtunnel.cli.output import emit_json, emit_text

__all__ = ["add_to"]

ServiceArgument = Annotated[str, typer.Argument(metavar="SERVICE")]
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION")]


def add_to(group: typer.Typer) -> None:
    """Add these commands to the staging's group."""
    for command in (show, deploy, route, defects):
        group.command()(command)


def show(service: ServiceArgument, state: StateOption = None) -> None:
    """Print what of a service is ordered, ready and routed, as JSON."""
    from chaos.staging.embedded import Staging

    staging = Staging.attach(state)
    versions = staging.config.services[service].versions if service in staging.config.services else ()
    found = {version: [each.name for each in staging.defects(service, version)] for version in versions}
    emit_json(
        {
            "ordered": staging.ordered(service),
            "ready": staging.replicas(service),
            "routes": staging.routes(service),
            "defects": {version: names for version, names in found.items() if names},
            "steering": staging.steering(service),
        }
    )


def deploy(
    service: ServiceArgument,
    version: VersionArgument,
    replicas: Annotated[int, typer.Argument(metavar="REPLICAS", min=0)],
    state: StateOption = None,
) -> None:
    """Have exactly so many ready replicas of a version."""
    from chaos.staging.embedded import Staging

    Staging.attach(state).deploy(service, version, replicas)
    emit_text(f"{service} {version}: {replicas} ready")


def route(
    service: ServiceArgument,
    shares: Annotated[list[str], typer.Argument(metavar="VERSION=SHARE...", help="They add up to 1.")],
    state: StateOption = None,
) -> None:
    """Send each version its share of a service's requests."""
    from chaos.staging.embedded import Staging
    from windtunnel.errors import UsageError

    weights = {}
    for text in shares:
        version, _, share = text.rpartition("=")
        try:
            weights[version] = float(share)
        except ValueError:
            raise UsageError(f"{text!r}: must be VERSION=SHARE, such as 2.3=0.8") from None
    Staging.attach(state).route(service, weights)
    emit_text(f"{service}: {' '.join(shares)}")


def defects(
    service: ServiceArgument,
    version: VersionArgument,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Of the scenario's defects; none heals the version.")
    ] = None,
    scenario: Annotated[str, typer.Option("--scenario", help="Whose defects they are.")] = "shop-release",
    state: StateOption = None,
) -> None:
    """Switch what is wrong with a version, and nothing else."""
    from chaos.realise import defects_of
    from chaos.staging.embedded import Staging
    from scenarios.loading import load
    from windtunnel.choices import chosen_defects

    loaded, _ = load(scenario)
    chosen = chosen_defects(loaded, names or [])
    Staging.attach(state).set_defects(service, version, defects_of(loaded, chosen, loaded.release.strategy))
    emit_text(f"{service} {version}: {', '.join(chosen) or 'nothing'} wrong")
