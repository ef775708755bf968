"""Columns of a record between Python and Arrow.

Made from and read as plain buffers: pyarrow's own conversions (`pa.array`, `to_numpy`) import pandas, which takes
longer than a small simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["column_of", "histograms_of", "numbers", "present", "truths"]

_NUMBERS: dict[pa.DataType, np.dtype[Any]] = {
    pa.int32(): np.dtype(np.int32),
    pa.int64(): np.dtype(np.int64),
    pa.float64(): np.dtype(np.float64),
    pa.bool_(): np.dtype(np.bool_),
}
_LISTS = {pa.list_(kind): kind for kind in (pa.string(), pa.int64(), pa.float64())}
_FILLERS: dict[pa.DataType, Any] = {
    pa.int64(): 0,
    pa.float64(): 0.0,
    pa.bool_(): False,
    pa.string(): "",
    **dict.fromkeys(_LISTS, ()),
}
"""What stands at a null."""


def column_of(
    values: Sequence[Any] | NDArray[Any], kind: pa.DataType, missing: NDArray[np.bool_] | None = None
) -> pa.Array:
    """An Arrow array of numbers, truths, texts or tuples of them; null where `missing`, or where a value is None.

    Raises TypeError or ValueError for a value that the kind does not hold exactly.
    """
    if missing is None and not isinstance(values, np.ndarray):
        missing = np.fromiter((value is None for value in values), np.bool_, len(values))
    validity, nulls = None, 0
    if missing is not None and missing.any():
        validity, nulls = _bits(~missing), int(missing.sum())
        if not isinstance(values, np.ndarray):
            values = [_FILLERS[kind] if value is None else value for value in values]
    if kind == pa.string():
        return pa.Array.from_buffers(kind, len(values), [validity, *_texts(values)], null_count=nulls)
    if kind in _LISTS:
        items = column_of([item for value in values for item in value], _LISTS[kind])
        buffers = [validity, _offsets([len(value) for value in values])]
        return pa.Array.from_buffers(kind, len(values), buffers, null_count=nulls, children=[items])
    data = _exactly(np.asarray(values), _NUMBERS[kind])
    buffer = _bits(data) if kind == pa.bool_() else _bytes(data)
    return pa.Array.from_buffers(kind, len(values), [validity, buffer], null_count=nulls)


def histograms_of(table: NDArray[np.integer]) -> pa.Array:
    """One list<int32> a row of an integer table [rows, bins]."""
    rows, bins = table.shape
    values = pa.Array.from_buffers(pa.int32(), table.size, [None, _bytes(table.astype(np.int32, copy=False))])
    return pa.Array.from_buffers(pa.list_(pa.int32()), rows, [None, _offsets([bins] * rows)], children=[values])


def numbers(array: pa.Array) -> NDArray[Any]:
    """The values of an int or float array; those at nulls are arbitrary. Shares its memory, so is read-only."""
    data = np.frombuffer(array.buffers()[1] or b"", _NUMBERS[array.type])
    return data[array.offset : array.offset + len(array)]


def present(array: pa.Array) -> NDArray[np.bool_]:
    """Where the array is not null."""
    return _truths(array.buffers()[0], array)


def truths(array: pa.Array) -> NDArray[np.bool_]:
    """The values of a bool array; those at nulls are arbitrary."""
    return _truths(array.buffers()[1], array)


def _bytes(data: NDArray[Any]) -> pa.Buffer:
    """The array's memory, row by row."""
    return pa.py_buffer(np.ascontiguousarray(data))


def _truths(bits: pa.Buffer | None, array: pa.Array) -> NDArray[np.bool_]:
    if bits is None:
        return np.ones(len(array), np.bool_)
    unpacked = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
    return unpacked[array.offset : array.offset + len(array)].astype(np.bool_)


def _bits(flags: NDArray[np.bool_]) -> pa.Buffer:
    return _bytes(np.packbits(flags, bitorder="little"))


def _offsets(lengths: Sequence[int]) -> pa.Buffer:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return _bytes(offsets)


def _texts(values: Sequence[Any] | NDArray[Any]) -> tuple[pa.Buffer, pa.Buffer]:
    """Offsets and UTF-8."""
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    for value in listed:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is not text")
    encoded = [value.encode() for value in listed]
    return _offsets([len(each) for each in encoded]), pa.py_buffer(b"".join(encoded))


def _exactly(data: NDArray[Any], wanted: np.dtype[Any]) -> NDArray[Any]:
    """The same values as `wanted`."""
    if data.dtype == wanted or len(data) == 0:
        return data.astype(wanted, copy=False)
    if not np.can_cast(data.dtype, wanted, "same_kind"):
        raise TypeError(f"{data[0]!r} is not {wanted}")
    cast = data.astype(wanted)
    if not np.array_equal(cast, data):
        raise ValueError(f"a value is out of the range of {wanted}")
    return cast
