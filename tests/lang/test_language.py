"""Types, operators and reductions, and every mistake with its Func, its expression and the user's line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosched.errors import BindError, LanguageError
from autosched.lang import (
    TYPES,
    Expr,
    Func,
    Input,
    Param,
    Pipeline,
    RDom,
    Type,
    Var,
    argmax_over,
    argmin_over,
    b1,
    cast,
    ceil,
    clamp,
    f32,
    f64,
    floor,
    fma,
    fold_over,
    i8,
    i16,
    i32,
    i64,
    interpret,
    max_over,
    maximum,
    min_over,
    minimum,
    product_over,
    relayout,
    round_half_even,
    rounding_shift_right,
    saturating_cast,
    select,
    sqrt,
    sum_over,
    trunc,
    u8,
    u16,
    u32,
    u64,
    variables,
)  # fmt: skip

Y, X = variables("y x")
IMAGE, FLOATS, TABLE = Input("image", u8, 2), Input("floats", f32, 1), Input("table", i32, 1)


def line(value: Callable[[], Any]) -> Expr:
    """A Func of y and x with that value."""
    func = Func("f")
    func[Y, X] = value()
    return func[Y, X]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: IMAGE[Y, X] + TABLE[X], r"type clash in `image\[y, x\] \+ table\[x\]`: u8 and i32; cast one side"),
        (lambda: IMAGE[Y, X] + 300, r"300 does not fit u8 \(0\.\.255\); cast the other side to a wider type"),
        (lambda: IMAGE[Y, X] + 1.5, r"1\.5 is not an integer; write cast\(u8"),
        (lambda: IMAGE[Y, X] / 2, r"`image\[y, x\] / 2` divides u8; use // for integers"),
        (lambda: FLOATS[X] // 2, r"`floats\[x\] // 2\.0` needs integers, not f32"),
        (lambda: FLOATS[X] << 1, r"needs integers, not f32"),
        (lambda: FLOATS[X] & 1, r"needs integers or conditions, not f32"),
        (lambda: FLOATS[X] * 1e39, r"1e\+39 does not fit f32"),
        (lambda: FLOATS[X] + True, r"True is not a number of type f32"),
        (lambda: ~FLOATS[X], r"needs an integer or a condition, not f32"),
        (lambda: sqrt(IMAGE[Y, X]), r"`sqrt\(image\[y, x\]\)` needs a float, not u8"),
        (lambda: (X < 3) + (Y < 3), r"has no meaning for conditions; use & \| \^ ~ or select"),
        (lambda: -(X < 3), r"has no meaning for a condition"),
        (lambda: (X < 3) & 1, r"1 is not True or False"),
        (lambda: select(X, 1, 2), r"the condition `x` of select is i64, not a comparison"),
        (lambda: select(X < 3, IMAGE[Y, X], TABLE[X]), r"type clash in `select"),
        (lambda: minimum(IMAGE[Y, X], TABLE[X]), r"type clash in `min\(image"),
        (lambda: rounding_shift_right(TABLE[X], 0), r"rounding_shift_right by 0; the shift must be at least 1"),
        (lambda: IMAGE[X], r"`image\[x\]` has 1 indices, image has 2"),
        (lambda: IMAGE[Y, X, 0], r"has 3 indices, image has 2"),
        (lambda: IMAGE[Y, FLOATS[X]], r"index `floats\[x\]` of image is f32, not an integer"),
        (lambda: IMAGE[Y, X < 2], r"of image is b1, not an integer"),
        (lambda: IMAGE[Y, "x"], r"'x' is not an integer"),
        (lambda: "x", r"'x' of type str cannot be part of an expression"),
        (lambda: np.float16(1) * FLOATS[X], r"has no type of the language"),
        (lambda: Func("g")[X], r"Func g is read before it is defined"),
        (lambda: Var("z") + X, r"Var z in `\(z \+ x\)` is not an argument of f\[x, y\]"),
        (lambda: RDom(k=3).k + X, r"RVar k in .* is used outside a reduction over its RDom"),
        (lambda: fma(FLOATS[X], IMAGE[Y, X], 1.0), r"fma needs three f32, not f32, u8, f32; cast them"),
        (lambda: fma(FLOATS[X], "a", 1.0), r"'a' of type str cannot be part of an expression"),
        (lambda: sum_over(3, X), r"sum takes an RDom first and then the value, not 3"),
        (lambda: sum_over(RDom(k=3), X < 2), r"sum of the condition `\(x < 2\)`; cast it to an integer type first"),
        (lambda: sum_over(RDom(x=3), X), r"two coordinates are called x; name the RVar otherwise"),
        (lambda: sum_over(RDom(k=3), 1) + sum_over(RDom(k=3), 2), r"two coordinates are called k"),
        (lambda: fold_over(3, 0, lambda total: total), r"fold takes an RDom first, then where it starts"),
        (lambda: fold_over(RDom(k=3), X < 2, lambda total: total), r"fold of the condition `\(x < 2\)`; start"),
        (lambda: fold_over(RDom(k=3), 0.0, lambda total: X), r"fold that starts from f32 with an update `x` of i64"),
        (lambda: fold_over(RDom(k=3), RDom(q=2).q, lambda total: total), r"RVar q in .* is used outside a reduction"),
        (lambda: escaped() + 1.0, r"what a fold has come to is used in .* outside its update"),
    ],
)
def test_mistakes(value: Callable[[], Any], message: str) -> None:
    with pytest.raises(LanguageError, match=r"^Func f: .*" + message + r".*\(.*test_language\.py:\d+\)$"):
        line(value)


def escaped() -> Expr:
    """What a fold has come to, taken out of its update."""
    kept: list[Expr] = []

    def update(total: Expr) -> Expr:
        kept.append(total)
        return total

    fold_over(RDom(k=3), 0.0, update)
    return kept[0]


def test_mistakes_name_the_line_that_made_them() -> None:
    func = Func("f")
    clash = IMAGE[Y, X] + TABLE[X]
    made_at = test_mistakes_name_the_line_that_made_them.__code__.co_firstlineno + 2
    with pytest.raises(LanguageError, match=rf"test_language\.py:{made_at}\)"):
        func[Y, X] = (clash * 2 + 1) // 3


def test_a_reduction_inside_one_over_the_same_domain() -> None:
    r = RDom(k=3)
    with pytest.raises(
        LanguageError, match=r"Func f: `sum.*` reduces over its RDom inside a reduction over the same one"
    ):
        line(lambda: sum_over(r, sum_over(r, X) + r.k))


def define(args: Any, value: Any = 1, times: int = 1) -> None:
    func = Func("f")
    for _ in range(times):
        func[args] = value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: define((X, X)), r"Func f: a Var appears twice on the left side"),
        (lambda: define((X, 0)), r"Func f: the left side takes Vars only, as in f\[y, x\]"),
        (lambda: define((X + 1,)), r"the left side takes Vars only"),
        (lambda: define(X, 1, times=2), r"Func f is defined twice: at .*test_language\.py:\d+ and at .*:\d+"),
        (lambda: bool(X < 3), r"`\(x < 3\)` is an expression and has no truth value"),
        (lambda: RDom(), r"an RDom needs at least one coordinate"),
        (lambda: RDom(k=(0, X)), r"for a prefix take all of it and select\(k <= x, \.\.\., 0\)"),
        (lambda: define(X, 1, times=2), r"Funcs have one definition.*sum_over\(r, select\(.*or fold_over"),
        (lambda: define(X, X**0.5), r"`x \*\* 0\.5`: the exponent must be an integer from 1 to 16"),
        (lambda: define(X, X**X), r"the exponent must be an integer from 1 to 16"),
        (lambda: define(X, 2**X), r"`2 \*\* x` has an exponent that is not known"),
        (lambda: define(X, (X, X)), r"one more coordinate c and the value select\(c == 0, first, second\)"),
        (lambda: Pipeline([Func("a"), Func("b")]), r"a Pipeline has one output, not 2: make a Func with one more"),
        (lambda: RDom(k=X), r"RDom k: `x` depends on `x`; use constants, Params and extents"),
        (lambda: RDom(k=Param("p", f32)), r"RDom k: Param p is f32|not an integer"),
        (lambda: RDom(k=2.5), r"2\.5 is not an integer"),
        (lambda: Input("a", u8, 0), r"Input a: ndim is 0; a scalar is a Param"),
        (lambda: Input("a", f32, 1, monotone=True), r"only integer tables can be monotone or bounded, not f32"),
        (lambda: Input("a", i32, 2, monotone=True), r"a monotone table has one dimension, not 2"),
        (lambda: Input("a", i32, 1, bounds=(0, X)), r"Input a: `x` depends on `x`"),
        (lambda: IMAGE.extent(2), r"Input image has dimensions 0\.\.1, not 2"),
        (lambda: Pipeline(Func("f")), r"a Pipeline takes a defined Func"),
        (lambda: Pipeline("f"), r"a Pipeline takes a defined Func, not 'f'"),  # type: ignore[arg-type]
        (lambda: Func("f").bound(X, 3), r"Func f has no coordinate x"),
        (lambda: Func("f").type, r"Func f is used before it is defined"),
    ],
)
def test_other_mistakes(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(LanguageError, match=message):
        make()


def test_names_in_a_pipeline_are_different() -> None:
    def pipeline(a: Any, b: Any) -> Pipeline:
        f = Func("f")
        f[Y, X] = a + b
        return Pipeline(f)

    zero = clamp(X, 0, 0)
    with pytest.raises(LanguageError, match="two Inputs are called image"):
        pipeline(IMAGE[zero, zero], Input("image", u8, 2)[zero, zero])
    with pytest.raises(LanguageError, match="Param p is both i64 and i32"):
        pipeline(Param("p") + X, cast(i64, Param("p", i32)))
    with pytest.raises(LanguageError, match="two of its Funcs, Inputs and Params are called f"):
        pipeline(Param("f"), X)


@pytest.mark.parametrize(
    ("index", "side"),
    [
        (lambda: TABLE[X], "below or above"),
        (lambda: maximum(TABLE[X], 0), "above"),
        (lambda: minimum(TABLE[X], 9), "below"),
        (lambda: cast(i64, FLOATS[X]), "below or above"),
        (lambda: X + TABLE[X], "below or above"),
        (lambda: cast(i32, X) * cast(i32, IMAGE[Y, X]), "below or above"),
    ],
)
def test_reads_that_cannot_be_bounded(index: Callable[[], Expr], side: str) -> None:
    f, g = Func("f"), Func("g")
    f[X] = X
    g[Y, X] = f[index()]
    with pytest.raises(
        LanguageError, match=rf"Func g: index 0 of `f\[.*\]` cannot be bounded {side}; clamp it.*\(.*:\d+\)"
    ):
        Pipeline(g)


@pytest.mark.parametrize(
    "index",
    [
        lambda: clamp(TABLE[X], 0, 9),
        lambda: IMAGE[Y, X],
        lambda: cast(i64, TABLE[X] & 7),
        lambda: cast(i64, cast(u64, TABLE[X]) & 7),
        lambda: TABLE[X] % 5,
        lambda: X // -2 + Y,
        lambda: select(TABLE[X] < 3, X, Y * 2),
        lambda: -X + (cast(i64, IMAGE[Y, X]) << 1),
        lambda: Param("p") + X,
    ],
)
def test_reads_that_can_be_bounded(index: Callable[[], Expr]) -> None:
    f, g = Func("f"), Func("g")
    f[X] = X
    g[Y, X] = f[index()]
    assert Pipeline(g).output is g


# what operators mean: numpy, but // and % by zero give 0, shifts are modulo the width, and casts are defined

INTEGERS = [t for t in TYPES.values() if t.is_int]


def run(value: Expr, shape: tuple[int, ...] = (1,), **inputs: Any) -> np.ndarray[Any, Any]:
    f = Func("f")
    f[X] = value
    return interpret(Pipeline(f), shape, inputs)


@pytest.mark.parametrize("of", INTEGERS, ids=str)
@given(data=st.data())
def test_integer_operators(of: Type, data: st.DataObject) -> None:
    a, b = (data.draw(st.integers(int(of.min), int(of.max))) for _ in range(2))
    width, least = 1 << of.bits, int(of.min)

    def wrap(v: int) -> int:
        return (v - least) % width + least

    u, v = (Input(n, of, 1)[0] for n in "ab")
    shift = b % of.bits
    expected = {
        "add": (u + v, a + b), "sub": (u - v, a - b), "mul": (u * v, a * b), "neg": (-u, -a), "abs": (abs(u), abs(a)),
        "floordiv": (u // v, a // b if b else 0), "mod": (u % v, a % b if b else 0), "and": (u & v, a & b),
        "or": (u | v, a | b), "xor": (u ^ v, a ^ b), "not": (~u, ~a), "shl": (u << v, a << shift),
        "shr": (u >> v, a >> shift), "min": (minimum(u, v), min(a, b)), "max": (maximum(u, v), max(a, b)),
        "rounding": (rounding_shift_right(u, 3), wrap(a + 4) >> 3),
    }  # fmt: skip
    arrays = {"a": np.array([a], of.dtype), "b": np.array([b], of.dtype)}
    for name, (expr, value) in expected.items():
        used = {n: x for n, x in arrays.items() if n == "a" or name not in ("neg", "abs", "not", "rounding")}
        assert run(expr, **used).tolist() == [wrap(value)], name
    comparisons = {
        "lt": (u < v, a < b), "le": (u <= v, a <= b), "eq": (u == v, a == b), "ne": (u != v, a != b),
        "gt": (u > v, a > b), "ge": (u >= v, a >= b),
    }  # fmt: skip
    for name, (expr, truth) in comparisons.items():
        assert run(expr, **arrays).tolist() == [truth], name


@pytest.mark.parametrize("to", INTEGERS, ids=str)
@given(value=st.floats() | st.integers(-(2**63), 2**64 - 1).map(float))
def test_casts_of_floats_truncate_and_saturate(to: Type, value: float) -> None:
    exact = (
        0 if np.isnan(value) else int(to.max) if value == np.inf else int(to.min) if value == -np.inf else int(value)
    )
    expected = [min(max(exact, int(to.min)), int(to.max))]
    assert run(cast(to, Input("a", f64, 1)[0]), a=np.array([value])).tolist() == expected
    assert run(saturating_cast(to, Input("a", f64, 1)[0]), a=np.array([value])).tolist() == expected


@pytest.mark.parametrize("to", INTEGERS, ids=str)
@pytest.mark.parametrize("of", INTEGERS, ids=str)
def test_casts_of_integers(of: Type, to: Type) -> None:
    values = np.array([of.min, of.max, 0, 1, int(of.max) // 2, int(of.min) // 2], of.dtype)
    a = Input("a", of, 1)[clamp(X, 0, 5)]
    assert np.array_equal(run(cast(to, a), (6,), a=values), values.astype(to.dtype))
    expected = [min(max(int(v), int(to.min)), int(to.max)) for v in values]
    assert run(saturating_cast(to, a), (6,), a=values).tolist() == expected


def test_float_operators() -> None:
    values = np.array([1.5, 2.5, -0.5, -0.0, np.nan, np.inf, -2.25], np.float32)
    a = FLOATS[clamp(X, 0, 6)]
    with np.errstate(all="ignore"):
        for made, expected in {
            floor(a): np.floor(values), ceil(a): np.ceil(values), trunc(a): np.trunc(values), sqrt(a): np.sqrt(values),
            round_half_even(a): np.rint(values), a / 0.0: values / np.float32(0), abs(a): np.abs(values), -a: -values,
            cast(b1, a): values != 0,
        }.items():  # fmt: skip
            assert np.array_equal(run(made, (7,), floats=values), expected, equal_nan=expected.dtype.kind == "f")
    # a NaN never is less, so min and max keep their first argument
    nan, one = np.float32(np.nan), np.float32(1)
    assert np.isnan(run(minimum(a * 0 + nan, one), floats=values))
    assert run(minimum(a * 0 + one, nan), floats=values) == 1


def test_reductions() -> None:
    values = np.array([3, 1, 4, 1, 5, 9, 2, 6], np.int32)
    r = RDom(k=(2, 5))
    term = TABLE[r.k]
    results = [sum_over(r, term), product_over(r, term), min_over(r, term), max_over(r, term)]
    results += [argmax_over(r, term)[1], argmin_over(r, term)[1]]
    assert [int(run(v, table=values)[0]) for v in results] == [21, 360, 1, 9, 9, 1]
    assert int(run(argmax_over(r, term)[0], table=values)[0]) == 5
    assert int(run(argmin_over(r, term)[0], table=values)[0]) == 3
    first = argmax_over(RDom(m=2, n=3), TABLE[clamp(X, 0, 0)])
    assert [int(run(v, table=values)[0]) for v in first] == [0, 0, 3]
    empty = RDom(k=0)
    kinds = {sum_over: 0, product_over: 1, min_over: i32.max, max_over: i32.min}
    assert [int(run(op(empty, TABLE[X]), table=values)[0]) for op in kinds] == list(kinds.values())


def test_folds() -> None:
    """An update sees what came before it, in lexicographic order, and nothing of its own where the domain is empty."""
    r = RDom(m=2, n=3)
    digits = fold_over(r, cast(i64, 7), lambda so_far: so_far * 10 + r.m * 3 + r.n)
    assert run(digits)[0] == 7012345
    assert run(fold_over(RDom(k=0), X + 5, lambda so_far: so_far * 0))[0] == 5
    nested = fold_over(r, cast(i64, 0), lambda outer: outer + sum_over(RDom(k=2), outer + 1))
    assert run(nested)[0] == functools.reduce(lambda outer, _: 3 * outer + 2, range(6), 0)


def test_a_fold_rounds_as_it_is_written() -> None:
    a, b, k = FLOATS[clamp(X, 0, 0)], np.float32(1 + 2**-12), RDom(k=2)
    once = fold_over(k, -1.0, lambda total: fma(a, b, total))
    twice = fold_over(k, -1.0, lambda total: a * b + total)
    values = np.array([1 + 2**-12], np.float32)
    first = np.float32(float(values[0]) * float(b) - 1)
    assert run(once, floats=values)[0] == np.float32(float(values[0]) * float(b) + float(first))
    assert run(once, floats=values)[0] != run(twice, floats=values)[0]


def test_types_widen_only_to_coordinates() -> None:
    assert (IMAGE[Y, X] + X).type == i64
    assert (X + IMAGE[Y, X]).type == i64
    assert (IMAGE[Y, X] + 1).type == u8
    assert (2.0 * FLOATS[X]).type == f32
    assert (X < 3).type == b1
    assert [t.name for t in (u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, b1)] == list(TYPES)
    assert np.bool_(True) & (X < 3) is not None


def test_relayout() -> None:
    f = Func("f")
    f[Y, X] = Y * 10 + X
    p, q = variables("p q")
    blocks = relayout(f, "blocks", (p, q, X), (p * 2 + q, X))
    assert interpret(Pipeline(blocks), (2, 2, 3)).tolist() == [[[0, 1, 2], [10, 11, 12]], [[20, 21, 22], [30, 31, 32]]]


def test_the_interpreter_reads_inside_its_inputs() -> None:
    with pytest.raises(
        BindError, match=r"Func f reads table at 0\.\.3 in dimension 0, which has 3 elements \(.*:\d+\)"
    ):
        run(TABLE[X], (4,), table=np.zeros(3, np.int32))


def test_small_powers_are_products() -> None:
    out = Func("out")
    out[X] = X**1 + X**2 + X**5
    assert "((x * x) * (x * x)) * x" in str(out.value) or "(x * ((x * x) * (x * x)))" in str(out.value)
    assert interpret(Pipeline(out), (4,)).tolist() == [n + n**2 + n**5 for n in range(4)]


def test_interpret_takes_keywords() -> None:
    src, k, out = Input("src", i32, 1), Param("k", i32), Func("out")
    out[X] = src[X] + k
    data = np.arange(3, dtype=np.int32)
    assert interpret(Pipeline(out), (3,), src=data, k=4).tolist() == [4, 5, 6]


def test_the_interpreter_computes_once_what_several_taps_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each level of a pyramid reads the one before at several places, which are as many boxes as there are paths."""
    from autosched.lang.interpret import _Interpreter

    (x,) = variables("x")
    src, level = Input("src", f32, 1), Func("f0")
    level[x] = src[x] * 2.0
    for i in range(1, 8):
        before, level = level, Func(f"f{i}")
        k = RDom(k=2)
        level[x] = before[2 * x] + before[2 * x + 1] + sum_over(k, before[2 * x + 2 + k.k])
    evaluated = []
    evaluate = _Interpreter.evaluate

    def counting(self: Any, expr: Expr, env: Any, func: Func) -> Any:
        evaluated.append(func.name)
        return evaluate(self, expr, env, func)

    monkeypatch.setattr(_Interpreter, "evaluate", counting)
    made = interpret(Pipeline(level), (4,), src=np.arange(1024, dtype=np.float32))
    assert made.tolist() == [2.0**14 * (n * 128 + 127 * 1.5) * 2 for n in range(4)]
    assert len(evaluated) < 8 * 20


def test_the_interpreter_reads_nothing_beside_what_is_read() -> None:
    """Where boxes overlap, a corner of what is around them is none's, and may be beside an Input."""
    src, diagonals, out = Input("src", f32, 1), Func("diagonals"), Func("out")
    diagonals[Y, X] = src[Y - X + 3]
    out[Y, X] = diagonals[Y, X] + diagonals[Y + 1, X + 1]
    made = interpret(Pipeline(out), (4, 4), src=np.arange(7, dtype=np.float32))
    assert made[0].tolist() == [6, 4, 2, 0] and made[3].tolist() == [12, 10, 8, 6]
