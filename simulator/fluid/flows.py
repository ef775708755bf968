"""Calls per second from the clients down, by the replies that they get, and the load of every version by them."""

from simulator.fluid import lattice
from simulator.fluid.again import in_vain, returned, stuck
from simulator.fluid.calls import erring, first_call, goes_on, mirrored_to, next_call, own_work
from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined


@outlined
def find_flows(s: State) -> float:
    """Calls per second from the clients down; returns by how much any version's load changed."""
    cohorts = s.shares.shape[1]
    most = s.writers.shape[2]
    for row in range(len(s.versions)):
        version = s.versions[row]
        version["offered_before"], version["hold_before_s"] = version["offered"], version["hold_s"]
        version["offered"], version["hold_s"], version["hold_var"] = 0.0, 0.0, 0.0
        version["returned"], version["stuck"], version["after_s"] = 0.0, 0.0, 0.0
        version["again"], version["again_s"], version["varies"] = 0.0, 0.0, 0.0
    for node in range(len(s.nodes)):
        for cohort in range(cohorts):
            s.flows[node, cohort]["calls"], s.flows[node, cohort]["begins_s"] = 0.0, 0.0
            s.flows[node, cohort]["returned"] = s.flows[node, cohort]["copies"] = 0.0
            s.flows[node, cohort]["again"] = s.flows[node, cohort]["again_s"] = 0.0
            s.flows[node, cohort]["varies"] = 0.0
            for version in range(most):
                s.writers[node, cohort, version] = 0.0
    for call in range(len(s.calls)):
        s.calls[call]["firsts"] = s.calls[call]["retried"] = 0.0
        s.calls[call]["asked"] = s.calls[call]["asked_ok"] = s.calls[call]["asked_s"] = 0.0
    for station in range(len(s.stations)):
        s.stations[station]["asked"] = s.stations[station]["later"]
        s.stations[station]["again"] = s.stations[station]["again_s"] = 0.0
    for node in range(len(s.nodes)):
        function = s.nodes[node]["function"]
        station = s.stations[s.nodes[node]["station"]]
        for cohort in range(cohorts):
            share = s.shares[function, cohort]
            if share <= 0.0:
                continue
            flow = s.flows[node, cohort]
            if s.nodes[node]["parent"] < 0:
                flow["calls"] = s.functions[function]["rate"] * share
            if flow["calls"] <= 0.0:
                continue
            if s.nodes[node]["parent"] >= 0:
                flow["begins_s"] /= flow["calls"]
                if s.calls[s.nodes[node]["call"]]["budget"] != 0:
                    _tell_retries(s, node, cohort)
            if s.calls[s.nodes[node]["call"]]["cut"] != 0:
                continue
            for version in range(station["versions"]):
                _enter(s, node, cohort, version)
            if station["mirror_share"] > 0.0:
                _copy(s, node, cohort)
    for station in range(len(s.stations)):
        if s.stations[station]["again"] > 0.0:
            s.stations[station]["again_s"] /= s.stations[station]["again"]
    change = 0.0
    for row in range(len(s.versions)):
        version = s.versions[row]
        if version["returned"] > 0.0:
            version["after_s"] /= version["returned"]
        if version["offered"] > 0.0:
            version["hold_s"] /= version["offered"]
            version["hold_var"] /= version["offered"]
            version["varies"] /= version["offered"]
            if version["again"] > 0.0:
                version["again_s"] /= version["again"]
        else:
            version["hold_s"] = version["hold_before_s"]
        version["offered"] += version["comes"]
        change = max(change, _change(version["offered"], version["offered_before"]))
        change = max(change, _change(version["hold_s"], version["hold_before_s"]))
    return change


@inlined
def _varies(s: State, node: int, cohort: int, version: int) -> float:
    """By how much the calls that a version makes vary: as a Poisson stream, or as its workers that are never idle."""
    station, held = s.stations[s.nodes[node]["station"]], s.held[node, s.alike[node, cohort], version]
    home = s.versions[s.versions[station["first_version"] + version]["home"]]
    if home["offered_before"] * home["hold_before_s"] <= station["workers"] * home["ready"] or held["mean_s"] <= 0.0:
        return 1.0
    return min(1.0, held["var"] / held["mean_s"] ** 2)


@outlined
def _tell_retries(s: State, node: int, cohort: int) -> None:
    """Add a node's first attempts and retries to those of its call."""
    call, flow = s.calls[s.nodes[node]["call"]], s.flows[node, cohort]
    firsts = flow["calls"] / s.replies[node, s.alike[node, cohort]]["attempts"]
    call["firsts"] += firsts
    call["retried"] += flow["calls"] - firsts


@inlined
def _ask(s: State, node: int, cohort: int, reach: float) -> None:
    """Add so many calls per second to those that a breaker lets through or not."""
    call, reply = s.calls[s.nodes[node]["call"]], s.replies[node, s.alike[node, cohort]]
    call["asked"] += reach
    call["asked_ok"] += reach * reply["once_ok"]
    call["asked_s"] += reach * reply["once_s"]


@inlined
def _change(now: float, before: float) -> float:
    """Relative to the larger of the two."""
    return abs(now - before) / max(1e-9, max(now, before))


@inlined
def entering(s: State, node: int, cohort: int, version: int) -> float:
    """Calls per second of one node and cohort that get to one version."""
    row = s.stations[s.nodes[node]["station"]]["first_version"] + version
    calls = s.flows[node, cohort]["calls"] * s.weights[row, cohort] - stuck(s, node, cohort, version)
    return calls * (1.0 - erring(s, node, version))


@inlined
def copying(s: State, node: int, cohort: int, version: int) -> float:
    """Copies per second of the calls that are none for copies, made for one version."""
    if not mirrored_to(s, node, version):
        return 0.0
    station, flow = s.stations[s.nodes[node]["station"]], s.flows[node, cohort]
    return (flow["calls"] - flow["copies"]) * station["mirror_share"] * (1.0 - erring(s, node, version))


@inlined
def _enter(s: State, node: int, cohort: int, version: int) -> None:
    """Calls of one node and cohort meet one version."""
    back = returned(s, node, cohort, version)
    if back > 0.0:
        row = s.stations[s.nodes[node]["station"]]["first_version"] + version
        home = s.versions[s.versions[row]["home"]]
        home["returned"] += back
        home["stuck"] += back * in_vain(s, node, cohort, version) * (1.0 - erring(s, node, version))
        home["after_s"] += back * s.replies[node, s.alike[node, cohort]]["waits_s"]
    enter = entering(s, node, cohort, version)
    if enter > 0.0:
        flow = s.flows[node, cohort]
        _go_through(s, node, cohort, version, enter, flow["copies"] / flow["calls"])


@outlined
def _copy(s: State, node: int, cohort: int) -> None:
    """A share of the calls that are none for copies comes to the version that takes copies as well."""
    station = s.stations[s.nodes[node]["station"]]
    version = station["mirror_row"] - station["first_version"]
    copies = copying(s, node, cohort, version)
    if copies > 0.0:
        _go_through(s, node, cohort, version, copies, 1.0)


@outlined
def _go_through(s: State, node: int, cohort: int, version: int, enter: float, copies: float) -> None:
    """A version's load by so many calls per second, a share of them copies, and the calls that it makes in turn."""
    row = s.stations[s.nodes[node]["station"]]["first_version"] + version
    record = s.versions[s.versions[row]["home"]]
    flow, held = s.flows[node, cohort], s.held[node, s.alike[node, cohort], version]
    again, again_s = flow["again"] / flow["calls"], flow["again_s"] / flow["calls"]
    station = s.stations[s.nodes[node]["station"]]
    asked = enter * (1.0 - station["over"])
    if record["ready"] > 0:
        station["asked"] += enter * (1.0 - again)
        station["again"] += enter * again
        station["again_s"] += enter * again_s
    record["offered"] += asked
    record["hold_s"] += asked * held["mean_s"]
    record["hold_var"] += asked * held["var"]
    record["again"] += asked * again
    record["again_s"] += asked * again_s
    record["varies"] += asked * (flow["varies"] / flow["calls"] if s.nodes[node]["parent"] >= 0 else 1.0)
    varies = _varies(s, node, cohort, version)
    own_s = lattice.moments(s.pool, own_work(s, row, cohort))[0]
    begins_s = flow["begins_s"] + record["waits_s"] + own_s
    reach = enter * (1.0 - record["refused"]) * record["drive"] * (1.0 - s.effects[row, cohort]["error"])
    child = first_call(s, s.nodes[node]["child"], version)
    passed, lasts_s = 1.0, 0.0
    while child >= 0:
        reply = s.replies[child, s.alike[child, cohort]]
        calls = reach * reply["attempts"]
        if s.calls[s.nodes[child]["call"]]["breaker"] != 0:
            _ask(s, child, cohort, reach)
        s.flows[child, cohort]["calls"] += calls
        s.flows[child, cohort]["returned"] += reach * reply["returned"]
        s.flows[child, cohort]["again"] += calls - reach * (1.0 - again)
        s.flows[child, cohort]["varies"] += calls * varies
        s.flows[child, cohort]["again_s"] += reach * reply["again_s"] + calls * again_s
        s.flows[child, cohort]["begins_s"] += calls * begins_s
        s.flows[child, cohort]["copies"] += calls * copies
        s.writers[child, cohort, version] += calls * (1.0 - copies)
        passed *= reply["ok"]
        if s.nodes[child]["parallel"] == 0:
            lasts_s = reply["lasts_s"]
            child = next_call(s, child, version)
            if goes_on(s, child):
                lasts_s = reply["together_s"]
        else:
            child = next_call(s, child, version)
        if not goes_on(s, child):
            begins_s, reach, passed = begins_s + lasts_s, reach * passed, 1.0
