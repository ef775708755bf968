"""What one request, one fault or one defect does, exactly: constant times, few requests."""

import math

import numpy as np
import pytest

from simulator.errors import NetworkError
from simulator.kernel.loop import ExitReason
from simulator.kernel.plane import DataPlane, Defect
from simulator.layout import (
    ARRIVED,
    ERROR,
    FIRST_BIN,
    REFUSED,
    TIMEOUT,
    WRITE_FAILED,
    WRITE_INDETERMINATE,
    WRITE_OK,
)
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station

EDGES_S = np.arange(1, 101) / 10.0  # bin i holds latencies up to (i + 1) / 10 s


def constant(value: float) -> Distribution:
    return Distribution(Kind.CONSTANT, value)


def pair(
    service_s: float = 0.05,
    timeout_s: float = math.inf,
    retries: int = 0,
    backoff_s: float = 0.0,
    client_timeout_s: float = math.inf,
    workers: int = 1000,
    queue: int = -1,
    writes: bool = False,
) -> DataPlane:
    """A front that does nothing itself and calls a back, with plenty of front workers; 10/s for 100 s."""
    network = Network(
        (Station("front", 10**6, constant(0.0)), Station("back", workers, constant(service_s), queue)),
        (Call(CLIENT, 0), Call(0, 1, timeout_s, retries, backoff_s, writes=writes)),
        (Function("f", ((0.0, 10.0), (100.0, 0.0)), Node(0, (Node(1),)), client_timeout_s),),
        1.0,
        200,
        EDGES_S,
    )
    plane = DataPlane(network, 1)
    plane.set_ready(0, 0, [0])
    plane.set_ready(1, 0, [0])
    return plane


def client(plane: DataPlane) -> np.ndarray:
    return plane.recording().client.sum(axis=(0, 1, 2))


def test_a_timeout_over_a_slower_server_reports_timeouts_and_no_latency():
    plane = pair(service_s=5.0, client_timeout_s=1.0)
    plane.run(200.0)
    columns = client(plane)
    assert columns[ARRIVED] > 900
    assert columns[TIMEOUT] == columns[ARRIVED]
    assert columns[FIRST_BIN:].sum() == 0


def test_abandoned_work_goes_on():
    plane = pair(service_s=5.0, timeout_s=1.0, retries=2)
    plane.run(200.0)
    columns, back = client(plane), plane.state.stations[1]
    assert columns[ERROR] == columns[ARRIVED]
    assert back["started"] == 3 * columns[ARRIVED]
    assert back["left"] == back["started"]


def test_latency_of_retries_adds_up_timeouts_and_backoff():
    plane = pair(service_s=5.0, timeout_s=1.0, retries=2, backoff_s=0.25)
    plane.set_defects(0, 0, [Defect(latency_add_s=0.01)])
    plane.run(0.0)
    plane.set_latency(1, 0.0)
    plane.run(200.0)
    # 0.01 own work, three timeouts of 1 s, waits of 0.25 and 0.5 s; failed answers have no latency: read the cells.
    assert client(plane)[ERROR] > 900
    front = plane.state.stations[0]
    assert front["balance_s"] / front["left"] == pytest.approx(3.76)


def test_injected_latency_delays_the_answer_and_not_the_work():
    plane = pair(service_s=0.05)
    plane.set_latency(1, 0.7)
    plane.run(200.0)
    columns = client(plane)
    assert columns[FIRST_BIN + 7] == columns[ARRIVED]  # 0.75 s
    back = plane.service_sum(1, None, 0, 200)
    assert back[FIRST_BIN] == columns[ARRIVED]  # the service itself took 0.05 s
    plane = pair(service_s=0.05, timeout_s=0.5)
    plane.set_latency(1, 0.7)
    plane.run(200.0)
    columns = client(plane)
    assert columns[ERROR] == columns[ARRIVED]
    assert plane.service_sum(1, None, 0, 200)[FIRST_BIN] == columns[ARRIVED]


def test_a_cut_refuses_at_once_and_ends_what_is_under_way():
    plane = pair(service_s=2.0)
    plane.run(50.0)
    under_way = int(plane.recording().unfinished.sum())
    assert under_way > 5
    plane.set_cut(1, True)
    plane.run(60.0)
    assert plane.recording().unfinished.sum() == 0
    plane.set_cut(1, False)
    plane.run(200.0)
    by_cell = plane.recording().client.sum(axis=(1, 2))
    assert by_cell[:48, ERROR].sum() == 0
    assert by_cell[50:60, ERROR].sum() == by_cell[50:60, ARRIVED].sum()
    assert by_cell[48:50, ERROR].sum() == under_way
    assert by_cell[60:, ERROR].sum() == 0


def test_a_killed_replica_resets_what_it_holds_and_takes_nothing():
    plane = pair(service_s=2.0)
    plane.run(50.0)
    under_way = int(plane.recording().unfinished.sum())
    plane.kill(1, 0, 0)
    plane.run(60.0)
    assert plane.recording().unfinished.sum() == 0
    by_cell = plane.recording().client.sum(axis=(1, 2))
    assert by_cell[:50, ERROR].sum() == under_way
    assert by_cell[50:60, ERROR].sum() == by_cell[50:60, ARRIVED].sum()
    plane.set_ready(1, 0, [0])
    plane.run(200.0)
    assert plane.recording().client.sum(axis=(1, 2))[60:, ERROR].sum() == 0
    assert plane.state.stations[1]["entered"] == plane.state.stations[1]["left"]


def test_no_ready_replica_at_the_entry_refuses_the_client():
    plane = pair()
    plane.set_ready(0, 0, [])
    plane.run(200.0)
    assert client(plane)[REFUSED] == client(plane)[ARRIVED]


def test_an_error_share_answers_without_work():
    plane = pair()
    plane.set_error_share(1, 1.0)
    plane.run(200.0)
    assert client(plane)[ERROR] == client(plane)[ARRIVED]
    assert plane.state.stations[1]["started"] == 0


def test_a_full_queue_refuses():
    plane = pair(service_s=50.0, workers=1, queue=2)
    plane.run(10.0)
    back = plane.state.stations[1]
    assert back["entered"] == 3
    assert client(plane)[ERROR] == client(plane)[ARRIVED] - 3


def test_round_robin_over_ready_replicas():
    network = Network(
        (Station("s", 1000, constant(1000.0), replicas=(4,)),),
        (Call(CLIENT, 0),),
        (Function("f", ((0.0, 10.0),), Node(0)),),
        1.0,
        100,
        EDGES_S,
    )
    plane = DataPlane(network, 1)
    plane.set_ready(0, 0, [0, 2, 3])
    plane.run(100.0)
    busy = plane.state.replicas["busy"]
    assert busy[1] == 0
    assert busy[[0, 2, 3]].max() - busy[[0, 2, 3]].min() <= 1


def test_a_worker_is_held_during_calls_or_not():
    for holds, started in ((True, 1), (False, None)):
        network = Network(
            (
                Station("front", 1, constant(0.0), holds_worker=holds),
                Station("back", 10**6, constant(1000.0)),
            ),
            (Call(CLIENT, 0), Call(0, 1)),
            (Function("f", ((0.0, 10.0),), Node(0, (Node(1),))),),
            1.0,
            100,
            EDGES_S,
        )
        plane = DataPlane(network, 1)
        plane.set_ready(0, 0, [0])
        plane.set_ready(1, 0, [0])
        plane.run(100.0)
        assert plane.state.stations[0]["started"] == (started or client(plane)[ARRIVED])


def test_write_outcomes():
    plane = pair(service_s=0.05, writes=True)
    plane.run(20.0)
    assert set(plane.recording().writes["outcome"]) <= {WRITE_OK, WRITE_INDETERMINATE}
    before = len(plane.recording().writes)
    plane.set_defects(0, 0, [Defect(lost_write_ratio=1.0)])
    plane.run(40.0)
    lost = plane.recording().writes[before:]
    assert np.all(lost["outcome"][:-5] == WRITE_OK)
    assert not lost["stored"].any()
    plane.set_defects(0, 0, [])
    plane.set_defects(1, 0, [Defect(error_ratio=1.0)])
    plane.run(60.0)
    assert plane.recording().writes["outcome"][-10] == WRITE_FAILED


def test_a_write_that_times_out_is_indeterminate_though_stored():
    plane = pair(service_s=0.5, timeout_s=0.2, writes=True)
    plane.run(200.0)
    writes = plane.recording().writes
    assert np.all(writes["outcome"] == WRITE_INDETERMINATE)
    assert np.all(writes["stored"] == 1)
    assert np.all(np.isnan(writes["acknowledged_s"]))


def test_an_acknowledged_write_carries_its_times():
    plane = pair(service_s=0.5, writes=True)
    plane.set_latency(1, 0.25)
    plane.run(200.0)
    writes = plane.recording().writes
    assert len(writes) == client(plane)[ARRIVED]
    assert writes["acknowledged_s"] - writes["invoked_s"] == pytest.approx(np.full(len(writes), 0.75))
    assert len(set(writes["key"])) == len(writes)


def test_an_event_budget_comes_back_early():
    plane = pair()
    assert plane.run(100.0, event_budget=10) is ExitReason.BUDGET
    assert 0 < plane.now_s < 100.0
    assert plane.run(100.0) is ExitReason.UNTIL


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.set_weights(0, (0.5, 0.6)), "weights(=[0.5, 0.6]) must be 1 shares"),
        (lambda p: p.set_weights(0, (0.5,)), "weights(=[0.5]) must be"),
        (lambda p: p.set_ready(0, 0, [7]), "replicas(=[7]) must be numbers below 1."),
        (lambda p: p.set_ready(0, 3, [0]), "version(=3) must be below 1."),
        (lambda p: p.set_error_share(0, 1.5), "share(=1.5) must be in 0..1."),
        (lambda p: p.set_latency(0, -1.0), "must be >= 0."),
        (lambda p: p.run(-1.0), "until_s(=-1.0) must be between"),
        (lambda p: p.run(1e9), "until_s(=1000000000.0) must be between"),
        (lambda p: p.kill(0, 0, 4), "replica(=4) must be below 1."),
        (lambda p: p.set_defects(0, 0, [Defect(error_ratio=2.0)]), "error_ratio(=2.0) must be in 0..1."),
        (lambda p: p.set_defects(0, 0, [Defect(latency_factor=-1.0)]), "latency_factor(=-1.0) must be"),
    ],
)
def test_bad_control_inputs_are_refused(change, said):
    with pytest.raises(NetworkError) as raised:
        change(pair())
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"functions": ()}, "functions(=()) must be at least one."),
        ({"resolution_s": 0.0}, "resolution_s, cells"),
        ({"edges_s": np.array([2.0, 1.0])}, "edges_s"),
        ({"cohorts": 0}, "cohorts(=0)"),
        ({"stations": (Station("s", 0, constant(1.0)),)}, "stations[0].workers(=0) must be >= 1."),
        ({"stations": (Station("s", 1, constant(-1.0)),)}, "stations[0].service.p0(=-1.0)"),
        ({"stations": (Station("s", 1, Distribution(Kind.UNIFORM, 2.0, 1.0)),)}, "low <= high"),
        ({"stations": (Station("s", 1, Distribution(Kind.LOGNORMAL, 0.0, -1.0)),)}, "sigma >= 0"),
        ({"stations": (Station("s", 1, constant(1.0), queue=-2),)}, "stations[0].queue(=-2)"),
        ({"stations": (Station("s", 1, constant(1.0), replicas=()),)}, "stations[0].replicas"),
        ({"calls": (Call(CLIENT, 4),)}, "calls[0].callee(=4)"),
        ({"calls": (Call(9, 0),)}, "calls[0].caller(=9)"),
        ({"calls": (Call(CLIENT, 0, timeout_s=0.0),)}, "calls[0].timeout_s(=0.0)"),
        ({"calls": (Call(CLIENT, 0, retries=-1),)}, "calls[0].retries(=-1)"),
        ({"calls": (Call(CLIENT, 0, backoff_s=-1.0),)}, "calls[0].backoff_s(=-1.0)"),
        ({"calls": (Call(0, 0),)}, "caller(=0) must be -1"),
        ({"functions": (Function("f", ((1.0, 1.0),), Node(0)),)}, "starts rising from 0"),
        ({"functions": (Function("f", ((0.0, -1.0),), Node(0)),)}, "rates finite and >= 0"),
        ({"functions": (Function("f", ((0.0, 1.0),), Node(0), timeout_s=0.0),)}, "timeout_s(=0.0)"),
        ({"functions": (Function("f", ((0.0, 1.0),), Node(5)),)}, "call(=5)"),
        ({"functions": (Function("f", ((0.0, 1.0),), Node(0), cohort_shares=(0.5,)),)}, "with sum 1"),
    ],
)
def test_networks_that_make_no_sense_are_refused(changes, said):
    parts = {
        "stations": (Station("s", 1, constant(1.0)),),
        "calls": (Call(CLIENT, 0),),
        "functions": (Function("f", ((0.0, 1.0),), Node(0)),),
        "resolution_s": 1.0,
        "cells": 10,
        "edges_s": EDGES_S,
    }
    with pytest.raises(NetworkError) as raised:
        Network(**{**parts, **changes})
    assert said in str(raised.value)
