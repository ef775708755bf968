"""Columns made and read without pyarrow's conversions are those that pyarrow itself would make and read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evidence.columns import column_of, histograms_of, numbers, present, truths

TEXTS = pa.list_(pa.string())


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([3, -1, 2**40], pa.int64()),
        ([3, None, 0], pa.int64()),
        ([0.5, None, float("inf")], pa.float64()),
        ([True, None, False] * 5, pa.bool_()),
        (["", "cafe", "é", "\U0001f40d"], pa.string()),
        (["a", None, "b"], pa.string()),
        ([("a", "bc"), (), ("d",)], TEXTS),
        ([("a",), None, ()], TEXTS),
        ([], pa.int64()),
        ([], pa.string()),
        ([], TEXTS),
        ([(0.5, 2.0), (), (float("inf"),)], pa.list_(pa.float64())),
        (np.arange(5, dtype=np.int32)[::2], pa.int32()),
        (np.arange(5), pa.int32()),
        (np.arange(5), pa.float64()),
        (np.array(["a", "bc"]), pa.string()),
        (np.empty(0, dtype=np.str_), pa.string()),
    ],
)
def test_columns_are_those_of_pyarrow(values: Any, kind: pa.DataType) -> None:
    column = column_of(values, kind)
    column.validate(full=True)
    assert column.equals(pa.array(values, type=kind))


def test_what_is_missing_is_null() -> None:
    values, missing = np.array([1.0, np.nan, 3.0]), np.array([False, True, False])
    assert column_of(values, pa.float64(), missing).equals(pa.array(values, mask=missing))
    assert column_of(values, pa.float64(), missing).null_count == 1


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["x"], pa.int64()),
        ([1.5], pa.int64()),
        (np.array([1.5]), pa.int64()),
        (np.array([2**40]), pa.int32()),
        ([1], pa.bool_()),
        ([1], pa.string()),
        (np.array([1]), pa.string()),
        ([(1,)], TEXTS),
        (["\ud800"], pa.string()),
    ],
)
def test_values_of_another_kind_are_refused(values: Any, kind: pa.DataType) -> None:
    with pytest.raises((TypeError, ValueError)):
        column_of(values, kind)


@pytest.mark.parametrize("shape", [(3, 4), (0, 4), (3, 0)])
def test_a_histogram_is_a_list_a_row(shape: tuple[int, int]) -> None:
    table = np.arange(12, dtype=np.int64)[: shape[0] * shape[1]].reshape(shape)
    column = histograms_of(table)
    column.validate(full=True)
    assert column.equals(pa.array(table.tolist(), type=pa.list_(pa.int32())))


def test_slices_are_read_from_where_they_start() -> None:
    values = [1.0, None, 3.0, 4.0, None, 6.0, 7.0, 8.0, 9.0, 10.0]
    column = pa.array(values)[3:]
    assert present(column).tolist() == [True, False, True, True, True, True, True]
    assert numbers(column)[present(column)].tolist() == [4.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert truths(pa.array([True, False, True, True])[1:]).tolist() == [False, True, True]


def test_empty_columns_are_read_as_none() -> None:
    assert numbers(pa.array([], type=pa.int64())).tolist() == []
    assert present(pa.array([], type=pa.int64())).tolist() == []
    assert truths(pa.array([], type=pa.bool_())).tolist() == []
