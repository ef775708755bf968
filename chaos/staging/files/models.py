"""The language of staging files: where a user's own staging is, how its clients ask, and who puts the verbs onto it."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from chaos.kubernetes.models import Kubernetes
from chaos.safety.targets import LOOPBACK, AllowList, Network, looks_like_production
from chaos.staging.files.commands import Commands
from chaos.staging.files.prometheus import Prometheus
from chaos.staging.files.urls import plain_url
from chaos.staging.files.watching import EnvoyAdmin, LoadWatch
from scenarios.base import Name, Part

__all__ = ["SCHEMA", "Allow", "ClientRequest", "Marker", "StagingFile"]

SCHEMA = "windtunnel-staging/v1"
_HOST = re.compile(r"[a-z0-9]([a-z0-9.:-]*[a-z0-9])?|::1")


def _host(value: Any) -> str:
    if not isinstance(value, str) or _HOST.fullmatch(value.lower()) is None:
        raise ValueError("must be the name or address of one host, without port or wildcard")
    return value.lower()


def _network(value: Any) -> str:
    rule = "must be a network such as 10.20.0.0/16"
    if not isinstance(value, str):
        raise ValueError(rule)
    try:
        network: Network = ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"{rule}: {error}") from None
    if not network.is_private or network.num_addresses > _PRIVATE_MOST[network.version]:
        raise ValueError("must be a private network (RFC 1918, RFC 4193, or loopback): production is out of reach")
    return str(network)


# 10.0.0.0/8 and fd00::/8 are the largest there are; 0.0.0.0/0 has private ends as well.
_PRIVATE_MOST = {4: 2**24, 6: 2**120}


def _no_production(name: str) -> str:
    if looks_like_production(name):
        raise ValueError(
            "must not look like production, by prod, prd, production or live as a word, or prod or prd at an end of one"
        )
    return name


class Marker(Part):
    """What the staging itself must serve at /.well-known/windtunnel-staging: `{"id": TOKEN}`."""

    token: str = Field(min_length=8, description="the id of this staging, which no other one serves")


class Allow(Part):
    """Where the target may be: this machine, and what is listed."""

    hosts: list[Annotated[str, BeforeValidator(_host)]] = Field([], description="names that the target may have")
    networks: list[Annotated[str, BeforeValidator(_network)]] = Field(
        [], description="private networks in which all addresses of the target must lie"
    )

    def listed(self) -> AllowList:
        """With the loopback interface, which is always allowed."""
        networks = tuple(ipaddress.ip_network(network) for network in self.networks)
        return AllowList(LOOPBACK.hosts | frozenset(self.hosts), (*LOOPBACK.networks, *networks))


class ClientRequest(Part):
    """How a client asks for a business function."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = Field("GET", description="of HTTP")
    path: str = Field(pattern=r"^/([!-.0-~][!-~]*)?$", description="from the target's root on")
    headers: dict[str, str] = Field({}, description="besides those that tell the request and its cohort")
    body: str | None = Field(None, description="JSON; `$id`, `$cohort` and `$function` are filled in")
    store: Name | None = Field(None, description="where its write, named `$id`, can be found again")


class StagingFile(Part):
    """A staging that is up, somewhere, and stays up: a drill leaves it as it was."""

    schema_: Literal["windtunnel-staging/v1"] = Field(alias="schema", description="version of this language")
    name: Annotated[Name, AfterValidator(_no_production)] = Field(
        description="for people, and for the folder of its state"
    )
    adapter: Literal["commands", "kubernetes"] = Field(description="who puts the verbs onto it")
    target: Annotated[str, BeforeValidator(plain_url)] = Field(
        description="where its clients find it: http://host:port"
    )
    marker: Marker = Field(description="how it says that it is a staging")
    allow: Allow = Field(Allow(), description="where the target may be, besides this machine")
    requests: dict[Name, ClientRequest] = Field(min_length=1, description="by business function of the scenario")
    commands: Commands | None = Field(None, description="of `adapter: commands`")
    kubernetes: Kubernetes | None = Field(None, description="of `adapter: kubernetes`")
    prometheus: Prometheus | None = Field(None, description="what tells how versions answer, instead of `observe`")
    envoy: EnvoyAdmin | None = Field(None, description="the same, by an Envoy's own counters")
    load: LoadWatch | None = Field(None, description="the same, by what the load's own clients are answered")

    @model_validator(mode="after")
    def _has_its_adapter(self) -> Self:
        for name in ("commands", "kubernetes"):
            given = getattr(self, name) is not None
            if given != (self.adapter == name):
                raise ValueError(
                    f"must {'not ' if given else ''}have {name}: adapter(={self.adapter}) decides whose part"
                )
        return self

    @model_validator(mode="after")
    def _is_watched_by_one(self) -> Self:
        given = {"prometheus": self.prometheus, "envoy": self.envoy, "load": self.load}
        told = [name for name, part in given.items() if part is not None]
        told += ["commands.observe"] if self.commands is not None and self.commands.observe is not None else []
        if len(told) > 1:
            raise ValueError(f"{' and '.join(told)} all tell how versions answer: must be one of them")
        host = urlsplit(self.envoy.admin).hostname or "" if self.envoy is not None else ""
        if self.envoy is not None and host.lower() not in self.allow.listed().hosts:
            raise ValueError(f"envoy.admin(={self.envoy.admin}): its host must be this machine or one of allow.hosts")
        unknown = sorted(set(self.load.functions) - set(self.requests)) if self.load is not None else []
        if unknown:
            known = ", ".join(self.requests)
            raise ValueError(f"load.functions: {', '.join(unknown)}: must be among the requests ({known})")
        return self
