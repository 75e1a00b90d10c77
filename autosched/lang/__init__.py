"""What is computed: typed expressions, Funcs, reductions, Pipelines, and the interpreter that gives them meaning.

Imports nothing else of the package but its errors. A new expression node needs its type, its interpretation, and a
translation in lower/.
"""

from autosched.lang.expr import (
    Expr,
    Param,
    Var,
    cast,
    ceil,
    clamp,
    floor,
    maximum,
    minimum,
    round_half_even,
    rounding_shift_right,
    saturating_cast,
    select,
    sqrt,
    trunc,
)
from autosched.lang.func import (
    Func,
    Input,
    Pipeline,
    RDom,
    argmax_over,
    argmin_over,
    max_over,
    min_over,
    product_over,
    relayout,
    sum_over,
    variables,
)
from autosched.lang.interpret import interpret
from autosched.lang.types import TYPES, Type, b1, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64

__all__ = [
    "TYPES", "Expr", "Func", "Input", "Param", "Pipeline", "RDom", "Type", "Var", "argmax_over", "argmin_over", "b1",
    "cast", "ceil", "clamp", "f32", "f64", "floor", "i16", "i32", "i64", "i8", "interpret", "max_over", "maximum",
    "min_over", "minimum", "product_over", "relayout", "round_half_even", "rounding_shift_right", "saturating_cast",
    "select", "sqrt", "sum_over", "trunc", "u16", "u32", "u64", "u8", "variables",
]  # fmt: skip
