"""Whatever the release, its defects and faults: requests are conserved, faults healed, and the answer repeats."""

from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.loading import load_text
from scenarios.models import Fault, Strategy
from simulator.compile import compile_scenario
from simulator.kernel.plane import DataPlane
from simulator.layout import ARRIVED, ERROR, FIRST_BIN
from simulator.replication import Player
from simulator.streams import tools
from simulator.world import SimulatedWorld

TEXT = """
schema: windtunnel/v1
name: any
sources: [test]
duration: 8s
measure: {resolution: 250ms, window: 1s, consecutive: 4}
system:
  services:
    edge: {workers: 20, queue: 10, service_time: {lognormal: {mean: 2ms, cv: 0.5}}}
    shop: {replicas: 3, workers: 4, queue: 3, startup: 500ms, service_time: {exponential: {mean: 20ms}}}
  stores:
    orders: {connections: 2, service_time: 2ms}
  calls:
    - {from: edge, to: shop, timeout: 200ms, retries: 1, backoff: {base: 10ms}}
    - {from: shop, to: orders, timeout: 100ms, writes: 1}
functions:
  look: {path: [edge], rate: 10/s, tier: 2, rto: 4s, rpo: 0s, good: {success: ">= 99%"}}
  buy: {path: [edge, shop], rate: 60/s, rto: 4s, rpo: 0s, timeout: 1s, good: {success: ">= 99%"}, cohorts: {vip: 30%}}
release:
  at: 1s
  changes: [{service: shop, from: old, to: new}]
  defects:
    - {name: broken, probability: 50%, errors: 50%, cohort: vip}
    - {name: slow, probability: 50%, latency: x10}
    - {name: forgets, probability: 50%, lost_writes: 10%}
  strategy: {canary: {steps: [{weight: 20%}, {bake: 1s}]}}
  guardrails: [{metric: p90, of: shop, version: any, above: 300ms, window: 1s, minimum: 5}]
"""
SCENARIO = load_text(TEXT, "any")

times = st.integers(0, 60).map(lambda tenths: f"{tenths * 100}ms")
lengths = st.integers(1, 30).map(lambda tenths: f"{tenths * 100}ms")
effects = st.one_of(
    st.sampled_from(["client -> edge", "edge -> shop", "shop -> orders"]).flatmap(
        lambda on: st.sampled_from([{"cut": {"on": on}}, {"latency": {"on": on, "add": "80ms", "jitter": "50ms"}}])
    ),
    st.sampled_from(["edge", "shop"]).map(lambda on: {"error": {"on": on, "share": "40%"}}),
    st.integers(1, 4).map(lambda n: {"kill": {"of": "shop", "replicas": n}}),
    st.sampled_from(["old", "new"]).map(lambda version: {"kill": {"of": "shop", "version": version}}),
)
faults = st.builds(
    lambda at, lasting, effect: Fault.model_validate({"at": at, "for": lasting, **effect}), times, lengths, effects
)
strategies = st.sampled_from(
    [
        SCENARIO.release.strategy,
        Strategy.model_validate({"recreate": {}}),
        Strategy.model_validate({"rolling": {"surge": 1, "unavailable": 1}}),
        Strategy.model_validate({"blue-green": {"scale_down_delay": "1s"}}),
    ]
)
defects = st.lists(st.sampled_from(["broken", "slow", "forgets"]), unique=True)


@settings(max_examples=25)
@given(st.lists(faults, max_size=2), strategies, defects, st.integers(0, 10**9))
def test_requests_are_conserved(drawn: list[Fault], strategy: Strategy, names: list[str], seed: int) -> None:
    # Two faults of one kind and target must not overlap: that is a rule of the language.
    one_each = list({(fault.kind, fault.target): fault for fault in drawn}.values())
    scenario = SCENARIO.model_copy(update={"faults": one_each})
    player = Player(scenario, strategy, seed, names)
    timeline = player.timeline(0)
    rows = player.measures(0)
    clients = timeline.samples.where(timeline.samples.service == "client")
    answered = clients.latency.sum() + clients.failed().sum()
    assert answered == clients.requests.sum() == sum(row.requests for row in rows)
    assert sum(row.failed for row in rows) == clients.failed().sum()
    # Each answer that a client of `buy` got without a failure was a write that the store acknowledged.
    bought = clients.where(clients.function == "buy").latency.sum()
    assert bought <= (timeline.ledger.outcome == "ok").sum()
    lost = ((timeline.ledger.outcome == "ok") & (timeline.ledger.found == 0)).sum()
    assert lost == sum(row.lost_writes for row in rows)
    assert lost == 0 or "forgets" in names
    assert player.measures(0) == rows


@settings(max_examples=25)
@given(effects, st.floats(0.1, 3.0))
def test_a_fault_healed_leaves_nothing_behind(effect: dict, lasting_s: float) -> None:
    fault = Fault.model_validate({"at": "0s", "for": "1s", **effect})
    if fault.kill is not None and (fault.kill.version == "new" or fault.kill.replicas > 3):
        return  # there is nothing, or not so much, to kill
    compiled = compile_scenario(SCENARIO)
    plane = DataPlane(compiled.network, 1)
    world = SimulatedWorld(SCENARIO, compiled, plane, [], tools(1, 0))

    def control() -> list[object]:
        state = plane.state
        versions, ready = state.versions, state.ready
        serving = [
            sorted(ready[row["first_replica"] : row["first_replica"] + row["ready_n"]].tolist()) for row in versions
        ]
        return [state.calls.tobytes(), state.stations["error_share"].tobytes(), serving]

    before = control()
    world.play(1.0)
    world.env.run(until=world.inject(fault))
    assert control() != before
    world.play(1.0 + lasting_s)
    world.env.run(until=world.heal(fault))
    assert control() == before
    world.drain()
    client = plane.recording().client
    settled = client[int((1.0 + lasting_s + 2.0) / 0.25) :]
    assert settled[..., ERROR:FIRST_BIN].sum() <= settled[..., ARRIVED].sum() * 0.1
