"""From the data plane's tables to those of the run record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.service_health import ServiceCells
from evidence.tables import ClientCells, Samples, Writes
from simulator.compile import Compiled
from simulator.kernel.plane import Recording
from simulator.layout import ARRIVED, ERROR, FIRST_BIN, REFUSED, TIMEOUT

__all__ = ["Traffic"]


@dataclass(frozen=True)
class Traffic:
    """What one replication's traffic left behind.

    `found` says of each write what a last look finds (see `evidence.tables.Ledger`).
    Its tables share the data plane's memory: they hold until the data plane goes on.
    """

    compiled: Compiled
    recording: Recording
    found: NDArray[np.int64]

    def clients(self) -> ClientCells:
        """What the outside callers saw."""
        client = self.recording.client
        failed = np.concatenate([client[..., ERROR : REFUSED + 1], self.recording.unfinished[..., None]], axis=-1)
        return ClientCells(
            self.compiled.functions, self.compiled.cohorts, client[..., ARRIVED], failed, client[..., FIRST_BIN:]
        )

    def services(self) -> ServiceCells:
        """What each service answered, all versions together."""
        answers, failed = self._answers()
        places = self.recording.rows.station[:, None] == np.arange(len(self.compiled.services))
        return ServiceCells(self.compiled.services, answers @ places, failed @ places)

    def writes(self) -> Writes:
        """The ledger. In the simulator a write's fate is known, unless its store is gone at the end."""
        log, compiled = self.recording.writes, self.compiled
        stores = np.array(compiled.node_stations()) - len(compiled.services)
        functions = np.array(compiled.node_functions())
        return Writes(
            store=stores[log["node"]],
            function=functions[log["node"]],
            invoked_s=log["invoked_s"],
            acknowledged_s=log["acknowledged_s"],
            outcome=log["outcome"],
            found=self.found,
            counts=self.recording.write_counts,
        )

    def samples(self, replication: int) -> Samples:
        """Rows for the record: the clients', then the services'. Stores have none, as in a drill."""
        resolution_s = self.compiled.network.resolution_s
        clients = self.clients().samples(resolution_s, replication=replication)
        return Samples.join([clients, self._service_samples(replication)])

    def _answers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Answers and, of them, failed ones: [cells, service rows]."""
        service = self.recording.service
        # In the table's own type einsum is several times as fast as a sum; a row's answers fit it as its bins do.
        failed = np.einsum("trc->tr", service[..., ERROR : REFUSED + 1]).astype(np.int64)
        return failed + np.einsum("trc->tr", service[..., FIRST_BIN:]), failed

    def _service_samples(self, replication: int) -> Samples:
        compiled, rows, service = self.compiled, self.recording.rows, self.recording.service
        answers, _ = self._answers()
        answers[:, rows.station >= len(compiled.services)] = 0
        cell, row = np.nonzero(answers)
        table = service[cell, row]
        versions = [compiled.routed(compiled.services[s])[v] if s < len(compiled.services) else ""
                    for s, v in zip(rows.station, rows.version, strict=True)]  # fmt: skip
        names = np.array([*compiled.services, *compiled.stores])
        return Samples(
            replication=np.full(len(cell), replication, dtype=np.int32),
            window_start_s=np.asarray(cell * compiled.network.resolution_s, dtype=np.float64),
            service=names[rows.station[row]],
            version=np.array(versions)[row],
            cohort=np.array(compiled.cohorts)[rows.cohort[row]],
            function=np.array(compiled.functions)[rows.function[row]],
            requests=answers[cell, row],
            failed_error=table[:, ERROR].astype(np.int64),
            failed_timeout=table[:, TIMEOUT].astype(np.int64),
            failed_refused=table[:, REFUSED].astype(np.int64),
            failed_unfinished=np.zeros(len(cell), dtype=np.int64),
            latency=table[:, FIRST_BIN:],
        )
