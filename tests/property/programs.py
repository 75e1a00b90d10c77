"""Random programs: a pipeline as the Python text that a user would have written, and arrays for its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from guarded import place
from hypothesis import strategies as st

from autosched import lang
from autosched.lang import TYPES, Pipeline

Draw = Callable[..., Any]

INTEGERS = ("u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64")
FLOATS = ("f32", "f64")
VALUES = (*INTEGERS, *FLOATS)
BITS = {f"{kind}{n}": (f"i{n}", f"u{n}") if kind == "f" else (f"f{n}",) for n in (32, 64) for kind in "fiu"}
ARGS = {1: ("x",), 2: ("y", "x"), 3: ("c", "y", "x")}
INDICES = (*["plain"] * 2, *["offset"] * 3, "scale", "down", "clamp", "back", "data", "table", "mod", "select", "const")
LAYOUTS = ("dense", "dense", "transposed", "sliced", "negative", "broadcast", "tail")


@dataclass(frozen=True)
class Array:
    """How an input's array is made. kind "values": any; "table": lo..hi; "monotone": lo..hi, sorted."""

    type: str
    shape: tuple[int, ...]
    layout: str
    kind: str = "values"
    lo: int = 0
    hi: int = 0


@dataclass(frozen=True)
class Program:
    """`text` defines `output`; the rest is what a call is given."""

    text: str
    shape: tuple[int, ...]
    arrays: Mapping[str, Array]
    params: Mapping[str, int | float]
    out_layout: str
    seed: int

    def pipeline(self) -> Pipeline:
        scope: dict[str, Any] = {**vars(lang), "np": np}
        exec(compile(self.text, "<program>", "exec"), scope)
        return Pipeline(scope["output"])

    def inputs(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(self.seed)
        return {name: place(_fill(a, rng), a.layout) for name, a in self.arrays.items()}


def _fill(a: Array, rng: np.random.Generator) -> np.ndarray:
    of = TYPES[a.type]
    if a.kind != "values":
        made = rng.integers(a.lo, a.hi, a.shape, endpoint=True).astype(of.dtype)
        return np.sort(made) if a.kind == "monotone" else made
    raw = rng.integers(0, 256, (*a.shape, of.bytes), dtype=np.uint8).view(of.dtype)[..., 0]
    if of.is_bool:
        return rng.integers(0, 2, a.shape).astype(bool)
    if of.is_float:
        small = rng.integers(-40, 40, a.shape).astype(of.dtype) / of.dtype.type(4)
        special = rng.choice(np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -3e9, 255.5], of.dtype), a.shape)
        pick = rng.random(a.shape)
        return np.where(pick < 0.75, small, np.where(pick < 0.85, special, raw))
    small = rng.integers(max(of.min, -9), min(of.max, 9), a.shape, endpoint=True).astype(of.dtype)
    extreme = np.where(rng.random(a.shape) < 0.5, of.dtype.type(of.min), of.dtype.type(of.max))
    pick = rng.random(a.shape)
    return np.where(pick < 0.5, small, np.where(pick < 0.6, extreme, raw))


class _Writer:
    """Draws a program and writes its text."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.arrays: dict[str, Array] = {}
        self.params: dict[str, int | float] = {}
        self.funcs: list[tuple[str, str, int]] = []  # name, type, ndim
        self.inputs: list[tuple[str, str, int]] = []
        self.extents: dict[str, tuple[int, ...]] = {}
        self.count = 0
        self.taken: set[str] = set()

    def chance(self, percent: int) -> bool:
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    def one_of(self, items: Any) -> Any:
        return self.draw(st.sampled_from(tuple(items)))

    def number(self, lo: int, hi: int) -> int:
        return int(self.draw(st.integers(lo, hi)))

    def name(self, hint: str) -> str:
        self.count += 1
        return f"{hint}{self.count}"

    # inputs

    def input(self, of: str) -> tuple[str, str, int]:
        name, ndim = self.name("in"), self.number(1, 3)
        shape = tuple(self.one_of((1, 2, 3, 5, 8, 13, 20)) for _ in range(ndim))
        self.arrays[name] = Array(of, shape, self.one_of(LAYOUTS))
        self.lines.append(f'{name} = Input("{name}", {of}, {ndim})')
        self.inputs.append((name, of, ndim))
        return self.inputs[-1]

    def param(self, of: str) -> str:
        name = self.name("p")
        self.lines.append(f'{name} = Param("{name}", {of})')
        self.params[name] = self.number(0, 5) if of in INTEGERS else float(self.number(-8, 8)) / 4
        return name

    # values

    def literal(self, of: str) -> str:
        if of == "b1":
            return self.one_of(("np.True_", "np.False_"))
        kind = TYPES[of].dtype.name
        if of in FLOATS:
            return f"np.{kind}({self.one_of(('0.0', '-0.0', '1.5', '-2.25', '0.1', 'np.inf', 'np.nan', '1e10'))})"
        least, most = int(TYPES[of].min), int(TYPES[of].max)
        return f"np.{kind}({self.one_of((0, 1, 2, 3, 7, most, max(least, -1), max(least, -3), least, most // 2))})"

    def value(self, of: str, depth: int, names: tuple[str, ...], reduce: int = 2) -> str:
        """An expression of type `of` over the coordinates `names`."""
        if depth <= 0:
            return self.leaf(of, names)
        forms = ["leaf", "read", "read", "select", "cast"]
        if of == "b1":
            forms += ["compare", "compare", "logic", "invert"]
        else:
            forms += ["arith", "arith", "arith", "arith", "minmax", "unary"]
            if of == "f32":
                forms += ["fma", "fma", "elementary"]
            if of in BITS:
                forms += ["bits"]
            if reduce:
                forms += ["reduce", "reduce"]
            if of in INTEGERS:
                forms += ["saturate"]
            if of == "i64" and reduce:
                forms += ["arg"]
            if of == "i32" and reduce:
                forms += ["weighted"] * 4
        form = self.one_of(forms)
        again = lambda of=of: self.value(of, depth - 1, names, reduce)  # noqa: E731
        match form:
            case "leaf":
                return self.leaf(of, names)
            case "read":
                return self.read(of, depth, names)
            case "select":
                return f"select({again('b1')}, {again()}, {again()})"
            case "fma":
                return f"fma({again()}, {again()}, {again()})"
            case "elementary":
                if self.chance(30):
                    return f"power({again()}, {again()})"
                return f"{self.one_of(('exp', 'exp2', 'log', 'log2'))}({again()})"
            case "bits":
                return f"reinterpret({of}, {again(self.one_of(BITS[of]))})"
            case "cast":
                return f"cast({of}, {again(self.one_of((*VALUES, 'b1')))})"
            case "saturate":
                return f"saturating_cast({of}, {again(self.one_of(VALUES))})"
            case "compare":
                other = self.one_of((*VALUES, "b1"))
                symbol = self.one_of(("==", "!=") if other == "b1" else ("==", "!=", "<", "<=", ">", ">="))
                return f"({again(other)} {symbol} {again(other)})"
            case "logic":
                return f"({again()} {self.one_of('&|^')} {again()})"
            case "invert":
                return f"(~{again()})"
            case "minmax":
                return f"{self.one_of(('minimum', 'maximum'))}({again()}, {again()})"
            case "unary":
                if of in INTEGERS:
                    return self.one_of(("(-{})", "abs({})", "(~{})")).format(again())
                if self.chance(30):
                    return f"(-{again()})"
                return f"{self.one_of(('abs', 'sqrt', 'floor', 'ceil', 'round_half_even', 'trunc'))}({again()})"
            case "reduce":
                return self.reduce(of, depth, names, reduce)
            case "weighted":
                return self.weighted(names)
            case "arg":
                return self.reduce(of, depth, names, reduce, arg=True)
        symbols = "+-*/" if of in FLOATS else ("+", "-", "*", "+", "*", "//", "%", "&", "|", "^", "<<", ">>")
        return f"({again()} {self.one_of(symbols)} {again()})"

    def leaf(self, of: str, names: tuple[str, ...]) -> str:
        form = self.number(0, 9)
        if form < 5:
            return self.read(of, 0, names)
        if form == 5 and of != "b1":
            return self.param(of)
        if form == 6 and of == "i64":
            return self.one_of(names)
        return f"as_typed({self.literal(of)})"

    def reduce(self, of: str, depth: int, names: tuple[str, ...], reduce: int, arg: bool = False) -> str:
        domain = self.name("r")
        coordinates = [f"k{self.count}_{i}" for i in range(self.number(1, 2 if reduce == 2 else 1))]
        made = []
        for name in coordinates:
            extent = self.one_of(("1", "2", "3", "4", "5", "8", "0", "param"))
            if extent == "param":
                extent = self.param("i64")
            lo = self.one_of((0, 0, -1, 2))
            made.append(f"{name}={extent}" if lo == 0 else f"{name}=({lo}, {extent})")
        self.lines.append(f"{domain} = RDom({', '.join(made)})")
        inner = (*names, *(f"{domain}.{c}" for c in coordinates))
        if arg:
            best = self.one_of(VALUES)
            value = self.value(best, depth - 1, inner, reduce - 1)
            part = self.number(0, len(coordinates) - 1)
            return f"{self.one_of(('argmax_over', 'argmin_over'))}({domain}, {value})[{part}]"
        op = self.one_of(
            ("sum_over", "sum_over", "sum_over", "product_over", "min_over", "max_over", "argmax_over", "fold_over")
        )
        value = self.value(of, depth - 1, inner, reduce - 1)
        if op == "fold_over":
            return f"fold_over({domain}, {self.value(of, depth - 1, names, 0)}, {self.update(of, value)})"
        text = f"{op}({domain}, {value})"
        return f"{text}[-1]" if op.startswith("arg") else text

    def update(self, of: str, value: str) -> str:
        """The update of a fold, from what it has come to and a value."""
        forms = ["{s} + {value}", "{value} - {s}", "maximum({value}, -{s})"]
        forms.append("select({value} < {s}, {value} * {s}, {s})")
        if of == "f32":
            forms += ["fma({value}, {s}, {value})", "select({s} < 0.5, {s} + {value}, fma({value}, 0.3, {s}))"] * 2
        s = self.name("s")
        return f"lambda {s}: {self.one_of(tuple(forms)).format(s=s, value=value)}"

    def weighted(self, names: tuple[str, ...]) -> str:
        """A weighted sum of narrow integers, as a resampling has it."""
        domain, source, weights, k = self.name("r"), self.name("in"), self.name("w"), self.name("k")
        taps = self.one_of((1, 2, 3, 4, 5, 8))
        ndim, wide = self.number(1, 3), self.number(1, 2)
        of, by = self.one_of(("u8", "u8", "i8", "i16", "u16")), self.one_of(("i8", "i16", "i16", "u8", "i32"))
        self.lines.append(f"{domain} = RDom({k}={taps})")
        dims = [self.one_of((1, 3, 9)) for _ in range(ndim)]
        moving = self.number(0, ndim - 1)
        dims[moving] = taps + self.one_of((0, 3, 20))
        self.arrays[source] = Array(of, tuple(dims), self.one_of(LAYOUTS))
        self.lines.append(f'{source} = Input("{source}", {of}, {ndim})')
        rows = self.one_of((1, 5, 18))
        self.arrays[weights] = Array(by, (rows, taps)[-wide:], self.one_of(LAYOUTS))
        self.lines.append(f'{weights} = Input("{weights}", {by}, {wide})')
        at = self.coordinate(moving, ndim, names)
        index = [f"clamp({self.coordinate(d, ndim, names)}, 0, {source}.extent({d}) - 1)" for d in range(ndim)]
        base = self.table(names, at, dims[moving] - taps, f"{source}.extent({moving}) - {taps}")
        index[moving] = f"{base} + {domain}.{k}"
        row = f"clamp({at}, 0, {rows - 1}), " if wide == 2 else ""
        data = f"{source}[{', '.join(index)}]"
        return f"sum_over({domain}, cast(i32, {data}) * cast(i32, {weights}[{row}{domain}.{k}]))"

    def half(self, last: int, names: tuple[str, ...]) -> None:
        """Rounds Func f`last` to 16 bits, perhaps in a Func of its own that the output selects from."""
        at, to = ", ".join(names), self.one_of(("bf16", "f16"))
        self.lines.append(f'half = Func("half")\nhalf[{at}] = cast({to}, f{last}[{at}])\noutput = half')
        if self.chance(50):
            condition = f"{self.one_of(names)} % 3 == 1"
            self.lines.append(f'output = Func("chosen")\noutput[{at}] = select({condition}, 0.3, half[{at}])')

    # reads

    def read(self, of: str, depth: int, names: tuple[str, ...]) -> str:
        """The value of some source as type `of`."""
        sources = self.funcs[-3:] * 2 + self.inputs
        if not sources or self.chance(10):
            sources = [self.input(of if self.chance(60) else self.one_of((*VALUES, "b1")))]
        same = [s for s in sources if s[1] == of]
        name, kind, ndim = self.one_of(same if same and self.chance(70) else sources)
        is_func = any(f[0] == name for f in self.funcs)
        if is_func:
            index = [self.func_index(d, ndim, depth, names) for d in range(ndim)]
        else:
            index = [self.input_index(name, d, ndim, depth, names) for d in range(ndim)]
        text = f"{name}[{', '.join(index)}]"
        self.taken.add(name)
        return text if kind == of else f"cast({of}, {text})"

    def coordinate(self, d: int, ndim: int, names: tuple[str, ...]) -> str:
        """Mostly the coordinate in the same place from the right."""
        inner = [n for n in names if "." in n]
        if inner and self.chance(35):
            return f"({self.one_of(names)} + {self.one_of(inner)})"
        plain = [n for n in names if "." not in n]
        place_ = len(plain) - (ndim - d)
        if place_ >= 0 and self.chance(70):
            return plain[place_]
        return self.one_of(names)

    def func_index(self, d: int, ndim: int, depth: int, names: tuple[str, ...]) -> str:
        at = self.coordinate(d, ndim, names)
        form = self.one_of(INDICES)
        match form:
            case "offset":
                return f"{at} + {self.number(-3, 3)}"
            case "scale":
                return f"2 * {at} + {self.number(-1, 1)}"
            case "down":
                return f"({at} + {self.number(-2, 3)}) // {self.one_of((2, 3, -2))}"
            case "clamp":
                lo = self.number(-2, 2)
                return f"clamp({at}, {lo}, {lo + self.number(0, 6)})"
            case "back":
                return f"{self.number(0, 6)} - {at}"
            case "mod":
                return f"({at} + {self.number(-2, 3)}) % {self.one_of((1, 2, 3, 4, -3))}"
            case "select":
                return f"select({at} < {self.number(0, 5)}, {at} + 1, {self.coordinate(d, ndim, names)})"
            case "const":
                return str(self.number(-2, 2))
            case "data" if depth > 0:
                return self.data_index(depth, names)
            case "table":
                return self.table(names, at, 6)
        return at

    def data_index(self, depth: int, names: tuple[str, ...]) -> str:
        of = self.one_of(("u8", "i8", "u16", "i32", "i64", "u64"))
        inner = self.value(of, min(depth - 1, 1), names, 0)
        form = self.one_of(("and", "clamp", "mod"))
        if form == "and":
            return f"cast(i64, ({inner}) & as_typed(np.{TYPES[of].dtype.name}(7)))"
        if form == "mod":
            return f"(cast(i64, {inner}) % 5)"
        return f"clamp(cast(i64, {inner}), 0, 6)"

    def input_index(self, name: str, d: int, ndim: int, depth: int, names: tuple[str, ...]) -> str:
        extent = self.arrays[name].shape[d]
        at = self.coordinate(d, ndim, names)
        form = self.one_of(("clamp", "clamp", "clamp", "clamp", "table", "taps", "data", "mod", "const"))
        match form:
            case "mod":
                return f"({at} % {extent})"
            case "const":
                return str(self.number(0, extent - 1))
            case "table":
                return self.table(names, at, extent - 1, f"{name}.extent({d}) - 1")
            case "taps":
                inner = [n for n in names if "." in n]
                taps = self.number(1, min(extent, 4))
                if inner:
                    base = self.table(names, at, extent - taps, f"{name}.extent({d}) - {taps}")
                    return f"{base} + clamp({self.one_of(inner)}, 0, {taps - 1})"
            case "data" if depth > 0:
                index = self.data_index(depth, names)
                return f"clamp({index}, 0, {name}.extent({d}) - 1)"
        change = self.one_of(("", "", " + 1", " - 2", " * 2", " // 2", " + 3", " * 2 + 1"))
        return f"clamp({at}{change}, 0, {name}.extent({d}) - 1)"

    def table(self, names: tuple[str, ...], at: str, most: int, bound: str | None = None) -> str:
        """A read of a new table of indices in 0..most."""
        name, of = self.name("t"), self.one_of(("i32", "i64", "u8", "i16", "u32"))
        n = self.one_of((1, 4, 9, 17))
        monotone = self.chance(70)
        known = "" if monotone and self.chance(30) else f", bounds=(0, {bound or most})"
        self.lines.append(f'{name} = Input("{name}", {of}, 1{", monotone=True" if monotone else ""}{known})')
        layout = self.one_of(("dense", "dense", "sliced", "negative", "tail"))
        self.arrays[name] = Array(of, (n,), layout, "monotone" if monotone else "table", 0, most)
        self.taken.add(name)
        return f"cast(i64, {name}[clamp({at}, 0, {name}.extent(0) - 1)])"


@st.composite
def programs(draw: Draw) -> Program:
    """Programs of 2 to 6 Funcs."""
    w = _Writer(draw)
    w.lines.append("from autosched.lang.expr import as_expr as as_typed")
    total = w.number(2, 6)
    for i in range(total):
        ndim = w.number(1, 3)
        names = ARGS[ndim]
        of = w.one_of((*VALUES, "i32", "f32") if i == total - 1 else (*VALUES, *VALUES, "i32", "i32", "i32", "b1"))
        name = f"f{i}"
        value = w.value(of, w.number(1, 3), names)
        unread = [f for f in w.funcs if f[0] not in w.taken]
        if unread and i == total - 1:  # everything is used somewhere
            for other, kind, n in unread:
                at = ", ".join(w.func_index(d, n, 0, names) for d in range(n))
                read = f"{other}[{at}]" if kind == of else f"cast({of}, {other}[{at}])"
                value = f"maximum({value}, {read})"
                w.taken.add(other)
        w.lines.append(f"({', '.join(names)},) = variables('{' '.join(names)}')")
        w.lines.append(f'{name} = Func("{name}")')
        w.lines.append(f"{name}[{', '.join(names)}] = {value}")
        w.funcs.append((name, of, ndim))
    w.lines.append(f"output = f{total - 1}")
    if of == "f32" and w.chance(50):
        w.half(total - 1, names)
    sizes = (1, 1, 2, 3, 5, 7, 8, 12, 16, 17, 33)
    shape = tuple(w.one_of(sizes if d == ndim - 1 else sizes[:8]) for d in range(ndim))
    for d, arg in enumerate(names):
        if w.chance(8):
            w.lines.append(f"output.bound({arg}, {shape[d]})")
    out_layout = w.one_of([x for x in LAYOUTS if x != "broadcast"])
    return Program("\n".join(w.lines), shape, w.arrays, w.params, out_layout, w.number(0, 1 << 16))
