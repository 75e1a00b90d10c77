"""bf16 and f16 are what torch's casts give, for results only."""

from __future__ import annotations

import numpy as np
import pytest

from autosched import Func, Input, Pipeline, Schedule
from autosched.errors import BindError, LanguageError
from autosched.lang import (
    Param,
    RDom,
    Type,
    bf16,
    cast,
    f16,
    f32,
    f64,
    i32,
    interpret,
    saturating_cast,
    select,
    sum_over,
    variables,
)
from autosched.lang.halves import half_bits
from autosched.runtime import compile as compile_kernel

HALVES = [bf16, f16]


def every_kind_of_float() -> np.ndarray:
    """Around all ties of both types, subnormals of all, infinities, and random bits; no NaN."""
    high = np.arange(0, 1 << 16, dtype=np.uint32)[:, None] << 16
    low = np.array([0, 1, 0x0FFF, 0x1000, 0x1001, 0x3000, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    near = (high + low).reshape(-1)
    made = np.concatenate([near, np.random.default_rng(0).integers(0, 1 << 32, 100_000, np.uint32)]).view(np.float32)
    return made[~np.isnan(made)]


@pytest.mark.parametrize("to", HALVES, ids=str)
def test_bits_are_those_of_torch(to: Type) -> None:
    torch = pytest.importorskip("torch")
    values = every_kind_of_float()
    expected = torch.from_numpy(values).to(torch.bfloat16 if to == bf16 else torch.float16)
    assert np.array_equal(half_bits(values, to), expected.view(torch.uint16).numpy())


@pytest.mark.parametrize("to", HALVES, ids=str)
def test_any_nan_becomes_one(to: Type) -> None:
    nans = np.array([0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFF800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    assert set(half_bits(nans, to).tolist()) == {0x7FC0 if to == bf16 else 0x7E00}


def rounded(to: Type) -> Pipeline:
    (x,) = variables("x")
    source, wide, out = Input("source", f32, 1), Func("wide"), Func("out")
    wide[x] = cast(to, source[x])
    out[x] = select(x % 7 == 0, 0.5, wide[x])
    return Pipeline(out)


@pytest.mark.parametrize("lanes", [1, 8, 16, 32])
@pytest.mark.parametrize("to", HALVES, ids=str)
def test_kernels_give_the_same_bits(to: Type, lanes: int) -> None:
    values = every_kind_of_float()[::7]
    pipeline = rounded(to)
    schedule = Schedule().compute_root("wide")
    if lanes > 1:
        schedule = schedule.vectorize("wide", "x", lanes).vectorize("out", "x", lanes).stream("out")
    out = compile_kernel(pipeline, schedule)(shape=values.shape, source=values)
    assert out.dtype == to.dtype
    assert out.tobytes() == interpret(pipeline, values.shape, {"source": values}).tobytes()


def test_an_output_of_another_dtype_is_refused() -> None:
    kernel = compile_kernel(rounded(bf16), Schedule())
    with pytest.raises(BindError, match="out has dtype float16, expected uint16"):
        kernel.bind(out=np.empty(3, np.float16), source=np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda h: h + h, r"`h\[x\] \+ h\[x\]` computes with bf16, a type of results; compute in f32"),
        (lambda h: h < h, "computes with bf16"),
        (lambda h: -h, "`neg.*` computes with bf16"),
        (lambda h: cast(f32, h), r"`h\[x\]` is bf16, a type of results; nothing is computed from it, not even f32"),
        (lambda h: cast(bf16, cast(f64, 1.0)), r"cast of f64 to bf16 .*only f32 is rounded to bf16"),
        (lambda h: cast(f16, cast(i32, 1)), r"cast of i32 to f16"),
        (lambda h: saturating_cast(bf16, cast(f32, 1.0)), "saturating_cast to bf16"),
        (lambda h: sum_over(RDom(k=3), h), "sum of .* in bf16"),
    ],
)
def test_nothing_is_computed_from_them(write: object, message: str) -> None:
    (x,) = variables("x")
    half, out = Func("h"), Func("out")
    half[x] = cast(bf16, cast(f32, x))
    with pytest.raises(LanguageError, match=message):
        out[x] = write(half[x])  # type: ignore[operator]


def test_arguments_are_not_of_them() -> None:
    with pytest.raises(LanguageError, match="Input a: bf16 is a type of results; give it as f32"):
        Input("a", bf16, 1)
    with pytest.raises(LanguageError, match="Param p: f16 is a type of results"):
        Param("p", f16)


def test_the_type_is_part_of_the_algorithm() -> None:
    from autosched.lang.fingerprint import fingerprint

    assert fingerprint(rounded(bf16)) != fingerprint(rounded(f16))
