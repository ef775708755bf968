"""A State, handed from one compiled function to the next by one address.

Numba takes a tuple of 50 arrays apart at every function and every call of one: 400 arguments, a third of what there was
to compile. Behind an address the few numbers of an array are read where it is used. They never change while a State
lives, which the compiler is told, so that it need not read them again.

Stages of a step (`simulator.fluid.stages`) are compiled, and kept on disk, each by itself: they call one another by the
addresses that stand in `State.stages`. Else each would be optimised again with all that calls it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numba import config, float64, int64, typeof, types
from numba.core import cgutils
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, models, register_model
from numba.np.arrayobj import make_array, populate_array
from numpy.typing import NDArray

from simulator.fluid.layout import State, empty_state
from simulator.kernel.inline import inlined

_WHOLE = typeof(empty_state())
STAGE = int64(int64, float64, float64)
"""What a stage takes, the address of a State and two numbers, and gives."""


def words_of(state: State) -> NDArray[np.int64]:
    """Of each array its address, shape and strides, to be kept as long as compiled code has the address of them."""
    words: list[int] = []
    for array, kind in zip(_arrays(state), _KINDS, strict=True):
        assert (array.dtype, array.ndim, array.flags.c_contiguous) == kind, f"an array must be {kind}"
        words += (array.ctypes.data, *array.shape, *array.strides)
    return np.array(words, np.int64)


def _arrays(whole: tuple[Any, ...]) -> Iterator[NDArray[Any]]:
    for each in whole:
        if isinstance(each, tuple):
            yield from _arrays(each)
        else:
            yield each


_KINDS = [(array.dtype, array.ndim, True) for array in _arrays(empty_state())]


def _size(kind: types.Type) -> int:
    return 1 + 2 * kind.ndim if isinstance(kind, types.Array) else sum(_size(part) for part in kind)


class _Handed(types.Type):
    """A State behind an address."""

    def __init__(self) -> None:
        super().__init__("HandedState")  # it is in every function's name: that of the tuple has 10,000 letters


_HANDED = _Handed()
register_model(_Handed)(models.OpaqueModel)


@infer_getattr
class _Attributes(AttributeTemplate):
    key = _Handed

    def generic_resolve(self, _: _Handed, name: str) -> types.Type | None:
        return _WHOLE[_WHOLE.fields.index(name)] if name in _WHOLE.fields else None


@lower_getattr_generic(_Handed)
def _read(context: Any, builder: Any, _: _Handed, address: Any, name: str) -> Any:
    place = _WHOLE.fields.index(name)
    table = builder.bitcast(address, context.get_value_type(types.intp).as_pointer())
    return _read_part(context, builder, _WHOLE[place], table, sum(map(_size, list(_WHOLE)[:place])))


def _read_part(context: Any, builder: Any, kind: types.Type, table: Any, first: int) -> Any:
    """An array, or a tuple of some, whose words begin at `first`."""
    if not isinstance(kind, types.Array):
        parts = []
        for part in kind:
            parts.append(_read_part(context, builder, part, table, first))
            first += _size(part)
        return context.make_tuple(builder, kind, parts)
    words = [_read_word(context, builder, table, first + place) for place in range(_size(kind))]
    item = context.get_data_type(kind.dtype)
    array = make_array(kind)(context, builder)
    populate_array(
        array,
        data=builder.inttoptr(words[0], item.as_pointer()),
        shape=words[1 : 1 + kind.ndim],
        strides=words[1 + kind.ndim :],
        itemsize=context.get_abi_sizeof(item),
        meminfo=None,
    )
    return array._getvalue()  # noqa: SLF001  # as numba itself does


def _read_word(context: Any, builder: Any, table: Any, place: int) -> Any:
    word = builder.load(builder.gep(table, [context.get_value_type(types.intp)(place)], inbounds=True))
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    return word


@intrinsic
def _at(_: Any, address: types.Type) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, _: Any, arguments: list[Any]) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(_HANDED))

    return _HANDED(address), generate


@intrinsic
def _call(_: Any, stage: types.Type, s: types.Type, a: types.Type, b: types.Type) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, _: Any, arguments: list[Any]) -> Any:
        kind = context.call_conv.get_function_type(STAGE.return_type, STAGE.args)
        callee = builder.inttoptr(arguments[0], kind.as_pointer())
        address = builder.ptrtoint(arguments[1], context.get_value_type(types.intp))
        status, result = context.call_conv.call_function(
            builder, callee, STAGE.return_type, STAGE.args, [address, *arguments[2:]]
        )
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return result

    return int64(stage, s, a, b), generate


@inlined
def at(address: int) -> Any:
    """The State at an address."""
    return _at(address)


@inlined
def call(s: State, stage: int, a: float, b: float) -> int:
    """Call a stage by its place in `State.stages`."""
    return int(_call(s.stages[stage], s, float(a), float(b)))


INTERPRETED: dict[int, Callable[[State, float, float], int]] = {}
"""The stages where nothing is compiled: they are handed the State itself."""
if config.DISABLE_JIT:

    def at(address: Any) -> Any:
        """A State is its own address."""
        return address

    def call(s: State, stage: int, a: float, b: float) -> int:
        """Call a stage by its place."""
        return INTERPRETED[stage](s, a, b)
