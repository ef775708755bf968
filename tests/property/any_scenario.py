"""Scenarios that combine what the language has: a small base, and parts that may be put on it in any combination."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from io import StringIO
from typing import Any

from hypothesis import strategies as st
from ruamel.yaml import YAML

BASE = """
schema: windtunnel/v1
name: any
sources: [test]
duration: 14s
measure: {resolution: 250ms, window: 1s, consecutive: 4}
system:
  zones: [a, b]
  services:
    edge: {replicas: 2, workers: 12, queue: 20, service_time: {lognormal: {mean: 3ms, cv: 0.5}}}
    shop: {replicas: 3, workers: 3, queue: 6, startup: 300ms, service_time: {exponential: {mean: 25ms}}}
    pay: {external: true, replicas: 2, workers: 4, service_time: {uniform: {low: 0ms, high: 30ms}}}
  stores:
    orders: {connections: 4, service_time: 3ms, size: 1GB, standbys: 1}
  calls:
    - {from: edge, to: shop, timeout: 200ms, retries: 2, backoff: {base: 10ms}}
    - {from: shop, to: pay, timeout: 80ms, retries: 1}
    - {from: shop, to: orders, timeout: 60ms, writes: 1}
functions:
  look: {path: [edge], rate: 20/s, tier: 2, rto: 4s, rpo: 0s, good: {success: ">= 99%"}}
  buy: {path: [edge, shop], rate: 60/s, rto: 4s, rpo: 0s, timeout: 1s, good: {success: ">= 99%"}, cohorts: {vip: 30%}}
release:
  at: 1s
  changes: [{service: shop, from: old, to: new}]
  defects: []
  strategy: {rolling: {}}
  guardrails:
    - {metric: error-ratio, of: shop, version: any, above: 30%, window: 1s, minimum: 10, action: page}
  rollback: [redeploy, route-back, retire, verify]
  rollback_risks: []
  reconcile: {takes: 300ms, per_row: 1ms, leaves: 10%}
operations:
  on_call: {acknowledge: {exponential: {mean: 500ms}}, decide: 300ms}
  approvals: {cab: {takes: {exponential: {mean: 400ms}}}}
  people: {}
  deploy: {uniform: {low: 0ms, high: 400ms}}
  route: 100ms
faults: []
"""

STRATEGIES = """
- {}
- {release.strategy: {recreate: {}}}
- {release.strategy: {blue-green: {preview: 300ms, hold: 500ms, scale_down_delay: 1s}}}
- {release.strategy: {blue-green: {approve: cab, scale_down_delay: 500ms}}}
- release.strategy: {canary: {steps: [{weight: 20%}, {approve: cab}, {weight: 50%}, {approve: cab}]}}
- release.strategy:
    canary:
      steps: [{mirror: 50%}, {bake: 1s}, {cohort: vip}, {bake: 1s}, {weight: 40%}, {scale: 100%}, {pause: 1s}]
- release.strategy:
    canary:
      steps:
        - {weight: 30%}
        - analysis:
            for: 1s
            checks: [{metric: error-ratio, of: shop, above: 20%, window: 1s, minimum: 5}]
            inconclusive: go-on
- release.strategy: {toggle: {steps: [{on: 20%}, {bake: 1s}, {cohort: vip}, {bake: 1s}], propagation: 500ms}}
  release.rollback.+: kill-switch
- {release.strategy: {waves: {by: zones, waves: [[a], [b]], bake: 1s}}}
- {release.strategy: {waves: {by: cohorts, waves: [[vip]], bake: 1s}}}
- {release.strategy: {waves: {by: zones, waves: [[b], [a]], bake: 500ms, approve: cab}}}
"""

REPLICATION = """
- {system.stores.orders.lag: {exponential: {mean: 300ms}}}
- {system.stores.orders.replication: sync}
"""

# Each part is put at its path; a path that ends in + is of a list, which gets one more entry.
PARTS = """
- {system.services.shop.balancing: least-request}
- {system.services.shop.balancing: random-of-two}
- {system.services.edge.balancing: random-of-two, system.services.pay.balancing: least-request}
- {system.services.shop.ejection: {consecutive: 2, for: 1s, most: 50%}}
- {system.services.pay.ejection: {consecutive: 1, for: 2s, most: 100%}}
- {system.services.shop.shedding: {queue_wait: 20ms}}
- {system.services.pay.quota: {rate: 40/s, burst: 5}}
- {system.services.pay.availability: {uptime: 80%, outage: {exponential: {mean: 1s}}}}
- {system.services.shop.readiness: {period: 500ms, failures: 2, timeout: 50ms}}
- {system.services.shop.liveness: {period: 700ms, failures: 2, timeout: 30ms}}
- {system.services.shop.autoscaling: {target: 50%, maximum: 6, period: 1s, lag: 1s, scale_down_after: 3s}}
- {system.services.shop.startup: {exponential: {mean: 500ms}}}
- {system.services.shop.holds_worker: false}
- {system.services.edge.holds_worker: false}
- {system.calls.0.breaker: {errors: 30%, window: 1s, minimum: 5, open: 1s, probes: 2}}
- {system.calls.1.breaker: {errors: 50%, window: 1s, minimum: 5, open: 500ms}}
- {system.calls.0.retry_budget: {share: 20%}}
- {system.calls.1.retry_budget: {share: 10%, minimum: 1/s}}
- {system.calls.0.cancel: true}
- {system.calls.1.cancel: true, system.calls.2.cancel: true}
- {system.calls.2.parallel: true}
- {system.stores.orders.failover: {detect: 500ms, promote: 300ms}}
- {system.stores.orders.failover: {detect: 500ms, promote: 300ms, by: on-call}}
- system.stores.orders.backup: {every: 1h, restore: 2GB/s, copy: 1GB/s, tested: 60%}
  system.stores.orders.archive_every: 1s
  release.rollback.+: restore
- {functions.buy.profile: {steps: [{at: 4s, factor: 3}, {at: 8s, factor: 0.5}]}}
- {release.changes.+: {service: edge, from: old, to: new}}
- {release.order: together}
- {release.progress_deadline: 2s}
- {release.migration: {store: orders, expand: 300ms, lock: 200ms, backfill: {takes: 1s, load: 60%}, contract: 200ms}}
- {release.migration: {store: orders, switch: 300ms, dual_writes: false}, release.rollback.+: revert-migration}
- {release.rollback.+: reconcile}
- {release.rollback.+: fail-over}
- {release.defects.+: {name: wrong, probability: 100%, errors: 60%, after: 500ms, ramp: 1s}}
- {release.defects.+: {name: vip-only, probability: 100%, errors: 90%, cohort: vip}}
- {release.defects.+: {name: slow, probability: 100%, latency: x5, above_rate: 40/s}}
- {release.defects.+: {name: forgets, probability: 100%, lost_writes: 20%}}
- {release.defects.+: {name: crashes, probability: 100%, crash: 50%, crash_after: 2s}}
- {release.defects.+: {name: skewed, probability: 100%, errors: 80%, incompatible_with: {service: edge}}}
- release.defects.+: {name: overwrites, probability: 100%, bad_data: {share: 30%, symptom_after: 1s, errors: 40%}}
  release.repair: {detect: 1s, steps: [reconcile]}
- {release.rollback_risks.+: {name: drift, probability: 60%, step: route-back, fails: true}}
- {release.rollback_risks.+: {name: worse, probability: 60%, step: redeploy, worse: {errors: 50%, latency: x3}}}
- {release.rollback_risks.+: {name: shared, probability: 60%, step: retire, depends_on: shop}}
- {release.guardrails.+: {metric: p90, of: shop, version: any, above: 200ms, window: 1s, minimum: 5}}
- {release.guardrails.+: {metric: error-ratio, of: shop, sequential: {against: old}, minimum: 5}}
- release.guardrails.+:
    {metric: error-ratio, of: shop, burn_rate: {objective: 95%, above: 3, windows: [2s, 500ms]}, minimum: 5}
- {operations.repair: {exponential: {mean: 1s}}}
- {operations.metrics_delay: 500ms}
- {operations.notices: [{to: support, on: guardrail-trip, after: 1s}, {to: board, on: rollback-end, after: 2s}]}
- operations.people.lead: {acknowledge: 200ms, decide: 100ms}
  operations.on_call.escalation: [{after: 500ms, to: lead}]
- operations.on_call.skills: [pay]
  operations.people.expert: {acknowledge: {exponential: {mean: 300ms}}, decide: 0s}
  operations.on_call.escalation: [{after: 2s, to: expert}]
- start: "2026-11-27 15:59"
  calendar: {blackouts: [{days: [fri], from: "16:00"}], when_closed: wait}
- start: "2026-11-27 16:00"
  calendar: {freezes: [{from: "2026-11-27 15:00", to: "2026-11-27 16:01", reason: sale}], when_closed: postpone}
- {operations.suppression: {for: 3s, guardrails: all}}
- {operations.tickets: {share: 20%, after: 500ms, page: {above: 3, window: 5s}}}
- {faults.+: {at: 2s, for: 3s, cut: {on: edge -> shop}}}
- {faults.+: {at: 4s, for: 2s, latency: {on: shop -> pay, add: 60ms, jitter: 50ms}}}
- {faults.+: {at: 3s, for: 4s, error: {on: pay, share: 70%}}}
- {faults.+: {at: 5s, for: 2s, kill: {of: edge}}}
- {faults.+: {at: 2500ms, for: 3s, zone: {of: a}}}
- {faults.+: {at: 6s, for: 3s, zone: {of: b, replaced_after: 1s}}}
- {faults.+: {at: 3s, for: 3s, primary: {of: orders}}}
- {faults.+: {at: 7s, for: 2s, primary: {of: orders, destroyed: true}}}
- {faults.+: {at: 2s, for: 5s, standby: {of: orders}}}
- {faults.+: {at: 9s, for: 2s, outage: {of: pay}}}
"""


def _read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


_BASE, _STRATEGIES, _REPLICATION, _PARTS = (_read(each) for each in (BASE, STRATEGIES, REPLICATION, PARTS))


def _put(plain: dict[str, Any], path: str, value: object) -> None:
    *way, last = path.split(".")
    for step in way:
        plain = plain[int(step) if isinstance(plain, list) else step]
    if isinstance(plain, list):
        plain.append(value)
    else:
        plain[last] = value


def _text(parts: Sequence[dict[str, object]]) -> str:
    plain = copy.deepcopy(_BASE)
    for path, value in (item for part in parts for item in part.items()):
        _put(plain, path, copy.deepcopy(value))
    stream = StringIO()
    YAML(typ="safe", pure=True).dump(plain, stream)
    return stream.getvalue()


texts = st.builds(
    lambda strategy, replication, parts: _text([strategy, replication, *parts]),
    st.sampled_from(_STRATEGIES),
    st.sampled_from(_REPLICATION),
    st.lists(st.sampled_from(_PARTS), min_size=8, max_size=32, unique_by=repr),
)
"""Texts of valid scenarios."""
