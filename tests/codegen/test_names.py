"""Names in generated code: the user's may be anything that the compiler's own cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import assert_equals_interpreter

from autosched.codegen.host import _OPERATIONS, _PREFIXES, identifier
from autosched.codegen.simd.ops import FAMILIES
from autosched.errors import LanguageError
from autosched.lang import Func, Input, Param, RDom, Var, clamp, i32, sum_over
from autosched.schedule import Schedule

DATA = np.arange(16, dtype=np.int32)


@pytest.mark.parametrize(
    "name",
    ["min", "range", "for", "np", "int64", "njit", "index", "select", "plan", "reserve", "stage_f", "load_u8", "t1"],
)
def test_any_name_works(name: str) -> None:
    x, a = Var("x"), Input(name, i32, 1)
    f = Func("f")
    f[x] = a[clamp(x, 0, 15)]
    assert_equals_interpreter(f, (9,), Schedule().vectorize("f", "x", 4), **{name: DATA})
    a, g, h, p = Input("a", i32, 1), Func(name), Func("h"), Param("p", i32)
    g[x] = a[clamp(x, 0, 15)] * p
    h[x] = g[x] + g[x + 1]
    folded = Schedule().compute_at(name, "h", "x").store_root(name).fold_storage(name, "x")
    assert_equals_interpreter(h, (9,), folded, a=DATA, p=3)
    v, k, q = Var(name), Func("k"), Param(name, i32)
    k[v] = sum_over(RDom(r=3), a[clamp(v, 0, 15)])
    assert_equals_interpreter(k, (9,), Schedule().split("k", name, "o", "i", 4).unroll("k", "i", 4), a=DATA)
    f = Func("f")
    f[x] = a[clamp(x, 0, 15)] * q
    assert_equals_interpreter(f, (9,), a=DATA, **{name: 3})


def test_no_operation_is_hidden() -> None:
    """An Input may be called as any operation that kernels use themselves."""
    others = {name for name, f in FAMILIES.items() if f.resolve.__module__.endswith(".threads")} | {"scratch_words"}
    kernels = {name: f for name, f in FAMILIES.items() if name not in others}
    names = [f"{name}_u8" if f.typed else name for name, f in kernels.items()]
    assert [name for name in names if identifier(name) == name] == []


def test_only_operations_take_names() -> None:
    """What operations are called in `codegen.host` is what the registry has, `plan` and the functions of stages."""
    typed = {f"{name}_" for name, f in FAMILIES.items() if f.typed}
    plain = {name for name, f in FAMILIES.items() if not f.typed}
    taken = {*_PREFIXES, *_OPERATIONS}
    unused = {name for name in taken if name not in plain and not any(f.startswith(name) for f in (*typed, *plain))}
    assert unused == {"plan", "stage_"}


@pytest.mark.parametrize("name", ["_x", "x_", "a__b", "", "1x", "a.b", "a b", "naïve", 'x"'])
def test_names_of_the_compilers_own_are_refused(name: str) -> None:
    for make in (Func, Var, Param):
        with pytest.raises(LanguageError, match=r"name .* is not allowed .*test_names.py:\d+.*letters, digits"):
            make(name)
    with pytest.raises(LanguageError, match="is not allowed"):
        Input(name, i32, 1)


def test_different_names_stay_different() -> None:
    names = ["f", "f_x", "f.x", "f.x_lo", "f.x.lo", "f_x.lo", "f:x", "f_s0", "f.s0", "f:s0", "f_s0:s0", "load_s0",
             "load:s0", "load.s0", "min", ".t1", ".t.1", "t1"]  # fmt: skip
    made = [identifier(n) for n in names]
    assert len(set(made)) == len(names)
    assert all(n.isidentifier() for n in made)


def test_a_func_may_be_called_as_a_loop_of_another() -> None:
    x, f, fx, g = Var("x"), Func("f"), Func("f_x"), Func("g")
    fx[x] = x * 3
    f[x] = fx[x] + fx[x + 1]
    g[x] = f[x] - fx[x]
    assert_equals_interpreter(g, (5,), Schedule().compute_root("f_x").compute_at("f", "g", "x"))
