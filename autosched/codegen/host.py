"""Prints coordinates as plain Python, for what is found out from the sizes of arrays before a kernel runs."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Callable
from typing import Any

from autosched.errors import BindError, CompileError
from autosched.lang.types import i64
from autosched.lower.ir import Access, Binary, Cast, Const, Expr, Name, Select, Unary, names
from autosched.lower.stages import Stage
from autosched.lower.wrapping import may_wrap

_GLOBALS = frozenset({"njit", "KernelCompiler", "reserve", "give_back", "wrapped_once", "INFINITY"})
_TAKEN = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | _GLOBALS
_SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%",
    "and": "&", "or": "|", "xor": "^", "shr": ">>", "shl": "<<",
}  # fmt: skip
_RING = frozenset({"add", "sub", "mul"})
_BITS = frozenset({"and", "or", "xor"})
#: Operations of whose first operand interval analysis finds no bounds that the result depends on.
_MODULAR = _BITS | {"mod", "shl", "shr"}
#: The least of more than this is one call, for Python nests no more than 200 parentheses.
_MANY = 16
#: The bits of an i64's shift amount that count.
_AMOUNT = 63
_PREFIXES = (
    "load_", "read_", "pairs_", "quads_", "dot_",
    "store_", "stream_", "gather_", "pick_", "scatter_", "permute_",
    "splat_", "iota_", "const_", "cast_", "sat_", "value_", "reduce_", "stage_",
    "concat_", "slice_", "round_", "reinterpret_",
)  # fmt: skip
_OPERATIONS = frozenset({
    "vmin", "vmax", "vabs", "vsqrt", "vfloor", "vceil", "vrint", "vtrunc", "vfma", "select", "index", "allocate",
    "release", "fence", "prefetch", "bool_", "plan", "from_first_of_four",
})  # fmt: skip


def identifier(name: str) -> str:
    """`name` as a variable of generated code: different names stay different, and hide nothing which the code uses.

    Names of the user's have no `__` and no `_` at either end; what the compiler's own look like is in `lower.names`.
    """
    if ":" in name:
        return name.replace(":", "_") + "_"
    if "." in name:
        return name[:1].replace(".", "_") + name[1:].replace(".", "__")
    if name in _TAKEN or name in _OPERATIONS or name.startswith(_PREFIXES):
        return f"{name}__"
    return name


def reads_inputs(stage: Stage, source: str) -> list[str]:
    """The sizes that `reads` takes behind the iteration, in order."""
    lo, hi = stage.reads[source][0]
    return sorted((names(lo) | names(hi)) - {stage.loop})


def host_reads(stage: Stage, source: str) -> str:
    """The function `reads`: from an iteration of a stage to the first and the last row that it reads of an input."""
    lo, hi = stage.reads[source][0]
    parameters = ["_table", *(identifier(n) for n in (stage.loop, *reads_inputs(stage, source)))]
    return f"def reads({', '.join(parameters)}):\n    return {host(lo)}, {host(hi)}"


def function(text: str, name: str, of: str) -> Callable[..., Any]:
    """The function `name` that was printed as `text`; `of` is for tracebacks."""
    namespace: dict[str, Any] = {"_coordinate": coordinate, "_wrapped": wrapped}
    exec(compile(text, f"<{name} of {of}>", "exec"), namespace)
    made: Callable[..., Any] = namespace[name]
    return made


def host(e: Expr, modular: bool = False) -> str:
    """A coordinate as Python, whose integers do not wrap around as those of kernels do.

    Bounds are right only where nothing wraps: the last value of a region that does may be less than the first, as if
    there were nothing to check. So one that is no i64 is refused. Interval analysis finds no bounds of what is
    `modular`, a dividend, bits, or what is compared: where that is in a coordinate, it is one value, the kernel's.
    """
    match e:
        case Const():
            return repr(int(e.value)) if e.value >= 0 else f"({int(e.value)})"
        case Name():
            return identifier(e.name)
        case Access(source=source, index=index):
            return f"_table({source!r}, {', '.join(host(i, modular) for i in index)})"
        case Cast(to=to, a=a) if a.elem.is_int and to.is_int:
            if to.min <= a.elem.min and a.elem.max <= to.max:
                return host(a, modular)
            if e.saturating:
                return f"min(max({host(a, modular)}, {to.min}), {to.max})"
        case Binary(op="min" | "max" as op, a=a, b=b):
            if len(many := _operands(e, op)) > _MANY:
                return f"{op}({', '.join(host(x, modular) for x in many)})"
            return f"{op}({host(a, modular)}, {host(b, modular)})"
        case Binary(elem=elem) if elem == i64:
            return _fitting(_arithmetic(e, modular), e, modular)
        case Binary(op="eq" | "ne" | "lt" | "le" as op, a=a, b=b):
            symbol = {"eq": "==", "ne": "!=", "lt": "<", "le": "<="}[op]
            return f"({host(a, True)} {symbol} {host(b, True)})"
        case Select(condition=c, a=a, b=b):
            return f"({host(a, modular)} if {host(c)} else {host(b, modular)})"
        case Unary(op="neg", a=a) if e.elem == i64:
            return _fitting(f"(-{_term(a, modular)})", e, modular)
    raise _unknown(e)


def _operands(e: Expr, op: str) -> list[Expr]:
    """What `e` is the least, or the greatest, of."""
    found: list[Expr] = []
    stack = [e]
    while stack:
        node = stack.pop()
        if isinstance(node, Binary) and node.op == op:
            stack += (node.b, node.a)
        else:
            found.append(node)
    return list(dict.fromkeys(found))


def _arithmetic(e: Binary, modular: bool) -> str:
    """An operation on two i64 as Python's integers have it; the amounts of shifts are those of the processor."""
    if e.op not in _SYMBOLS:
        raise _unknown(e)
    symbol, n = _SYMBOLS[e.op], int(e.b.value) if isinstance(e.b, Const) else None
    if e.op in _RING:
        return f"({_term(e.a, modular)} {symbol} {_term(e.b, modular)})"
    a = host(e.a, modular or e.op in _MODULAR)
    if e.op in ("shl", "shr"):
        return f"({a} {symbol} {f'({host(e.b, True)} & {_AMOUNT})' if n is None else n & _AMOUNT})"
    b = host(e.b, modular or e.op in _BITS)
    if e.op not in ("floordiv", "mod") or n:
        return f"({a} {symbol} {b})"
    return f"({a} {symbol} {b} if {b} else 0)" if n is None else "0"


def _term(e: Expr, modular: bool) -> str:
    """An operand of a sum or product. Where the whole is an i64, or made one, its sums and products need not be."""
    return _arithmetic(e, modular) if isinstance(e, Binary) and e.op in _RING and e.elem == i64 else host(e, modular)


def _fitting(text: str, e: Expr, modular: bool) -> str:
    """`text`, the value of `e`, as an i64."""
    return f"{'_wrapped' if modular else '_coordinate'}{text}" if may_wrap(e) else text


def _unknown(e: Expr) -> CompileError:
    return CompileError(f"the size of a region depends on a value that is not known before the kernel runs: {e}")


def wrapped(value: int) -> int:
    """An integer modulo 2^64, as an i64."""
    return (value - int(i64.min)) % (1 << 64) + int(i64.min)


def coordinate(value: int) -> int:
    """An integer that is an i64; raises BindError where it is not."""
    if not i64.min <= value <= i64.max:
        raise BindError(f"a coordinate is {value}, where a kernel would wrap around; clamp it, or give smaller params")
    return value
