"""Plans find what kernels read: the same integers where arithmetic wraps, and BindError where a region would wrap."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autosched.codegen.host import function, host
from autosched.errors import BindError
from autosched.lang import Expr, Func, Input, Param, Pipeline, Var, i32, i64, interpret, maximum, minimum, select
from autosched.lower import algebra, ir
from autosched.lower.translate import Translator
from autosched.runtime import Kernel
from autosched.schedule import Schedule

X, N, M = Var("x"), Param("n", i64), Param("m", i64)
LARGEST = (1 << 63) - 1


def read(index: Expr, count: int, **params: int) -> int:
    """The element of 0, 1, ... that a kernel reads at `index`, which is the one that the interpreter reads."""
    f = Func("f")
    f[X] = Input("a", i32, 1)[index]
    pipeline, a = Pipeline(f, "f"), np.arange(count, dtype=np.int32)
    found = Kernel(pipeline)(shape=(2,), a=a, **params)
    assert np.array_equal(found, interpret(pipeline, (2,), {"a": a}, params))
    return int(found[0])


def test_a_remainder_of_what_wraps() -> None:
    factors = {"n": 8590025770, "m": 1 << 31}
    with pytest.raises(BindError, match=r"^f reads a at 649316\.\.649316"):
        read(N * M % 1000003, 10, **factors)
    assert read(N * M % 1000003, 700_000, **factors) == 649316


def test_amounts_of_shifts() -> None:
    index = select((N >> M) > 0, 5, 0)
    with pytest.raises(BindError, match=r"^f reads a at 5\.\.5"):
        read(index, 2, n=3, m=64)
    assert read(index, 6, n=3, m=64) == 5
    assert read(select((N << M) < 0, 1, 0), 2, n=1, m=-1) == 1


@pytest.mark.parametrize("index", [N + X, minimum(N + X, 5), maximum(-(-5 - N) + X, 0), minimum(N * 2, 5)])
def test_a_region_that_wraps(index: Expr) -> None:
    """The kernel would wrap for some `x` only, and not read between what the first and the last read."""
    with pytest.raises(BindError, match=r"^a coordinate is -?\d+, where a kernel would wrap around; clamp it"):
        read(index, 10, n=LARGEST)


def test_a_region_inside_of_loops_that_wraps() -> None:
    f, g = Func("f"), Func("g")
    g[X] = X * 3
    f[X] = g[minimum(N + X, 5)]
    kernel = Kernel(Pipeline(f), Schedule().split("f", "x", "xo", "xi", 8).compute_at("g", "f", "xo"))
    assert kernel(shape=(16,), n=-4).tolist() == [3 * min(x - 4, 5) for x in range(16)]
    with pytest.raises(BindError, match="where a kernel would wrap around"):
        kernel(shape=(16,), n=LARGEST - 3)


def test_what_cannot_wrap_is_printed_as_it_is() -> None:
    x, n, p = ir.Name("x"), ir.Name("n"), ir.Name("p", data=True)
    assert host(algebra.add(algebra.mul(x, n), algebra.const(-3))) == "((x * n) - 3)"
    assert host(ir.Binary("shr", algebra.add(x, n), algebra.const(3))) == "((x + n) >> 3)"
    assert host(algebra.add(p, x, n, algebra.const(-1))) == "_coordinate(((p + x) + n) - 1)"
    assert host(ir.Binary("mod", algebra.add(p, x), n)) == "(_wrapped(p + x) % n if n else 0)"


@st.composite
def scalars(draw: st.DrawFn, depth: int = 3) -> Expr:
    """Arithmetic of Params."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([N, M, N + 0, M + 0]))
    a, b = draw(scalars(depth - 1)), draw(scalars(depth - 1))
    c = draw(st.sampled_from([-(1 << 62), -3, -1, 0, 1, 5, 64, 1000, 1 << 40]))
    made: list[Expr] = [
        a + b, a - b, a * b, a // b, a % b, a << b, a >> b, a & b, a | b, a ^ b, minimum(a, b), maximum(a, b), -a,
        select(a < b, a, b), select(a == b, b, a), select(a <= b, b, a),
        a + c, a * c, a // c, a % c, a << c, a >> c, a & c,
    ]  # fmt: skip
    return draw(st.sampled_from(made))


def exactly(e: ir.Expr, params: dict[str, int]) -> tuple[int, bool]:
    """The value of a scalar in a kernel, and whether it wraps: whether an operation gives what is no i64."""
    match e:
        case ir.Const():
            return int(e.value), False
        case ir.Name():
            return params[e.name], False
        case ir.Select():
            condition, first = exactly(e.condition, params)
            value, then = exactly(e.a if condition else e.b, params)
            return value, first or then
        case ir.Unary(op="neg"):
            a, wraps = exactly(e.a, params)
            value = -a
        case ir.Binary():
            (a, one), (b, other) = exactly(e.a, params), exactly(e.b, params)
            value, wraps = OPERATIONS[e.op](a, b), one or other
        case _:
            raise AssertionError(e)
    kept = (value + LARGEST + 1) % (1 << 64) - LARGEST - 1
    return kept, wraps or kept != value


#: Operations of a kernel, before the result is made an i64.
OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "and": operator.and_, "or": operator.or_,
    "xor": operator.xor, "min": min, "max": max, "eq": operator.eq, "ne": operator.ne, "lt": operator.lt,
    "le": operator.le, "floordiv": lambda a, b: a // b if b else 0, "mod": lambda a, b: a % b if b else 0,
    "shl": lambda a, b: a << (b & 63), "shr": lambda a, b: a >> (b & 63),
}  # fmt: skip


VALUES = st.one_of(st.integers(-(1 << 63), LARGEST), st.integers(-70, 70), st.sampled_from([-(1 << 63), LARGEST]))


@given(scalars(), VALUES, VALUES)
@example(N // M % 5, -(1 << 63), -1)
@settings(max_examples=400, deadline=None)
def test_plans_compute_as_the_interpreter_does(scalar: Expr, n: int, m: int) -> None:
    f = Func("f")
    f[X] = scalar + 0 * X
    params = {"n": n, "m": m}
    meant = int(interpret(Pipeline(f), (1,), {}, {k: v for k, v in params.items() if k in Pipeline(f).params})[0])
    coordinate = Translator(frozenset(), {}).scalar(scalar)
    value, wraps = exactly(coordinate, params)
    assert value == meant
    assert plan_of(host(coordinate, modular=True))(n, m) == meant
    if wraps:
        with contextlib.suppress(BindError):  # a dividend, bits, and what is compared may wrap
            assert plan_of(host(coordinate))(n, m) == meant
    else:
        assert plan_of(host(coordinate))(n, m) == meant


def plan_of(text: str) -> Any:
    return function(f"def plan(n, m):\n    return {text}", "plan", "f")
