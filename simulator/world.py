"""The world of virtual time, as the rollout's controller sees it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from evidence.events import Event
from rollout.errors import Foreseen, WorldError
from rollout.people import People, draw_s
from rollout.world import Observation
from scenarios.models import Change, Defect, Distribution, Fault, Scenario, Worse
from simulator.answers import Answers
from simulator.availability import outages
from simulator.compile import Compiled
from simulator.contracts import contracts_of
from simulator.defects import DefectSwitch, at_strength
from simulator.effects import Effects
from simulator.environment import Happened, SimulationEnvironment
from simulator.failures import Failures
from simulator.faults import Faults
from simulator.fleets import Replicas
from simulator.kernel import plane as kernel
from simulator.layout import ERROR, FIRST_BIN, REFUSED
from simulator.own_streams import own_stream
from simulator.routes import Routes
from simulator.stores import Stores
from simulator.streams import replica, third_party

__all__ = ["SimulatedWorld"]


class SimulatedWorld:
    """Fulfils `rollout.world.World` over a data plane at time 0: the old version serves everything.

    Routes and deploys take the times of the scenario's `operations`, drawn from `tools`; replicas start in the
    service's `startup` besides, killed ones too when their fault ends; faults take effect at once. `defects` are those
    that the new version has. `events` is the timeline so far.
    """

    def __init__(
        self,
        scenario: Scenario,
        compiled: Compiled,
        plane: kernel.DataPlane,
        defects: Iterable[Defect],
        tools: np.random.Generator,
        replication: int = 0,
        seed: int = 1,
    ) -> None:
        self._clock = SimulationEnvironment(plane)
        self.env: simpy.Environment = self._clock
        self.edges_s: NDArray[np.float64] = compiled.network.edges_s
        self.events: list[Event] = []
        self._listeners: list[Callable[[str], None]] = []
        self._failures = Failures([scenario.functions[name].timeout_s for name in compiled.functions])
        self._scenario = scenario
        self._compiled = compiled
        self._replication = replication
        self._operations = scenario.operations
        self._tools = tools
        self._changes = {change.service: change for change in scenario.release.changes}
        self._services = scenario.system.services
        self._progress_deadline_s = scenario.release.progress_deadline_s
        self._zones = scenario.system.zones
        self._observed: tuple[float, dict[tuple[str, str | None, float], Observation]] = (-1.0, {})
        self._answers: dict[tuple[str, str | None], Answers] = {}
        active = list(defects)
        own: dict[str, list[Defect]] = {name: [] for name in compiled.services}
        for defect in active:
            own[scenario.release.defective(defect)].append(defect)
        self._replicas = {name: self._replicas_of(scenario, name, own[name], seed) for name in compiled.services}
        self._fleets = {name: replicas.by_version for name, replicas in self._replicas.items()}
        self._routes = Routes(
            self._clock,
            scenario,
            compiled,
            lambda: self._drawn_s(self._operations.route),
            self._routed,
            self.record,
        )
        self._paged: dict[str, People] = {}
        self._effects = Effects(self._clock)
        self.data = Stores(
            self._clock, scenario, compiled, self._effects, active, self.record, self._page, partial(own_stream, tools)
        )
        ours = {name: fleets for name, fleets in self._fleets.items() if not self._services[name].external}
        self._faults = Faults(self._clock, compiled, ours, self.data, scenario.system.zones)
        # Defects behind a flag show where it is on; where the release is no toggle, the new version is all that is on.
        self._defects: dict[tuple[str, bool], DefectSwitch] = {
            (service, flagged): DefectSwitch(
                self._clock,
                [defect for defect in own[service] if flagged == (compiled.toggled and defect.flag)],
                partial(self._offered, service),
                partial(self._show, service, flagged),
            )
            for service in self._changes
            for flagged in ((False, True) if compiled.toggled else (False,))
        }
        for name, service in scenario.system.services.items():
            if service.availability is not None:
                rng = third_party(seed, replication, name)
                self.env.process(self._go_down(name, outages(service.availability, scenario.duration_s, rng)))

    def _replicas_of(self, scenario: Scenario, name: str, defects: Sequence[Defect], seed: int) -> Replicas:
        def record(version: str, what: str, number: int) -> None:
            self.record("replica", f"{name} {version}".strip(), what=what, number=number)

        return Replicas(
            self._clock,
            scenario,
            self._compiled,
            name,
            ((), defects),
            lambda version, number: replica(seed, self._replication, name, version, number),
            record,
            lambda wanted: self.record("scale", name, replicas=wanted),
        )

    def _show(self, service: str, flagged: bool, defects: Iterable[tuple[Defect, float]]) -> None:
        """The new version of a service has these defects from now on (where its flag is on), each at its strength."""
        shown, cohorts = list(defects), self._compiled.cohorts
        effects = [
            at_strength(defect, strength, -1 if defect.cohort is None else cohorts.index(defect.cohort))
            for defect, strength in shown
            if defect.incompatible_with is None
        ]
        places = self._compiled.new_versions(service)
        for place in places[-1:] if flagged else places:
            self._effects.put(self._compiled.station(service), place, "flagged" if flagged else "defects", effects)
        for pair, error_ratio in contracts_of(self._compiled, service, shown).items():
            self._clock.plane.set_contract(*pair, error_ratio)

    def _routed(self, service: str) -> None:
        """Other requests than before come to a service's versions."""
        routing = self._routes.of[service]
        self._replicas[service].serve(
            [version for version in self._compiled.versions[service] if routing.serves(version)]
        )
        if service in self._changes and routing.reaches(self._changes[service].new):
            self._defects[service, False].serve()
        if routing.flagged():
            self._defects[service, True].serve()

    def _offered(self, service: str) -> int:
        """Requests that have come to a service since the start, accepted or refused."""
        plane, station = self._clock.plane, self._compiled.station(service)
        columns = self._answers_of(service, None).last(plane, max(plane.now_s, plane.network.resolution_s))
        return int(plane.state.stations[station]["entered"]) + int(columns[REFUSED])

    def _go_down(self, service: str, spans_s: Iterable[tuple[float, float]]) -> Generator[simpy.Event, Any, None]:
        """Play the outages of a third party: it refuses what comes, and finishes what it has."""
        station, subject = self._compiled.station(service), f"outage of {service}"
        (fleet,) = self._fleets[service].values()
        for start_s, end_s in spans_s:
            yield self.env.timeout(start_s - self.env.now)
            self._clock.plane.set_ready(station, 0, [])
            self.record("fault-start", subject, kind="outage")
            yield self.env.timeout(end_s - self.env.now)
            self._clock.plane.set_ready(station, 0, fleet.ready)
            self.record("fault-end", subject, kind="outage")

    # -- what the controller calls

    def deploy(self, service: str, version: str, replicas: int, zones: Sequence[str] = ()) -> simpy.Event:
        """Have exactly `replicas` ready; fails with WorldError for a version, number or zone that cannot be."""
        fleet = self._fleets.get(service, {}).get(version)
        if fleet is None:
            return self._failed(f"deploy: {service} {version!r} must be a service and one of its versions")
        most = self._services[service].replicas
        if not 0 <= replicas <= most:
            return self._failed(f"deploy of {service}: replicas(={replicas}) must be 0..{most}")
        self.data.begun()
        if not set(zones) <= set(self._zones):
            return self._failed(f"deploy of {service}: zones(={list(zones)}) must be of {', '.join(self._zones)}")
        self._replicas[service].planned[version] = replicas
        wanted = self._replicas[service].wanted(replicas)
        places = frozenset(self._zones.index(zone) for zone in zones)
        done = fleet.deploy(wanted, self._drawn_s(self._operations.deploy), places)
        assert done.callbacks is not None
        done.callbacks.append(lambda over: self._deployed(over, service, version, replicas))
        return (
            done if self._progress_deadline_s is None else self.env.process(self._in_time(done, f"{service} {version}"))
        )

    def _deployed(self, over: simpy.Event, service: str, version: str, replicas: int) -> None:
        if over.value is not False:  # an order that was overtaken has deployed nothing
            self.record("deploy", service, version=version, replicas=replicas)

    def _in_time(self, deploy: simpy.Event, what: str) -> Generator[simpy.Event, Any, None]:
        """The deploy goes on behind its deadline, as in Kubernetes; who ordered it is told that it has failed."""
        limit_s = self._progress_deadline_s
        assert limit_s is not None
        yield deploy | self.env.timeout(limit_s)
        if not deploy.triggered:
            raise Foreseen(f"deploy of {what}: not ready within {limit_s:g} s (release.progress_deadline)")

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> simpy.Event:
        """Share the service's requests, once that is in force; fails with WorldError for weights that make no sense."""
        return self._routes.route(service, weights, cohorts or {})

    def mirror(self, service: str, version: str, share: float) -> simpy.Event:
        """Copy requests, once that is in force; fails with WorldError for a version or share that cannot be."""
        return self._routes.mirror(service, version, share)

    def flag(self, service: str, share: float, cohorts: Sequence[str], within_s: float) -> simpy.Event:
        """Every replica follows at its poll, evenly spread; fails with WorldError for a service without a flag."""
        return self._routes.flag(service, share, cohorts, within_s)

    def _drawn_s(self, distribution: Distribution | None) -> float:
        return 0.0 if distribution is None else draw_s(distribution, self._tools)

    def observe(self, service: str, version: str | None, window_s: float) -> simpy.Event:
        """Answers within the last cells of the record that make up `window_s`; the running cell is one of them."""
        if self._observed[0] != self.env.now:
            self._observed = (self.env.now, {})
        key, seen = (service, version, window_s), self._observed[1]
        if key not in seen:  # several guardrails look at the same answers
            seen[key] = self._observe(service, version, window_s)
        return Happened(self.env, seen[key])

    def _observe(self, service: str, version: str | None, window_s: float) -> Observation:
        answers = self._answers_of(service, version)
        columns = answers.last(self._clock.plane, window_s, self._operations.metrics_delay_s)
        errors, histogram = sum(columns[ERROR : REFUSED + 1].tolist()), columns[FIRST_BIN:]
        return Observation(errors + int(np.add.reduce(histogram)), errors, histogram)

    def _answers_of(self, service: str, version: str | None) -> Answers:
        answers = self._answers.get((service, version))
        if answers is None:
            place = None if version is None else self._compiled.routed(service).index(version)
            answers = Answers(self._clock.plane, self._compiled.station(service), place)
            self._answers[service, version] = answers
        return answers

    def inject(self, fault: Fault) -> simpy.Event:
        """In force at once; fails with WorldError when there is not so much to kill."""
        try:
            self._faults.inject(fault)
        except WorldError as error:
            return self.env.event().fail(error)
        return self.env.event().succeed()

    def heal(self, fault: Fault) -> simpy.Event:
        """Gone at once; killed replicas after their startup, unless nobody wants them any more."""
        return self._faults.heal(fault)

    def procedure(self, service: str, old: str, new: str) -> simpy.Event:
        """Never asked for: `simulator.unmodelled` refuses the step."""
        raise AssertionError(f"procedure of {service} from {new} to {old}")

    def worsen(self, service: str, version: str, worse: Worse | None) -> simpy.Event:
        """At once, and on all of its requests."""
        place = self._compiled.versions[service].index(version)
        harm = [] if worse is None else [kernel.Defect(worse.errors, worse.latency.factor, worse.latency.add_s)]
        self._effects.put(self._compiled.station(service), place, "worse", harm)
        return self.env.event().succeed()

    def verify(self, dark: Collection[str] = ()) -> simpy.Event:
        """Differences of the released services from the baseline: replicas that serve, and weights.

        Faults of the scenario are no differences: the release did not make them.
        """
        differences = [
            each
            for service, change in self._changes.items()
            for each in self._differences(change, dark=service in dark)
        ]
        return self.env.event().succeed([*differences, *self.data.differences(dark)])

    def _differences(self, change: Change, *, dark: bool) -> Iterator[str]:
        service, serving = change.service, change.new if dark else change.old
        for version, fleet in self._fleets[service].items():
            planned = self._services[service].replicas if version == serving else 0
            wanted = self._replicas[service].wanted(planned)
            if len(fleet.ready) != wanted:
                yield f"{service} {version}: {len(fleet.ready)} replicas serve, must be {wanted}"
        yield from self._routes.differences(change, dark=dark)

    def _page(self, subject: str) -> Generator[simpy.Event, Any, None]:
        """A page about one store after the other draws anew; pages about different ones shift nothing of each other."""
        if subject not in self._paged:
            rng = own_stream(self._tools, f"page about {subject}")
            self._paged[subject] = People(self, self._scenario, rng)
        yield from self._paged[subject].page(subject)

    def found(self, log: NDArray[np.void]) -> NDArray[np.int64]:
        """Of each row of the whole write log, whether a last look finds it: 1, 0, or -1 where nobody can look."""
        taken_back = all(not self._routes.of[name].serves(change.new) for name, change in self._changes.items())
        return self.data.found(log, taken_back)

    def record(self, kind: str, subject: str, /, **detail: object) -> None:
        """Write an event of this moment on the timeline."""
        self.events.append(Event(float(self.env.now), kind, subject, detail, self._replication))
        for hear in self._listeners:
            hear(kind)

    def listen(self, hear: Callable[[str], None]) -> None:
        """Call `hear` with the kind of each event from now on."""
        self._listeners.append(hear)

    def failed(self, function: str) -> int:
        """Requests that have failed so far, in error, in time or refused."""
        return self._failures.count(self._clock.plane, self._compiled.functions.index(function))

    # -- what plays the world

    @property
    def clock(self) -> SimulationEnvironment:
        """Virtual time, and the data plane that it drives."""
        return self._clock

    def play(self, until_s: float) -> None:
        """Let control and traffic go on to `until_s`."""
        self.env.run(until=until_s)

    def drain(self) -> None:
        """Let traffic alone go on to the data plane's horizon."""
        self._clock.finish(self._compiled.network.horizon_s)

    def _failed(self, message: str) -> simpy.Event:
        return self.env.event().fail(WorldError(message))
