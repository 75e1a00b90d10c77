"""Fingerprints: equal for equal algorithms, different for any change of what is computed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from autosched.lang import (
    Func,
    Input,
    Param,
    Pipeline,
    RDom,
    Type,
    argmax_over,
    cast,
    f32,
    fma,
    fold_over,
    i32,
    i64,
    reinterpret,
    saturating_cast,
    select,
    sum_over,
    u8,
    u32,
    variables,
)
from autosched.lang.expr import Binary, Const, Expr
from autosched.lang.fingerprint import _Table, fingerprint


def blur(
    *,
    name: str = "blur",
    output: str = "out",
    offset: int = 1,
    taps: int = 3,
    lo: int = 0,
    shift: int = 2,
    fused: bool = False,
    bits: Type | None = None,
    of: str = "sum",
    saturating: bool = True,
    monotone: bool = False,
    bound: int | None = None,
    scale: float = 0.0,
    bounds: tuple[int, int] = (0, 9),
) -> Pipeline:
    y, x = variables("y x")
    image = Input("image", u8, 2)
    begin = Input("begin", i32, 1, monotone=monotone, bounds=bounds)
    r = RDom(k=(lo, taps))
    rows = Func("rows")
    term = cast(i32, image[y + r.k + offset, begin[x]])
    if of == "sum":
        rows[y, x] = sum_over(r, term)
    elif of in ("fold", "difference"):
        rows[y, x] = fold_over(r, cast(i32, 0), lambda so_far: so_far + term if of == "fold" else so_far - term)
    else:
        rows[y, x] = cast(i32, argmax_over(r, term)[0])
    result = Func(output)
    value = select(rows[y, x] > 3, rows[y, x] >> shift, cast(i32, Param("floor", i64)))
    bytes_ = saturating_cast(u8, value) if saturating else cast(u8, value)
    floats = cast(f32, bytes_)
    result[y, x] = fma(floats, floats, scale) if fused else floats + scale
    if bits is not None:
        result = Func(output)
        result[y, x] = cast(f32, reinterpret(bits, floats))
    if bound:
        result.bound(x, bound)
    return Pipeline(result, name)


def test_name_lines_and_objects_do_not_count() -> None:
    first = fingerprint(blur())
    assert fingerprint(blur(name="other")) == first
    assert len(first) == 64 and int(first, 16) >= 0


CHANGES: dict[str, Callable[[], Pipeline]] = {
    "output name": lambda: blur(output="result"),
    "constant": lambda: blur(offset=2),
    "extent of the reduction": lambda: blur(taps=4),
    "start of the reduction": lambda: blur(lo=1),
    "operation": lambda: blur(of="argmax"),
    "fold": lambda: blur(of="fold"),
    "update of the fold": lambda: blur(of="difference"),
    "cast": lambda: blur(saturating=False),
    "declared monotone": lambda: blur(monotone=True),
    "declared bounds": lambda: blur(bounds=(0, 8)),
    "promised extent": lambda: blur(bound=8),
    "sign of zero": lambda: blur(scale=-0.0),
    "shift": lambda: blur(shift=3),
    "rounded once": lambda: blur(fused=True),
    "bits": lambda: blur(bits=i32),
    "bits without a sign": lambda: blur(bits=u32),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_counts(change: str) -> None:
    assert fingerprint(CHANGES[change]()) != fingerprint(blur())


def test_all_changes_differ() -> None:
    made = [fingerprint(make()) for make in CHANGES.values()]
    assert len(set(made)) == len(made)


def test_each_fold_has_its_own_value() -> None:
    """Nested updates that read what the outer fold has come to, or the inner one, differ."""

    def nested(inner: bool) -> Pipeline:
        (x,) = variables("x")
        f, r, q = Func("f"), RDom(r=2), RDom(q=3)
        f[x] = fold_over(r, x, lambda a: fold_over(q, x, lambda b: (b if inner else a) + q.q))
        return Pipeline(f)

    assert fingerprint(nested(True)) == fingerprint(nested(True))
    assert fingerprint(nested(True)) != fingerprint(nested(False))


def test_sharing_does_not_count() -> None:
    """One shared subexpression and two equal ones mean the same."""

    def pair(shared: bool) -> Pipeline:
        (x,) = variables("x")
        f = Func("f")
        a = x * 3 + 1
        f[x] = a * (a if shared else x * 3 + 1)
        return Pipeline(f)

    assert fingerprint(pair(True)) == fingerprint(pair(False))


def test_sharing_costs_nothing() -> None:
    """Written out as a tree, the expression would have 2**40 nodes."""
    (x,) = variables("x")
    value: Expr = x
    for _ in range(40):
        value = Binary("add", value, value)
    table = _Table()
    table.row(value)
    assert len(table.rows) == 41


def test_deep_expressions() -> None:
    (x,) = variables("x")
    value: Expr = x
    for i in range(5000):
        value = Binary("add", value, Const(i, i64))
    table = _Table()
    table.row(value)
    assert len(table.rows) == 10001


def test_the_same_in_another_process() -> None:
    program = (
        "from autosched.lang import Func, Pipeline, variables\n"
        "from autosched.lang.fingerprint import fingerprint\n"
        "y, x = variables('y x'); f = Func('f'); f[y, x] = y * 10 + x\n"
        "print(fingerprint(Pipeline(f)))\n"
    )
    made = set()
    for seed in ("1", "2"):
        env = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed}
        ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=env)
        made.add(ran.stdout)
    assert len(made) == 1
