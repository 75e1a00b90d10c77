"""What is computed: typed expressions, Funcs, reductions, Pipelines, and the interpreter that gives them meaning.

Imports nothing else of the package but its errors. A new expression node needs its type, its interpretation, and a
translation in lower/.

What expressions mean, in small:

>>> (x,) = variables("x")
>>> def values(expr):
...     f = Func("f")
...     f[x] = expr
...     return interpret(Pipeline(f), (4,)).tolist()
>>> values(cast(u8, x * 100))                       # integers wrap
[0, 100, 200, 44]
>>> values(saturating_cast(u8, x * 100))
[0, 100, 200, 255]
>>> values(clamp(x, 1, 2)), values(maximum(x, 2)), values(minimum(x, 2))
([1, 1, 2, 2], [2, 2, 2, 3], [0, 1, 2, 2])
>>> values(select(x % 2 == 0, x, -x))
[0, -1, 2, -3]
>>> halves = cast(f32, x) + 0.5
>>> values(round_half_even(halves)), values(floor(halves)), values(ceil(halves)), values(trunc(-halves))
([0.0, 2.0, 2.0, 4.0], [0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0], [-0.0, -1.0, -2.0, -3.0])
>>> values(rounding_shift_right(x, 1))              # ties up
[0, 1, 1, 2]
>>> values(fma(halves, halves, -0.25)), values(sqrt(halves * halves))
([0.0, 2.0, 6.0, 12.0], [0.5, 1.5, 2.5, 3.5])
>>> values(reinterpret(u32, -halves) >> 31), values(reinterpret(u32, halves) >> 23)         # signs, exponents
([1, 1, 1, 1], [126, 127, 128, 128])

Exponentials, logarithms and powers are expressions of these, about a unit in the last place off, and equal on all CPUs:

>>> values(exp2(halves * 2)), values(log2(halves * 16))
([2.0, 8.0, 32.0, 128.0], [3.0, 4.584962368011475, 5.321928024291992, 5.807354927062988])
>>> values(log(exp(-halves))), values(power(halves, 2.0))
([-0.5, -1.5, -2.5, -3.5], [0.25, 2.25, 6.25, 12.25])
>>> def linear(srgb):                               # what the sRGB of a screen is in light
...     return select(srgb <= 0.04045, srgb / 12.92, power((srgb + 0.055) / 1.055, 2.4))
>>> def srgb(linear):
...     return select(linear <= 0.0031308, linear * 12.92, 1.055 * power(linear, 1 / 2.4) - 0.055)
>>> light = linear(cast(f32, x * 80) / 255)
>>> values(cast(u8, 255 * light + 0.5)), values(cast(u8, 255 * srgb(light) + 0.5))
([0, 20, 90, 222], [0, 80, 160, 240])

A reduction goes over a domain, in lexicographic order:

>>> r = RDom(k=3)
>>> values(sum_over(r, x + r.k)), values(product_over(r, x + r.k))
([3, 6, 9, 12], [0, 6, 24, 60])
>>> values(min_over(r, (x + r.k) % 4)), values(max_over(r, (x + r.k) % 4))
([0, 1, 0, 0], [2, 3, 3, 3])
>>> where, best = argmax_over(r, (x + r.k) % 4)
>>> values(where), values(best), values(argmin_over(r, (x + r.k) % 4)[0])
([2, 2, 1, 0], [2, 3, 3, 3], [0, 0, 2, 1])
>>> values(fold_over(r, x, lambda so_far: so_far * 10 + r.k))
[12, 1012, 2012, 3012]
"""

from autosched.lang.elementary import exp, exp2, log, log2, power
from autosched.lang.expr import Expr, Param, Var
from autosched.lang.func import (
    Func,
    Input,
    Pipeline,
    RDom,
    argmax_over,
    argmin_over,
    fold_over,
    max_over,
    min_over,
    product_over,
    relayout,
    sum_over,
    variables,
)
from autosched.lang.functions import (
    cast,
    ceil,
    clamp,
    floor,
    fma,
    maximum,
    minimum,
    reinterpret,
    round_half_even,
    rounding_shift_right,
    saturating_cast,
    select,
    sqrt,
    trunc,
)
from autosched.lang.interpret import interpret
from autosched.lang.types import HALVES, TYPES, Type, b1, bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64

__all__ = [
    "HALVES",
    "TYPES",
    "Expr",
    "Func",
    "Input",
    "Param",
    "Pipeline",
    "RDom",
    "Type",
    "Var",
    "argmax_over",
    "argmin_over",
    "b1",
    "bf16",
    "cast",
    "ceil",
    "clamp",
    "exp",
    "exp2",
    "f16",
    "f32",
    "f64",
    "floor",
    "fma",
    "fold_over",
    "i8",
    "i16",
    "i32",
    "i64",
    "interpret",
    "log",
    "log2",
    "max_over",
    "maximum",
    "min_over",
    "minimum",
    "power",
    "product_over",
    "reinterpret",
    "relayout",
    "round_half_even",
    "rounding_shift_right",
    "saturating_cast",
    "select",
    "sqrt",
    "sum_over",
    "trunc",
    "u8",
    "u16",
    "u32",
    "u64",
    "variables",
]  # fmt: skip
