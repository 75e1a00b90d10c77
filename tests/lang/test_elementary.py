"""exp, log, exp2, log2 and power: as exact as they say, C99's special values, and the same bits in kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import assert_equals_interpreter, same

from autosched.errors import LanguageError
from autosched.lang import (
    Expr,
    Func,
    Input,
    Param,
    Pipeline,
    RDom,
    cast,
    clamp,
    exp,
    exp2,
    f32,
    f64,
    i32,
    i64,
    interpret,
    log,
    log2,
    max_over,
    power,
    reinterpret,
    sum_over,
    u8,
    u32,
    variables,
)
from autosched.runtime import Kernel
from autosched.schedule import Schedule

Floats = np.ndarray[Any, Any]
(X,) = variables("x")
INF, NAN = np.inf, np.nan
#: What each is in float64, and the error that its docstring promises.
ONE_ARGUMENT: dict[str, tuple[Callable[[Expr], Expr], Callable[[Floats], Floats], float]] = {
    "exp": (exp, np.exp, 0.92),
    "exp2": (exp2, np.exp2, 0.95),
    "log": (log, np.log, 0.93),
    "log2": (log2, np.log2, 1.04),
}


def pipeline(name: str) -> Pipeline:
    f, a, b = Func("f"), Input("a", f32, 1), Input("b", f32, 1)
    f[X] = power(a[X], b[X]) if name == "power" else ONE_ARGUMENT[name][0](a[X])
    return Pipeline(f)


def value(name: str, *arguments: object) -> Floats:
    arrays = [np.atleast_1d(np.asarray(a, np.float32)) for a in arguments]
    return interpret(pipeline(name), arrays[0].shape, dict(zip("ab", arrays, strict=False)))


def check_error(found: Floats, exact: Floats, most: float) -> None:
    """Within `most` units in the last place where the exact value is a float32, and its infinity or NaN elsewhere."""
    with np.errstate(all="ignore"):
        nearest = exact.astype(np.float32)
        unit = np.ldexp(1.0, np.maximum(np.frexp(exact)[1], -125) - 24)
        error = np.abs(found.astype(np.float64) - exact) / unit
    special = ~np.isfinite(nearest)
    assert same(found[special], nearest[special])
    worst = int(np.argmax(error[~special]))
    assert error[~special][worst] < most, (error[~special][worst], exact[~special][worst], found[~special][worst])


def samples() -> Floats:
    """Every 4999th float32, neighbours of powers of two, of ends of ranges, and of where errors are greatest."""
    near = np.array([0, 1, 2**0.5, 2**-0.5, 104, 89, 88.72284, 87.33655, 103.97, 80, 151, 150, 149, 129, 128, 126, 100])
    worst = [
        float.fromhex(x) for x in ("0x1.4cc98p+2", "-0x1.aaf86cp+4", "0x1.69b14cp-1", "-0x1.fd0cd6p-2", "0x1.65be34p+0")
    ]
    around = np.concatenate(
        [near, np.abs(worst), np.ldexp(1.0, np.arange(-149, 128)), np.arange(0.5, 127, 0.5)]
    ).astype(np.float32)
    bits = np.unique(around.view(np.uint32)[:, None] + np.arange(-20, 21).astype(np.uint32))
    every = np.arange(0, 1 << 32, 4999, dtype=np.uint64).astype(np.uint32)
    infinities = np.array([0x7F800000, 0x7F7FFFFF, 0x7FC00000, 0x7F800001], np.uint32)
    positive = np.concatenate([bits & 0x7FFFFFFF, infinities])
    return np.concatenate([every, positive, positive | 0x80000000]).astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_errors_are_as_small_as_promised(name: str) -> None:
    _, reference, most = ONE_ARGUMENT[name]
    values = samples()
    with np.errstate(all="ignore"):
        exact = reference(values.astype(np.float64))
    check_error(value(name, values), exact, most)


def test_errors_of_powers() -> None:
    random = np.random.default_rng(0)
    n = 200_000
    anything = random.integers(0, 1 << 32, (2, n), dtype=np.uint32).view(np.float32)
    usual = [random.uniform(0, 2, n), random.normal(0, 3, n)]
    far = [np.exp(random.normal(0, 20, n)), random.normal(0, 4, n)]
    near_one = [1 + random.normal(0, 1e-4, n), random.normal(0, 3e5, n)]
    whole = [random.normal(0, 4, n), random.integers(-40, 40, n)]
    for x, y in (anything, usual, far, near_one, whole):
        with np.errstate(all="ignore"):
            a, b = np.asarray(x).astype(np.float32), np.asarray(y).astype(np.float32)
            exact = np.power(a.astype(np.float64), b.astype(np.float64))
        check_error(value("power", a, b), exact, 0.51)


def test_exact_values() -> None:
    exponents = np.arange(-149, 128)
    powers = np.ldexp(np.float32(1), exponents)
    assert same(value("exp2", exponents), powers)
    assert same(value("log2", powers), exponents.astype(np.float32))
    assert value("exp", [0.0, -0.0]).tolist() == [1.0, 1.0] and same(value("log", 1.0), np.zeros(1, np.float32))
    squares = np.arange(1, 4097, dtype=np.float32)
    assert same(value("power", squares, np.full(4096, 2.0)), squares * squares)
    assert same(value("power", squares * squares, np.full(4096, 0.5)), squares)
    assert same(value("power", samples(), np.ones(samples().shape)), samples())


@pytest.mark.parametrize(
    ("name", "of", "is_"),
    [
        ("exp", [-INF, INF, NAN, 89, -104, -103], [0, INF, NAN, INF, 0, 2.0**-149]),
        ("exp2", [-INF, INF, NAN, 128, -150, -149.5], [0, INF, NAN, INF, 0, 2.0**-149]),
        ("log", [0, -0.0, -1e-45, -INF, INF, NAN], [-INF, -INF, NAN, NAN, INF, NAN]),
        ("log2", [0, -0.0, -1e-45, -INF, INF, NAN], [-INF, -INF, NAN, NAN, INF, NAN]),
    ],
)
def test_special_values(name: str, of: list[float], is_: list[float]) -> None:
    assert same(value(name, of), np.array(is_, np.float32))


def test_special_values_of_powers() -> None:
    """C99, F.9.4.4, by C's own function as numpy and Python have it."""
    numbers = [0.0, 1e-45, 0.5, 1.0, 1.5, 2.0, 3.0, 1e7, 2.0**24, 1e38, INF]
    a, b = np.meshgrid(*[np.array([*numbers, *(-x for x in numbers), NAN], np.float32)] * 2)
    a, b = a.ravel(), b.ravel()
    with np.errstate(all="ignore"):
        exact = np.power(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)
    found = value("power", a, b)
    wrong = [row for row in zip(a, b, found, exact, strict=True) if not same(*(np.array([v]) for v in row[2:]))]
    assert not wrong, wrong[:5]


BITS = st.one_of(
    st.integers(0, (1 << 32) - 1),
    st.floats(-200, 200, width=32).map(lambda x: int(np.float32(x).view(np.uint32))),
)


@cache
def kernel(name: str, lanes: int) -> Kernel:
    return Kernel(pipeline(name), Schedule().vectorize("f", "x", lanes) if lanes > 1 else Schedule())


@pytest.mark.parametrize("lanes", [1, 4, 16])
@pytest.mark.parametrize("name", [*ONE_ARGUMENT, "power"])
@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(BITS, BITS), min_size=1, max_size=40))
def test_kernels_have_the_bits_of_the_interpreter(name: str, lanes: int, pairs: list[tuple[int, int]]) -> None:
    arrays = np.array(pairs, np.uint32).T.copy().view(np.float32)
    given_ = dict(zip("ab", arrays, strict=True)) if name == "power" else {"a": arrays[0]}
    made = kernel(name, lanes)(shape=arrays[0].shape, **given_)
    assert same(made, interpret(pipeline(name), arrays[0].shape, given_))


@pytest.mark.parametrize("name", [*ONE_ARGUMENT, "power"])
def test_kernels_have_the_bits_of_the_interpreter_everywhere(name: str) -> None:
    a = samples()[::3].copy()
    given_ = {"a": a, "b": np.roll(a, 5)} if name == "power" else {"a": a}
    assert same(kernel(name, 8)(shape=a.shape, **given_), interpret(pipeline(name), a.shape, given_))


SCHEDULES = {
    "plain": Schedule(),
    "vectors": Schedule().parallel("out", "y").vectorize("out", "x", 8).unroll("out", "j", 5),
    "stages": Schedule().compute_root("tone").vectorize("tone", "x", 16).vectorize("out", "x", 4, "shift_inwards"),
    "inside": Schedule().compute_at("tone", "out", "y").vectorize("tone", "x", 4).unroll("out", "i", 2),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_bilateral_filter(schedule: str) -> None:
    """Weights by exponentials in two reductions, of values by powers."""
    y, x = variables("y x")
    image, sigma = Input("image", u8, 2), Param("sigma", f32)
    tone, out, r = Func("tone"), Func("out"), RDom(j=(-2, 5), i=(-2, 5))
    at = image[clamp(y, 0, image.extent(0) - 1), clamp(x, 0, image.extent(1) - 1)]
    tone[y, x] = power(cast(f32, at) / 255, 2.2)
    near = tone[y + r.j, x + r.i]
    apart = near - tone[y, x]
    far = cast(f32, r.j * r.j + r.i * r.i) * -0.125
    weight = exp(far - apart * apart / (2 * sigma * sigma))
    out[y, x] = cast(u8, 255 * power(sum_over(r, weight * near) / sum_over(r, weight), 1 / 2.2) + 0.5)
    photo = np.random.default_rng(0).integers(0, 256, (9, 21), np.uint8)
    assert_equals_interpreter(out, (9, 21), SCHEDULES[schedule], image=photo, sigma=0.1)


def test_softmax_sums_to_one() -> None:
    y, x = variables("y x")
    scores, r = Input("scores", f32, 2), RDom(k=7)
    greatest, out = Func("greatest"), Func("out")
    greatest[y] = max_over(r, scores[y, r.k])
    out[y, x] = exp(scores[y, x] - greatest[y]) / sum_over(r, exp(scores[y, r.k] - greatest[y]))
    given_ = np.random.default_rng(0).normal(0, 20, (5, 7)).astype(np.float32)
    schedule = Schedule().compute_at("greatest", "out", "y").vectorize("out", "x", 4)
    assert_equals_interpreter(out, (5, 7), schedule, scores=given_)
    np.testing.assert_allclose(interpret(Pipeline(out), (5, 7), {"scores": given_}).sum(1), 1, rtol=1e-6)


def test_any_nan_has_the_bits_of_one() -> None:
    f, a = Func("f"), Input("a", u32, 1)
    f[X] = reinterpret(i32, -reinterpret(f32, a[X]))
    nans = np.array([0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFF800001, 0xFFFFFFFF, 0x80000000], np.uint32)
    assert interpret(Pipeline(f), (6,), {"a": nans}).tolist() == [*[0x7FC00000] * 5, 0]
    for schedule in (Schedule(), Schedule().vectorize("f", "x", 8)):
        assert_equals_interpreter(f, (6,), schedule, a=nans)


def test_bits_of_integers_are_cast() -> None:
    assert str(reinterpret(u32, cast(i32, X))) == "cast(u32, cast(i32, x))"
    whole = Input("a", f32, 1)[X]
    assert reinterpret(f32, whole) is whole


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: exp(X), r"`exp\(x\)` needs f32, not i64; cast it"),
        (lambda: power(cast(f64, X), 2.0), r"`power\(cast\(f64, x\)\)` needs f32, not f64"),
        (lambda: power(cast(f32, X), X), r"`power\(x\)` needs f32, not i64"),
        (lambda: reinterpret(f32, X), r"reinterpret\(f32, `x`\) of i64: both must be as wide, f32 and i32 or u32"),
        (lambda: reinterpret(u8, X < 3), r"reinterpret\(u8, .* of b1: both must be as wide"),
        (lambda: exp(cast(f32, X) + X), "type clash"),
    ],
)
def test_mistakes(make: Callable[[], Expr], message: str) -> None:
    f = Func("f")
    with pytest.raises(LanguageError, match=message):
        f[X] = make()


def test_numbers_are_f32() -> None:
    assert exp(0.5).type == power(2, cast(f32, X)).type == f32
    assert reinterpret(i64, cast(f64, X)).type == i64
