"""Waits at one station: M/M/1, M/M/c, M/D/1, M/G/1, and the refusals of M/M/1/K."""

from __future__ import annotations

import numpy as np

from simulator.layout import ARRIVED, REFUSED
from simulator.network import Distribution, Kind
from simulator.verification import closed_forms
from simulator.verification.agreement import Agreement, of_batches
from simulator.verification.playing import BATCHES, batches, lognormal, one_station, ready
from simulator.verification.settings import Settings

__all__ = ["general", "markovian", "refusals"]

LOAD = 0.8
SERVICE_S = 1.0
ARRIVALS = 1_000_000


def markovian(settings: Settings) -> list[Agreement]:
    """Erlang's waits in M/M/1 and M/M/c."""
    found = []
    for replication, servers in enumerate((1, 2, 10)):
        theory = closed_forms.erlang_c_wait_s(servers, LOAD, SERVICE_S)
        rate_per_s = LOAD * servers / SERVICE_S
        network = one_station(servers, Distribution(Kind.EXPONENTIAL, SERVICE_S), rate_per_s, ARRIVALS / rate_per_s)
        waits_s = batches(network, settings.seed, replication)[:, 0]
        found.append(of_batches(f"M/M/{servers} wait, load {LOAD}", theory, waits_s, "s"))
    return found


def general(settings: Settings) -> list[Agreement]:
    """Pollaczek and Khinchine's waits in M/D/1 and M/G/1."""
    cases = (
        ("M/D/1", Distribution(Kind.CONSTANT, SERVICE_S), 0.0),
        ("M/G/1 uniform", Distribution(Kind.UNIFORM, 0.0, 2 * SERVICE_S), 3**-0.5),
        ("M/G/1 lognormal cv 0.5", lognormal(SERVICE_S, 0.5), 0.5),
        ("M/G/1 lognormal cv 1.5", lognormal(SERVICE_S, 1.5), 1.5),
    )
    found = []
    for replication, (name, service, cv) in enumerate(cases):
        theory = closed_forms.pollaczek_khinchine_wait_s(LOAD, SERVICE_S, cv)
        network = one_station(1, service, LOAD / SERVICE_S, ARRIVALS * SERVICE_S / LOAD)
        waits_s = batches(network, settings.seed, replication)[:, 0]
        found.append(of_batches(f"{name} wait, load {LOAD}", theory, waits_s, "s"))
    return found


def refusals(settings: Settings) -> list[Agreement]:
    """The share that a bounded queue refuses: M/M/1/4."""
    load, waiting = 0.9, 3
    network = one_station(1, Distribution(Kind.EXPONENTIAL, SERVICE_S), load, 400_000.0, queue=waiting)
    plane = ready(network, settings.seed)
    plane.run(network.horizon_s)
    columns = plane.recording().client.sum(axis=(1, 2), dtype=np.int64)
    by_batch = columns.reshape(BATCHES, -1, columns.shape[1]).sum(axis=1)
    theory = closed_forms.mm1k_refused(load, waiting + 1)
    shares = by_batch[:, REFUSED] / by_batch[:, ARRIVED]
    return [of_batches(f"M/M/1/{waiting + 1} refused share, load {load}", theory, shares)]
