"""The control inputs of `DataPlane`, for the twin."""

from typing import Any

from tests.reference.naive_parts import Job


class Control:
    """What the control plane changes in a `Naive`."""

    def effect(self, s: int, v: int, cohort: int) -> tuple[float, float, float, float]:
        error, factor, add, lost = 0.0, 1.0, 0.0, 0.0
        for d in self.defects.get((s, v), []):
            if d.cohort in (-1, cohort):
                error = 1 - (1 - error) * (1 - d.error_ratio)
                factor *= d.latency_factor
                add += d.latency_add_s
                lost = 1 - (1 - lost) * (1 - d.lost_write_ratio)
        return error, factor, add, lost

    def set_ready(self, s: int, v: int, replicas: Any) -> None:
        self.ready[s, v] = sorted(set(replicas))

    def set_weights(self, s: int, weights: Any, cohort: int | None = None) -> None:
        for each in range(self.network.cohorts) if cohort is None else [cohort]:
            self.weights[s, each] = list(weights)

    def set_contract(self, s: int, v: int, to: int, to_version: int, ratio: float) -> None:
        self.contracts[(s, v), (to, to_version)] = ratio

    def set_mirror(self, s: int, v: int, share: float) -> None:
        self.mirrors[s] = (v, share)

    def set_rate_factor(self, f: int, factor: float) -> None:
        if self.begun:
            gap = self.unspent[f]
            for start, end, rate in self._rates(f):
                span = min(end, self.next_arrival[f]) - max(start, self.now)
                gap += span * rate if rate > 0 and span > 0 else 0.0
        self.factor[f] = factor
        if self.begun:
            self.next_arrival[f] = self._after(f, self.now, gap) if gap > 0 else self.now
        else:
            self.next_arrival[f] = self._gap(f, 0.0)

    def set_defects(self, s: int, v: int, defects: Any) -> None:
        self.defects[s, v] = list(defects)

    def set_latency(self, call: int, latency: float, jitter: float = 0.0) -> None:
        self.latency[call] = (latency, jitter)

    def set_error_share(self, s: int, share: float) -> None:
        self.share[s] = share

    def set_cut(self, call: int, cut: bool) -> None:
        if not cut:
            self.cut.discard(call)
            return
        self.cut.add(call)
        for job in self.alive.values():
            heard = isinstance(job.caller, Job) or job.caller == "client"
            if job.step.node.call == call and heard:
                job.timer = self.schedule(self.now, ("cut", job))

    def kill(self, s: int, v: int, number: int) -> None:
        self.ready[s, v] = [r for r in self.ready.get((s, v), []) if r != number]
        replica = self.replicas[s, v, number]
        for job in list(self.alive.values()):
            if job.replica is replica:
                for caller in [job, *job.branches]:
                    caller.event = None
                    if caller.child is not None:
                        caller.child.caller, caller.child.timer, caller.child = "killed", None, None
                job.branches = []
                job.replica, job.answer, job.holding = None, "reset", False
                job.event = self.schedule(self.now, ("answer", job))
        replica.busy = replica.failed = 0
        replica.out_until = replica.worked = 0.0
        replica.queue.clear()
