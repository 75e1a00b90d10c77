"""How an operation is defined: by a function from argument types to a lowering.

A family of operations has one resolver. Each operation of the family becomes a Numba intrinsic
(`build`), or the implementation of a Python operator (`define_operator`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaTypeError
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin

from autosched.codegen.simd.types import ValueType

Emit = Callable[..., "ir.Value | None"]


@dataclass(frozen=True)
class Lowering:
    """One operation on known types: `emit(builder, *values)` appends its LLVM instructions."""

    result: types.Type
    arguments: tuple[types.Type, ...]
    emit: Emit

    @property
    def signature(self) -> Any:
        """Numba's signature object."""
        return signature(self.result, *self.arguments)


Resolver = Callable[..., Lowering]


@dataclass(frozen=True)
class Family:
    """Operations that share a definition.

    A typed family's operations are called `<name>_<value type>`, and the resolver gets that value
    type before the argument types; other families have one operation, called `name`.
    """

    name: str
    typed: bool
    resolve: Resolver

    @property
    def arity(self) -> int:
        return len(inspect.signature(self.resolve).parameters) - self.typed


FAMILIES: dict[str, Family] = {}


def family(name: str, *, typed: bool) -> Callable[[Resolver], Resolver]:
    """Register the decorated resolver as the family called `name`."""

    def register(resolve: Resolver) -> Resolver:
        if name in FAMILIES:
            raise ValueError(f"operation {name} is defined twice")
        FAMILIES[name] = Family(name, typed, resolve)
        return resolve

    return register


def build(chosen: Family, value: ValueType | None) -> Any:
    """The Numba intrinsic for `chosen`, of value type `value` if the family is typed."""
    name = chosen.name if value is None else f"{chosen.name}_{value.name}"
    given = () if value is None else (value,)

    def typing(*arguments: types.Type) -> tuple[Any, Any]:
        lowering = chosen.resolve(*given, *arguments)

        def codegen(context: Any, builder: ir.IRBuilder, sig: Any, values: Any) -> Any:
            result = lowering.emit(builder, *values)
            return context.get_dummy_value() if result is None else result

        return lowering.signature, codegen

    definition = _WITH_ARITY[chosen.arity](typing)
    definition.__name__ = definition.__qualname__ = name
    definition.__doc__ = chosen.resolve.__doc__
    return intrinsic(definition)


# Numba reads the arity off the signature, so there is one plain function for each.
_WITH_ARITY: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    lambda typing: lambda typingctx: typing(),
    lambda typing: lambda typingctx, a: typing(a),
    lambda typing: lambda typingctx, a, b: typing(a, b),
    lambda typing: lambda typingctx, a, b, c: typing(a, b, c),
    lambda typing: lambda typingctx, a, b, c, d: typing(a, b, c, d),
    lambda typing: lambda typingctx, a, b, c, d, e: typing(a, b, c, d, e),
)


def define_operator(operator: Any, symbol: str, resolve: Callable[[ValueType], Lowering]) -> None:
    """Give `operator` a meaning on operands of one value type."""
    cached = lru_cache(maxsize=None)(resolve)

    class Template(AbstractTemplate):
        key = operator

        def generic(self, args: Any, kws: Any) -> Any:
            if not any(isinstance(arg, ValueType) for arg in args):
                return None
            if any(arg != args[0] for arg in args):
                raise NumbaTypeError(
                    f"{symbol} needs operands of one value type, "
                    f"not {' and '.join(map(str, args))}; convert one with cast_T"
                )
            return cached(args[0]).signature

    def implementation(context: Any, builder: ir.IRBuilder, sig: Any, values: Any) -> Any:
        return cached(sig.args[0]).emit(builder, *values)

    infer_global(operator)(Template)
    for arity in (1, 2):
        lower_builtin(operator, *[ValueType] * arity)(implementation)


def value_argument(operation: str, which: str, given: types.Type) -> ValueType:
    """`given` if it is a value type; otherwise an error that names the argument."""
    if not isinstance(given, ValueType):
        raise NumbaTypeError(f"{operation}: {which} must be a simd value, not {given}")
    return given


def same_argument(operation: str, which: str, given: types.Type, expected: ValueType) -> ValueType:
    """`given` if it is `expected`; otherwise an error that names the argument."""
    if given != expected:
        raise NumbaTypeError(f"{operation}: {which} must be {expected}, not {given}")
    return expected


def integer_argument(operation: str, which: str, given: types.Type) -> types.Type:
    """int64 if `given` is one of Numba's integers; otherwise an error that names the argument."""
    if not isinstance(given, types.Integer):
        raise NumbaTypeError(f"{operation}: {which} must be a plain Numba integer, not {given}")
    return types.int64


def literal_argument(operation: str, which: str, given: types.Type) -> int:
    """The value of `given` if it is an integer written in the source; otherwise an error that names the argument."""
    if not isinstance(given, types.IntegerLiteral):
        raise NumbaTypeError(f"{operation}: {which} must be an integer that is written in the source, not {given}")
    return int(given.literal_value)
