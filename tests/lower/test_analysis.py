"""Interval analysis and algebra against brute force, and the verifier against planted faults."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import assert_equals_interpreter

from autosched.errors import CompileError
from autosched.lang import (
    TYPES,
    Func,
    Input,
    Pipeline,
    RDom,
    Var,
    b1,
    clamp,
    f32,
    f64,
    i32,
    i64,
    sum_over,
    u8,
    u32,
)
from autosched.lower import algebra, ir
from autosched.lower.bounds import Bounds
from autosched.lower.ir import (
    Access,
    Assign,
    Binary,
    Broadcast,
    Cast,
    Const,
    Expr,
    For,
    FromFirstOfFour,
    Group,
    If,
    Iota,
    Let,
    Load,
    Name,
    Put,
    Reinterpret,
    Require,
    Reserve,
    Select,
    Store,
    Unary,
)
from autosched.lower.lower import lower
from autosched.lower.verify import verify
from autosched.schedule import Schedule

TABLE = np.array([0, 0, 1, 3, 4, 4, 7, 9, 12], np.int32)
LOOSE = np.array([3, 0, 5, 1, 2], np.int32)
BOUNDS = Bounds(
    {"rising": Input("rising", i32, 1, monotone=True), "loose": Input("loose", i32, 1)}, {"loose": (Const(0), Const(5))}
)


def evaluate(e: Expr, env: Mapping[str, int]) -> int:
    """`e` in Python."""
    match e:
        case Const(value=value):
            return int(value)
        case Name(name=name):
            return env[name]
        case Access(source=source, index=index):
            table = TABLE if source == "rising" else LOOSE
            return int(table[evaluate(index[0], env)])
        case Cast(to=to, a=a, saturating=saturating):
            value = evaluate(a, env)
            if saturating:
                return min(max(value, int(to.min)), int(to.max))
            return (value - int(to.min)) % (1 << to.bits) + int(to.min)
        case Select(condition=c, a=a, b=b):
            return evaluate(a if evaluate(c, env) else b, env)
        case Unary(op="neg", a=a):
            return -evaluate(a, env)
        case Binary(op=op, a=a, b=b):
            x, y = evaluate(a, env), evaluate(b, env)
            match op:
                case "add":
                    return x + y
                case "sub":
                    return x - y
                case "mul":
                    return x * y
                case "min":
                    return min(x, y)
                case "max":
                    return max(x, y)
                case "floordiv":
                    return x // y if y else 0
                case "mod":
                    return x % y if y else 0
                case "and":
                    return x & y
                case "shl":
                    return x << (y & 63)
                case "shr":
                    return x >> (y & 63)
                case "lt":
                    return int(x < y)
    raise AssertionError(e)


NAMES = ("f.x", "f.y", "f:n0")


def build(raw: bool) -> st.SearchStrategy[Expr]:
    """Coordinates, as they come from the language: simplified by algebra, or `raw`."""

    def make(op: str, a: Expr, b: Expr) -> Expr:
        return Binary(op, a, b) if raw else algebra.make(op, a, b)

    def grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        small = st.integers(-4, 9).map(Const)
        table = st.builds(
            lambda name, i: Cast(
                i64, Access(name, (make("min", make("max", i, Const(0)), Const(4 if name == "loose" else 8)),), i32)
            ),
            st.sampled_from(("rising", "loose")),
            inner,
        )
        return st.one_of(
            st.builds(make, st.sampled_from(("add", "sub", "min", "max")), inner, inner),
            st.builds(make, st.just("mul"), inner, small),
            st.builds(make, st.sampled_from(("floordiv", "mod")), inner, small),
            st.builds(make, st.sampled_from(("shl", "shr")), inner, st.integers(0, 3).map(Const)),
            st.builds(make, st.just("and"), inner, st.integers(0, 9).map(Const)),
            st.builds(lambda a: Unary("neg", a), inner),
            st.builds(lambda c, d, a, b: Select(Binary("lt", c, d), a, b), inner, inner, inner, inner),
            st.builds(lambda a, to: Cast(i64, Cast(to, a, saturating=True)), inner, st.sampled_from((u8, i32))),
            table,
        )

    return st.recursive(st.sampled_from([Name(n) for n in NAMES]) | st.integers(-5, 9).map(Const), grow, max_leaves=6)


@settings(max_examples=400, deadline=None)
@given(build(raw=False), st.data())
def test_intervals_hold_every_value(e: Expr, data: st.DataObject) -> None:
    ranges, boxes = {}, {}
    for name in NAMES[:2]:
        lo = data.draw(st.integers(-3, 6))
        boxes[name] = range(lo, lo + data.draw(st.integers(1, 5)))
        ranges[name] = (Const(lo), Const(boxes[name][-1]))
    n = data.draw(st.integers(0, 20))
    try:
        lo_e, hi_e = BOUNDS.interval(e, ranges)
    except CompileError:
        return
    assert not (ir.names(lo_e) | ir.names(hi_e)) & ranges.keys()
    least, most = evaluate(lo_e, {"f:n0": n}), evaluate(hi_e, {"f:n0": n})
    for x, y in product(*boxes.values()):
        assert least <= evaluate(e, {"f.x": x, "f.y": y, "f:n0": n}) <= most


@settings(max_examples=200, deadline=None)
@given(build(raw=False), st.data())
def test_a_narrower_range_is_never_wider(e: Expr, data: st.DataObject) -> None:
    wide, narrow = {}, {}
    for name in NAMES:
        lo, n = data.draw(st.integers(-3, 6)), data.draw(st.integers(1, 6))
        wide[name] = (Const(lo), Const(lo + n - 1))
        first = data.draw(st.integers(lo, lo + n - 1))
        narrow[name] = (Const(first), Const(data.draw(st.integers(first, lo + n - 1))))
    try:
        outer = [evaluate(v, {}) for v in BOUNDS.interval(e, wide)]
    except CompileError:
        return
    inner = [evaluate(v, {}) for v in BOUNDS.interval(e, narrow)]
    assert outer[0] <= inner[0]
    assert inner[1] <= outer[1]


@settings(max_examples=400, deadline=None)
@given(build(raw=True), st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 20))
def test_algebra_keeps_values(e: Expr, x: int, y: int, n: int) -> None:
    def simplified(node: Expr) -> Expr:
        if isinstance(node, Binary) and node.elem == i64:
            return algebra.make(node.op, simplified(node.a), simplified(node.b))
        return node.rebuilt(tuple(simplified(c) for c in node.children))

    env = {"f.x": x, "f.y": y, "f:n0": n}
    assert evaluate(simplified(e), env) == evaluate(e, env)


@settings(max_examples=200, deadline=None)
@given(build(raw=False), build(raw=False), st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 20))
def test_substitution_keeps_values(e: Expr, to: Expr, x: int, y: int, n: int) -> None:
    env = {"f.x": x, "f.y": y, "f:n0": n}
    expected = evaluate(e, {**env, "f.x": evaluate(to, env)})
    assert evaluate(algebra.substitute(e, {"f.x": to}), env) == expected


def test_equal_sums_look_equal() -> None:
    x, y, two = Name("f.x"), Name("f.y"), Const(2)
    assert algebra.add(x, y, Const(3)) == algebra.add(Const(1), x, algebra.add(y, two))
    assert algebra.sub(algebra.mul(x, two), x) == x
    assert algebra.difference(algebra.add(x, two), x) == 2
    assert algebra.difference(x, y) is None
    assert algebra.add(algebra.mul(algebra.floordiv(x, two), two), algebra.mod(x, two)) == x
    assert algebra.minimum(algebra.add(x, two), x) == x
    assert algebra.minimum(algebra.minimum(x, Const(5)), Const(3)) == algebra.minimum(x, Const(3))
    assert algebra.floordiv(algebra.add(algebra.mul(x, Const(4)), Const(6)), two) == algebra.add(
        algebra.mul(x, two), Const(3)
    )


def test_what_is_monotone() -> None:
    x, y = Name("f.x"), Name("f.y")
    rising = Cast(i64, Access("rising", (x,), i32))
    for e in (x, y, algebra.add(x, y), algebra.mul(x, Const(3)), algebra.floordiv(x, Const(2)), rising):
        assert BOUNDS.nondecreasing(e, "f.x"), e
    loose = Cast(i64, Access("loose", (x,), i32))
    for e in (algebra.sub(y, x), algebra.mul(x, Const(-1)), algebra.mod(x, Const(2)), loose, Binary("mul", x, y)):
        assert not BOUNDS.nondecreasing(e, "f.x"), e


def test_what_may_be_evaluated_ahead() -> None:
    """What has been read for a window moves its bounds as it is; what has no bounds of its own has none."""
    x, read = Name("f.x"), Cast(i64, Load("table", Name("table"), i32))
    ranges = {"f.x": (Const(0), Const(9))}
    assert BOUNDS.interval(algebra.add(read, x), ranges) == (read, algebra.add(read, Const(9)))
    with pytest.raises(CompileError, match="cannot bound"):
        BOUNDS.interval(ir.ReduceLanes("add", Broadcast(x, 4)), {})


# the verifier

A = frozenset({"a", "n"})
ADDRESS, VECTOR = Name("a"), Load("a", Name("a"), f32, 8, "dense")


@pytest.mark.parametrize(
    ("body", "vectorized", "message"),
    [
        ((Let("x", Name("y")),), False, "y is used before it is bound"),
        ((For("i", Const(0), Const(4), ()), Let("x", Name("i"))), False, "i is used before it is bound"),
        (
            (If(Binary("lt", Name("n"), Const(3)), (Let("x", Const(1)),)), Let("y", Name("x"))),
            False,
            "x is used before",
        ),
        ((Let("x", Binary("add", Const(1), Const(1.0, f32))),), False, "add of i64x1 and f32x1"),
        ((Let("x", Select(Const(1), Const(1), Const(2))),), False, "select of i64x1, i64x1, i64x1"),
        ((Let("x", Select(Const(True, b1), Const(1), Const(2, u8))),), False, "select of b1x1, i64x1, u8x1"),
        ((Let("x", Reinterpret(i32, Const(1, u32))),), False, "the bits of u32 as i32"),
        ((Let("x", Reinterpret(i32, Const(1.0, f64))),), False, "the bits of f64 as i32"),
        ((Let("x", Load("a", ADDRESS, f32)),), False, "a Load before vectorization"),
        ((Let("x", Broadcast(Const(0), 4)),), False, "4 lanes before vectorization"),
        ((Let("x", Group((Cast(i32, Const(1)), Cast(i32, Const(2))))),), True, "a group of i32x1, i32x1"),
        ((Let("x", Group((Const(1, u8), Const(2, i32)))),), True, "a group of u8x1, i32x1"),
        ((Store("a", ADDRESS, Const(1.0, f32)),), False, "a Store before vectorization"),
        ((Let("x", Access("a", (Const(0),), f32)),), True, "an Access of a is left after vectorization"),
        ((Put("a", (Const(0),), Const(1.0, f32)),), True, "Put is left after vectorization"),
        ((For("i", Const(0), Const(4), (), "vectorized", 4),), True, "For is left after vectorization"),
        ((For("i", Const(0), Const(4, u8), ()),), False, "the extent of a loop is u8 with 1 lanes"),
        ((For("i", Const(0), Const(4), (), step=0),), False, "loop i has step 0"),
        ((If(Name("n"), ()),), False, "a condition is i64 with 1 lanes"),
        ((Require(Const(1), 1),), False, "a condition is i64"),
        ((Reserve("b", Const(1, u8)),), False, "the size of a buffer is u8"),
        ((Store("b", ADDRESS, Const(1.0, f32)),), True, "b is written before it is reserved"),
        ((Store("a", Broadcast(ADDRESS, 4), Const(1.0, f32)),), True, "an address is i64 with 4 lanes"),
        ((Let("x", VECTOR), Let("y", Name("x", f32, 4))), True, "x has 8 lanes and is read with 4"),
        ((Assign("x", VECTOR), Assign("x", Const(1.0, f32))), True, "x has 8 lanes and is given 1"),
        ((Let("x", Binary("add", VECTOR, Const(1.0, f32))),), True, "add of f32x8 and f32x1"),
        ((Let("x", Broadcast(VECTOR, 8)),), True, "a broadcast of 8 lanes"),
        ((Let("x", FromFirstOfFour(Iota(6, i32))),), True, "lanes among four, of i32x6"),
        ((Let("x", FromFirstOfFour(VECTOR)),), True, "lanes among four, of f32x8"),
        ((Let("x", Load("a", ADDRESS, f32, 8, "pick", Broadcast(Const(0), 4))),), True, "4 offsets for 8 lanes"),
        ((Put("a", (Const(0, u8),), Const(1.0, f32)),), False, "an index of a is u8"),
    ],
)
def test_the_verifier_catches(body: ir.Block, vectorized: bool, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        verify(body, A, vectorized=vectorized)


def test_the_verifier_accepts_what_is_right() -> None:
    body = (
        Let("x", VECTOR),
        For("i", Const(0), Name("n"), (Store("a", algebra.add(ADDRESS, Name("i")), Name("x", f32, 8)),)),
    )
    verify(body, A, vectorized=True)
    assert all(t.dtype.itemsize == t.bytes for t in TYPES.values())


@pytest.mark.parametrize("name", ["a:stride0", "f.x.low", "b"])
def test_the_verifier_knows_what_a_call_has(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pass misspells is no argument of a stage."""
    f, x = Func("f"), Var("x")
    f[x] = Input("a", f32, 1)[x]
    monkeypatch.setenv("AUTOSCHED_VERIFY", "1")
    lower(Pipeline(f), Schedule())
    lowering = import_module("autosched.lower.lower")
    monkeypatch.setattr(lowering, "prefetch_stores", lambda body, ahead: (*body, Let("y", Name(name))))
    with pytest.raises(CompileError, match=f"{name} is used before it is bound"):
        lower(Pipeline(f), Schedule())


def test_two_reductions_in_an_index_are_two_values() -> None:
    """Their difference is not 0 where it is found what is read."""
    x = Var("x")
    a, b, r = Input("a", i64, 1), Input("b", i64, 1), RDom(k=3)
    read, out = Func("read"), Func("out")
    read[x] = x * 7 + 1
    out[x] = read[clamp(sum_over(r, a[x + r.k]) - sum_over(r, b[x + r.k]), 0, 9)]
    given_ = {"a": np.arange(8), "b": np.arange(8) // 3}
    assert_equals_interpreter(out, (6,), Schedule().compute_root("read"), **given_)
