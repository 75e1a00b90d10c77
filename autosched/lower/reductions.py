"""The loops of reductions, one nest for all instances of an unrolled body."""

from __future__ import annotations

from collections.abc import Callable

from autosched.lang import expr as lang
from autosched.lang.func import Func
from autosched.lang.interpret import initial
from autosched.lang.types import b1, i64
from autosched.lower import algebra
from autosched.lower.algebra import add, const
from autosched.lower.derive import loop_name
from autosched.lower.ir import Assign, Binary, BinaryOp, Const, Expr, For, Let, Name, Select, Stmt
from autosched.lower.translate import Env, Translator
from autosched.lower.wrapping import unbounded, value_range
from autosched.schedule.func_nest import FuncNest

#: How two values of a reduction become one.
_COMBINE: dict[str, BinaryOp] = {
    "sum": "add", "product": "mul", "min": "min", "max": "max", "argmin": "min", "argmax": "max",
}  # fmt: skip


def _within(value: Expr) -> tuple[int, int] | None:
    """The least and the greatest of an i64, where they are known."""
    found = value_range(value) if value.elem == i64 else None
    return None if found is None or not found.exact or unbounded(value) else (found.lo, found.hi)


class Reducer:
    """Emits the loops of reductions, and what is used several times, into a list of statements."""

    def __init__(self, translator: Translator, fresh: Callable[[str], str], f: FuncNest, out: list[Stmt]) -> None:
        self.translator = translator
        self.fresh = fresh
        self.f = f
        self.out = out
        self._known: dict[Expr, Name] = {}

    def share(self, values: list[Expr]) -> list[Expr]:
        """Names for values that are used several times; what is the same has one name."""
        for value in values:
            if value not in self._known and not isinstance(value, (Name, Const)):
                name = Name(self.fresh("value"), value.elem, data=True, within=_within(value))
                self._known[value] = name
                self.out.append(Let(name.name, value))
        return [self._known.get(value, value) for value in values]

    def emit(self, node: lang.Reduce, envs: list[Env], owner: Func) -> list[list[Expr]]:
        """One loop nest that reduces `node` for all instances."""
        f = self.f
        order = f.ordered(node.domain)
        is_arg = node.op.startswith("arg")
        results: list[list[Expr]] = []
        loops: list[tuple[lang.RVar, Expr, Expr]] = []
        for var in order:
            lo, extent = self.translator.scalar(var.lo), self.translator.scalar(var.extent)
            loops.append((var, lo, extent))
        # the terms, translated once to see which instances share an accumulator
        within: dict[int, Expr] = {id(v): Name(loop_name(owner.name, v.name)) for v in order}
        if isinstance(node, lang.Fold):
            starts = self.translator.translate(node.start, envs, owner, self.emit, self.share)
            within[id(node.so_far)] = Name(self.fresh(node.op), node.type, data=True)
        else:
            starts = [Const(initial(node.op, node.type), node.type)] * len(envs)
        inner = [env.inside(within) for env in envs]
        probe: list[Stmt] = []
        probing = Reducer(self.translator, self.fresh, f, probe)
        terms = self.translator.translate(node.value, inner, owner, probing.emit, probing.share)
        nested = any(not isinstance(stmt, Let) for stmt in probe)
        slots: list[int] = []
        distinct: list[int] = []
        seen: dict[tuple[Expr, Expr], int] = {}
        for n, key in enumerate(zip(starts, terms, strict=True)):
            if key not in seen or nested:
                seen[key] = len(distinct)
                distinct.append(n)
            slots.append(seen[key])
        accumulators = []
        for n in distinct:
            best = Name(self.fresh(node.op), node.type, data=True)
            parts = [Name(self.fresh(f"at_{v.name}")) for v in node.domain] if is_arg else []
            for part, var in zip(parts, node.domain, strict=False):
                self.out.append(Assign(part.name, self.translator.scalar(var.lo)))
            self.out.append(Assign(best.name, starts[n]))
            accumulators.append((best, parts))
        chosen = [envs[n] for n in distinct]
        self.out += self._nest(node, chosen, owner, loops, 0, {}, accumulators)
        for slot in slots:
            best, parts = accumulators[slot]
            results.append([*parts, best])
        return results

    def _nest(
        self, node: lang.Reduce, envs: list[Env], owner: Func, loops: list[tuple[lang.RVar, Expr, Expr]], i: int,
        at: dict[int, Expr], accumulators: list[tuple[Name, list[Name]]],
    ) -> list[Stmt]:  # fmt: skip
        if i == len(loops):
            return self._body(node, envs, owner, at, accumulators)
        var, lo, extent = loops[i]
        name = loop_name(owner.name, var.name)
        loop = self.f.reduction(var)

        def inside(value: Expr) -> list[Stmt]:
            return self._nest(node, envs, owner, loops, i + 1, {**at, id(var): value}, accumulators)

        known = algebra.value_of(extent)
        if loop.unroll > 1 and known is not None and known <= loop.unroll:
            return [s for n in range(known) for s in inside(add(lo, const(n)))]
        if loop.unroll > 1:
            whole, left = algebra.whole_and_rest(extent, loop.unroll)
            copies = tuple(s for n in range(loop.unroll) for s in inside(add(Name(name), const(n))))
            return [
                For(name, lo, whole, copies, step=loop.unroll),
                For(name, add(lo, whole), left, tuple(inside(Name(name)))),
            ]
        kind = "reduction" if loop.lanes > 1 else "serial"
        return [For(name, lo, extent, tuple(inside(Name(name))), kind, loop.lanes)]  # type: ignore[arg-type]

    def _body(
        self, node: lang.Reduce, envs: list[Env], owner: Func, at: dict[int, Expr],
        accumulators: list[tuple[Name, list[Name]]],
    ) -> list[Stmt]:  # fmt: skip
        body: list[Stmt] = []
        inner = [env.inside(at) for env in envs]
        if isinstance(node, lang.Fold):
            inner = [env.inside({id(node.so_far): best}) for env, (best, _) in zip(inner, accumulators, strict=True)]
        nested = Reducer(self.translator, self.fresh, self.f, body)
        terms = self.translator.translate(node.value, inner, owner, nested.emit, nested.share)
        if isinstance(node, lang.Fold):
            return [*body, *(Assign(best.name, term) for (best, _), term in zip(accumulators, terms, strict=True))]
        for (best, parts), term in zip(accumulators, terms, strict=True):
            op = _COMBINE[node.op]
            if parts:
                better = Binary("lt", best, term) if op == "max" else Binary("lt", term, best)
                if len(parts) > 1 or not isinstance(term, (Name, Const)):
                    flag = Name(self.fresh("better"), b1)
                    body.append(Let(flag.name, better))
                    better_expr: Expr = flag
                else:
                    better_expr = better
                for part, var in zip(parts, node.domain, strict=True):
                    body.append(Assign(part.name, Select(better_expr, at[id(var)], part)))
            value = algebra.make(op, best, term) if best.elem == i64 and op in ("add", "mul") else None
            body.append(Assign(best.name, value or Binary(op, best, term)))
        return body
