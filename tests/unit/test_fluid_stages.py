"""Stages that are compiled each by itself: a State by its address, and calls by theirs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit

from simulator.fluid import stages
from simulator.fluid.handed import STAGE, at, call, words_of
from simulator.fluid.layout import FIND, MEET, PLAY, WAIT, empty_state


def _address(compiled: Any) -> int:
    (only,) = compiled.overloads.values()
    return int(only.library.get_pointer_to_function(only.fndesc.llvm_func_name))


def test_a_stage_reads_and_writes_a_state_behind_its_address_and_calls_another() -> None:
    state = empty_state()._replace(
        luck=np.array([1.5]), weights=np.arange(6.0).reshape(2, 3), stages=np.zeros(6, np.int64)
    )

    @njit(STAGE, _nrt=False)
    def called(address: int, a: float, b: float) -> int:
        s = at(address)
        s.luck[0] += a * s.weights[1, 2] + s.weights[-1, 0] + len(s.weights) * s.weights.shape[1]
        if b < 0.0:
            raise ValueError("b must be >= 0")
        return int(b)

    @njit(STAGE, _nrt=False)
    def calls(address: int, a: float, b: float) -> int:
        return call(at(address), FIND, a, b) + 1

    state.stages[FIND] = _address(called)
    words = words_of(state)
    assert calls(words.ctypes.data, 2.0, 7.0) == 8
    assert state.luck[0] == 1.5 + 2.0 * 5.0 + 3.0 + 6.0
    with pytest.raises(ValueError, match="b must be >= 0"):
        calls(words.ctypes.data, 0.0, -1.0)


def test_arrays_of_other_types_or_strides_than_were_compiled_are_refused() -> None:
    for other in (np.zeros(1, np.float32), np.zeros((1, 1)), np.zeros(4)[::2]):
        with pytest.raises(AssertionError, match="an array must be"):
            words_of(empty_state()._replace(luck=other))


def test_who_plays_nothing_request_by_request_has_no_stages_for_it() -> None:
    addresses, _ = stages._loaded(singly=False)
    assert [addresses[stage] != 0 for stage in (FIND, WAIT, PLAY, MEET)] == [True, True, False, False]


def test_whatever_is_compiled_counts_as_a_source_of_it() -> None:
    folder = Path(str(stages.__file__)).parent
    compiled = [path for path in folder.glob("*.py") if re.search(r"^@(in|out)lined|^@merged", path.read_text(), re.M)]
    assert len(compiled) > 20
    assert {str(path) for path in compiled} <= {module.__file__ for module in stages._SOURCES}
