"""A small valid scenario for the tests of the language, and ways to spoil it."""

from __future__ import annotations

import pytest

from scenarios.errors import InvalidScenario
from scenarios.loading import load_text

VALID = """\
schema: windtunnel/v1
name: tiny
sources: [made up for a test]
duration: 60s
measure: {resolution: 1s, window: 5s, consecutive: 5}
system:
  services:
    edge: {service_time: 2ms}
    web: {replicas: 4, workers: 8, queue: 16, startup: 1s, service_time: {lognormal: {mean: 20ms, cv: 0.5}}}
    bank: {external: true, service_time: {exponential: {mean: 30ms}}}
  stores:
    orders: {connections: 10, service_time: {uniform: {low: 1ms, high: 3ms}}}
  calls:
    - {from: edge, to: web, timeout: 1s}
    - {from: web, to: bank, timeout: 500ms, retries: 2, backoff: {base: 10ms, jitter: none}}
    - {from: web, to: orders, writes: 1}
functions:
  buy:
    path: [edge, web]
    rate: 10/s
    revenue: 5 EUR
    rto: 1m
    rpo: 0s
    good: {success: ">= 99%", p99: "<= 1s"}
    cohorts: {coupon: 20%}
release:
  at: 10s
  changes: [{service: web, from: "1", to: "2"}]
  defects:
    - {name: crash, probability: 10%, errors: 50%, cohort: coupon}
    - {name: slow, probability: 10%, latency: +200ms}
    - {name: leak, probability: 1%, lost_writes: 5%}
  strategy: {canary: {steps: [{weight: 10%}, {bake: 10s}]}}
  alternatives:
    - rolling: {surge: 1, unavailable: 0}
    - recreate: {}
  guardrails:
    - {metric: error-ratio, of: web, above: 5%, window: 5s, minimum: 10}
    - {metric: p95, of: bank, version: any, above: 400ms, action: page}
operations: {on_call: {acknowledge: 1m, decide: {lognormal: {median: 1m, p95: 3m}}}}
faults:
  - {at: 5s, for: 10s, latency: {on: web -> bank, add: 50ms}}
  - {at: 5s, for: 10s, cut: {on: client -> edge}}
  - {at: 5s, for: 10s, error: {on: bank, share: 5%}}
  - {at: 5s, for: 10s, kill: {of: web, version: old}}
expect:
  buy: {rto_attainment: ">= 90%", failed_share: "< 5%"}
  release: {caught: ">= 90%"}
published:
  buy: {rto: 1m, source: a post-mortem}
"""


def changed(old: str, new: str) -> str:
    """The valid text with `old` (which is there once) written as `new`."""
    assert VALID.count(old) == 1, f"{old!r} is there {VALID.count(old)} times"
    return VALID.replace(old, new)


def problems(text: str) -> list[str]:
    """Every problem of a text, as its author reads them."""
    with pytest.raises(InvalidScenario) as caught:
        load_text(text, "f.yaml")
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return [str(problem) for problem in caught.value.problems]
