"""What the twin writes down."""

from typing import Any

from tests.reference.naive_parts import REFUSED, Job


class Books:
    """Client and service tables, and the write log, of a `Naive`."""

    def cell(self, t: float) -> int:
        return min(int(t * (1.0 / self.network.resolution_s)), self.network.cells - 1)

    def bin(self, latency: float) -> str:
        return f"bin {sum(1 for edge in self.network.edges_s if edge < latency)}"

    @staticmethod
    def kind(outcome: str) -> str:
        return REFUSED if outcome in ("reset", "unsent") else outcome

    def count(self, job: Job, outcome: str) -> None:
        if job.counted:
            return
        job.counted = True
        name = self.bin(self.now - job.sent) if outcome == "ok" else self.kind(outcome)
        station = self.network.calls[job.step.node.call].callee
        where = (self.cell(self.now), station, job.version, job.step.function, job.cohort, name)
        self.service[where] += 1

    def log(self, job: Job, outcome: str, now: float | None = None) -> None:
        if job.copy:
            return
        heard = isinstance(job.caller, Job) or job.caller == "client"
        if not heard or outcome == "reset":
            code, acknowledged = 2, None
        elif outcome == "ok":
            code, acknowledged = 0, self.now
        else:
            code, acknowledged = 1, None
        by = -1 if job.caller_version is None else job.caller_version[1]
        self.writes.append(
            (
                job.key,
                job.sent,
                acknowledged,
                job.request,
                job.step.number,
                job.attempt,
                code,
                job.wrote,
                job.cohort,
                by,
            )
        )

    def all_writes(self) -> list[tuple[Any, ...]]:
        """The log, and the writes under way as indeterminate."""
        before = len(self.writes)
        for job in self.alive.values():
            if self.network.calls[job.step.node.call].writes:
                self.log(job, "reset")
        rows = list(self.writes)
        del self.writes[before:]
        return rows
