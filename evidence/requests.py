"""Every request of a drill's load as it was measured: one row each in requests.parquet, rounded into no bucket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evidence.columns import column_of

__all__ = ["REQUESTS", "requests_to_arrow"]

_TEXTS = ("function", "cohort", "kind", "version", "request_id", "error")
_COUNTS = ("index", "status")

REQUESTS = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in _TEXTS),
        *(pa.field(name, pa.int64(), nullable=False) for name in _COUNTS),
        pa.field("intended_s", pa.float64(), nullable=False),
        pa.field("sent_s", pa.float64()),
        pa.field("finished_s", pa.float64()),
    ]
)
"""Times are seconds since the load's start; null where a request was never sent, or had not ended at the end.

Latency is `finished_s - intended_s`, lateness of the generator `sent_s - intended_s`."""


def requests_to_arrow(columns: Mapping[str, NDArray[Any]]) -> pa.Table:
    """The table of requests.parquet, from columns of those names; NaN stands for a missing time."""
    arrays = []
    for field in REQUESTS:
        values = columns[field.name]
        missing = np.isnan(values) if field.nullable else None
        arrays.append(column_of(values.tolist() if field.type == pa.string() else values, field.type, missing))
    return pa.Table.from_arrays(arrays, schema=REQUESTS)
