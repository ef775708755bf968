"""What the benchmark of features says of all of them, it says of each that the kernel knows."""

from functools import reduce
from operator import or_

from benchmarks.features import UNUSED, started, systems
from simulator import layout


def test_every_feature_of_the_data_plane_is_measured() -> None:
    stations: dict[str, int] = {}
    calls: dict[str, int] = {}
    for name, (net, act) in systems(100).items():
        plane = started(net, 1)
        act(plane)
        stations[name] = reduce(or_, plane.state.stations["features"].tolist())
        calls[name] = reduce(or_, plane.state.calls["features"].tolist())
        mechanics = stations[name] & ~layout.LEAN_STATION | calls[name] & ~layout.LEAN_CALL
        assert plane.lean == (name != UNUSED and mechanics == 0)
    of_stations = (layout.FAULTY, layout.CONTRACT, layout.MIRRORED, layout.BALANCED, layout.EJECTING, layout.SHEDDING,
                   layout.QUOTA, layout.SHARING)  # fmt: skip
    of_calls = (layout.BREAKER, layout.BUDGET, layout.CANCEL, layout.GROUPED)
    assert reduce(or_, stations.values()) == sum(of_stations)
    assert reduce(or_, calls.values()) == sum(of_calls)
    assert stations["plain"] == calls["plain"] == stations[UNUSED] == calls[UNUSED] == 0
