"""The plan of a call: regions, extents and requirements, as expressions of the sizes of arrays, printed as Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from autosched.codegen.host import host, identifier
from autosched.lower.ir import Expr, names
from autosched.lower.lower import Lowered
from autosched.lower.names import (
    bound_names,
    checked_name,
    domain_name,
    iterations_name,
    region_names,
    required_names,
    stored_extent_name,
    window_name,
)


@dataclass(frozen=True)
class Plan:
    """The definitions that the plan of a call computes, in order; one may use those before it."""

    definitions: tuple[tuple[str, Expr], ...]

    @cached_property
    def sizes(self) -> tuple[str, ...]:
        """The sizes that `plan` takes, in order: all that its expressions mention and do not define."""
        defined: set[str] = set()
        sizes: dict[str, None] = {}
        for name, expr in self.definitions:
            sizes |= dict.fromkeys(sorted(names(expr) - defined))
            defined.add(name)
        return tuple(sizes)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what `plan` returns, in order."""
        return tuple(name for name, _ in self.definitions)

    def text(self) -> str:
        """The function `plan`, from sizes to what is defined.

        `_table(name, index)` reads an element of a table, or raises where there is none; `_coordinate` and `_wrapped`
        are `codegen.host`'s.
        """
        lines = [f"def plan({', '.join(['_table', *map(identifier, self.sizes)])}):"]
        lines += [f"    {identifier(name)} = {host(expr)}" for name, expr in self.definitions]
        outputs = [identifier(name) for name in self.outputs]
        lines.append(f"    return ({', '.join(outputs)}{',' if len(outputs) == 1 else ''})")
        return "\n".join(lines)


def plan(lowered: Lowered) -> Plan:
    """The plan of calls of a lowered kernel."""
    return Plan(tuple(_definitions(lowered)))


def _definitions(lowered: Lowered) -> Iterator[tuple[str, Expr]]:
    for root in lowered.roots:
        for arg, interval in zip(root.args, root.box, strict=True):
            yield from zip(region_names(root.name, arg), interval, strict=True)
        for dim, extent in enumerate(root.extents):
            yield stored_extent_name(root.name, dim), extent
    for stage in lowered.stages:
        yield iterations_name(stage.func), stage.extent
    for name, box in lowered.required.items():
        for dim, interval in enumerate(box):
            yield from zip(required_names(name, dim), interval, strict=True)
    for name, interval in lowered.table_bounds.items():
        yield from zip(bound_names(name), interval, strict=True)
    for table, extents in lowered.domains.items():
        for number, extent in enumerate(extents):
            yield domain_name(table, number), extent
    for number, window in enumerate(lowered.windows):
        yield window_name(number), window.window
    for number, bound in enumerate(lowered.wrapping):
        yield checked_name(number), bound
