"""The parts of a staging file that say who tells how versions answer, besides a command and a Prometheus."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from chaos.envoy_reader import EnvoyReader
from chaos.load.answers import LoadAnswers
from chaos.safety.targets import AllowList
from chaos.staging.files.urls import plain_url
from scenarios.base import Name, Part, Text

__all__ = ["EnvoyAdmin", "LoadWatch"]


class EnvoyAdmin(Part):
    """An Envoy that all requests to the services go through; it is only read."""

    admin: Annotated[str, BeforeValidator(plain_url)] = Field(description="its admin interface: http://host:port")
    clusters: dict[Name, dict[Text, Text]] = Field(
        min_length=1, description="names of its clusters, by service and version of the scenario"
    )

    def reader(self, allow: AllowList) -> EnvoyReader:
        """Nothing is asked yet."""
        return EnvoyReader(self.admin, self.clusters, allow)


class LoadWatch(Part):
    """The load's own clients, which the answers' header x-version tells the version."""

    service: Name = Field(description="whose version the header tells")
    functions: list[Name] = Field(min_length=1, description="those of the requests that it answers")

    def reader(self) -> LoadAnswers:
        """Nothing is counted yet."""
        return LoadAnswers(self.service, self.functions)
