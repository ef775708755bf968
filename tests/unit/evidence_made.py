"""A small scenario and hand-made runs of it, so that every expected answer can be counted by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from evidence.events import Event
from evidence.header import Header, LoadFacts, World
from evidence.measure_plan import MeasurePlan
from evidence.measures import FunctionMeasure
from evidence.measuring import measure
from evidence.provenance import header_for
from evidence.tables import ClientCells, Writes
from scenarios.loading import load_text
from scenarios.models import Scenario

TEXT = """
schema: windtunnel/v1
name: tiny
description: "<b>not bold</b>"
sources: ["made up <script>alert(1)</script>"]
duration: 60s
measure: {resolution: 250ms, window: 2s, consecutive: 8}
system:
  services:
    edge: {service_time: 2ms}
    shop: {service_time: 10ms, replicas: 2}
    ads: {service_time: 5ms}
  stores:
    orders: {service_time: 3ms}
    audit: {service_time: 3ms}
  calls:
    - {from: edge, to: ads}
    - {from: edge, to: shop}
    - {from: shop, to: orders, writes: 1}
    - {from: ads, to: audit}
functions:
  buy:
    path: [edge, shop]
    rate: 40/s
    revenue: 50 EUR
    rto: 5s
    rpo: 1s
    good: {success: ">= 99%", p95: "<= 300ms"}
    cohorts: {coupon: 25%}
  browse:
    path: [edge, ads]
    rate: 20/s
    tier: 2
    rto: 60s
    rpo: 0s
    good: {success: ">= 95%"}
release:
  at: 5s
  changes: [{service: shop, from: "1", to: "2"}]
  defects: [{name: crash, probability: 20%, errors: 50%}]
  strategy: {canary: {steps: [{weight: 50%}, {bake: 20s}]}}
  guardrails: [{metric: error-ratio, of: shop, above: 5%, window: 5s, minimum: 10}]
expect:
  buy: {rto_attainment: ">= 90%", rpo_attainment: ">= 90%", failed_share: "<= 20%"}
  release: {caught: ">= 80%", false_alarms: "<= 20%", completed: ">= 50%"}
"""

CELLS = 240
COHORTS = ("coupon", "default")


@cache
def scenario() -> Scenario:
    return load_text(TEXT, "tiny.yaml")


@cache
def plan() -> MeasurePlan:
    return MeasurePlan.of(scenario())


def cells(bad_s: tuple[float, float] | None = None, *, count: int = CELLS) -> ClientCells:
    """Ten buys and five browses a cell, a fifth of a second each; every buy fails within bad_s."""
    made = plan()
    requests = np.zeros((count, 2, 2), dtype=np.int64)
    requests[:, 0] = (3, 7)
    requests[:, 1] = (0, 5)
    failed = np.zeros((count, 2, 2, 4), dtype=np.int64)
    if bad_s is not None:
        first, last = (round(time * 4) for time in bad_s)
        failed[first:last, 0, :, 0] = requests[first:last, 0]
    latency = np.zeros((count, 2, 2, len(made.edges) + 1), dtype=np.int64)
    latency[..., int(np.searchsorted(made.edges, 0.2))] = requests - failed.sum(axis=-1)
    return ClientCells(made.function_names, COHORTS, requests, failed, latency)


def writes(lost: Mapping[float, float] | None = None) -> Writes:
    """A write a second into orders, each acknowledged half a second later; `lost` maps invoked to acknowledged."""
    missing = dict(lost or {})
    invoked = np.array([*np.arange(60.0), *missing])
    acknowledged = np.array([*(np.arange(60.0) + 0.5), *missing.values()])
    count = len(invoked)
    found = np.ones(count, dtype=np.int8)
    found[60:] = 0
    store, function, outcome = np.zeros((3, count), dtype=np.int64)
    return Writes(store, function, invoked, acknowledged, outcome, found)


def rolled_back(defects: tuple[str, ...] = ("crash",)) -> list[Event]:
    """Impact from 10 s on: trip 12, rollback 13 to 16, routes back at 15."""
    return [
        Event(0.0, "load-start", "client"),
        Event(5.0, "release-start", "shop", {"strategy": "canary", "defects": list(defects)}),
        Event(9.5, "step-start", "route 0.5 to new"),
        Event(9.8, "step-end", "route 0.5 to new"),
        Event(12.0, "guardrail-trip", "error-ratio of shop (new)", {"value": 0.5}),
        Event(13.0, "rollback-start", "shop"),
        Event(13.0, "rollback-step", "route-back", {"phase": "start"}),
        Event(15.0, "rollback-step", "route-back", {"phase": "end"}),
        Event(15.5, "verify", "shop", {"differences": []}),
        Event(16.0, "rollback-end", "shop"),
        Event(16.0, "release-end", "shop", {"outcome": "rolled-back"}),
        Event(60.0, "load-end", "client"),
    ]


def promoted() -> list[Event]:
    return [
        Event(5.0, "release-start", "shop", {"strategy": "canary", "defects": []}),
        Event(26.0, "release-end", "shop", {"outcome": "promoted"}),
        Event(60.0, "load-end", "client"),
    ]


def measures(*, bad_every: int = 5, replications: int = 40, strategy: str = "canary") -> list[FunctionMeasure]:
    """Every bad_every-th replication is bad from 10 s to 14 s, rolled back, and has the defect."""
    rows: list[FunctionMeasure] = []
    good = measure(plan(), promoted(), cells(), writes(), strategy=strategy)
    bad = measure(plan(), rolled_back(), cells((10.0, 14.0)), writes(), strategy=strategy)
    for number in range(replications):
        rows += [replace(row, replication=number) for row in (good if number % bad_every else bad)]
    return rows


def header(world: World = World.SIMULATION, *, replications: int = 1) -> Header:
    made = header_for(
        scenario(), TEXT, world=world, strategy="canary", seed=1, replications=replications, argv=("windtunnel", "x")
    )
    load = LoadFacts(valid=True, lateness_p99_s=0.002, lateness_bound_s=0.005)
    return made.model_copy(update={"load": load}) if world is World.STAGING else made
