"""Experiments of the Chaos Toolkit as faults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenarios.base import Part

__all__ = ["Experiment"]


class Experiment(Part):
    """The method of a Chaos Toolkit experiment; its rollbacks are played when the fault ends."""

    file: str = Field(min_length=1, description="JSON or YAML, from the folder in which windtunnel runs")
    confirm: Literal["probes", "actions"] = Field(
        "probes", description="what tells that it is in force: tolerances of its method's probes, or actions alone"
    )
