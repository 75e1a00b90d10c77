"""The names that lowering, plans and the runtime give to what they know of arrays, Funcs, tables and stages.

Names of the user's are letters, digits and single underscores inside. The compiler's own have a colon in front of what
they say of an array or a Func, or a dot between their parts. `codegen.host.identifier` relies on that: it makes
variables of both kinds that meet neither each other nor the user's.
"""

from __future__ import annotations

from dataclasses import dataclass


def extent_name(array: str, dim: int) -> str:
    """The extent of an input or of the output."""
    return f"{array}:n{dim}"


def stride_name(array: str, dim: int) -> str:
    """The byte stride of an array, or of a Func that is stored whole."""
    return f"{array}:s{dim}"


def end_name(source: str) -> str:
    """The address just behind the last byte of an input."""
    return f"{source}:end"


def region_names(func: str, arg: str) -> tuple[str, str]:
    """The first and the last coordinate that are computed of a Func."""
    return f"{func}.{arg}.lo", f"{func}.{arg}.hi"


def stored_extent_name(func: str, dim: int) -> str:
    """The extent, with alignment, of a Func that is stored whole."""
    return f"{func}:extent{dim}"


def iterations_name(func: str) -> str:
    """The iterations of the outermost loop of a stage."""
    return f"{func}:iterations"


def required_names(array: str, dim: int) -> tuple[str, str]:
    """The first and the last coordinate that a call reads of an input."""
    return f"{array}:need{dim}_lo", f"{array}:need{dim}_hi"


def bound_names(table: str) -> tuple[str, str]:
    """The least and the greatest value that a table is declared to hold."""
    return f"{table}:least", f"{table}:most"


def domain_name(table: str, number: int) -> str:
    """The extent of one of the reductions that read a packed table."""
    return f"{table}:domain{number}"


def packed_stride_name(packed: str, dim: int) -> str:
    """The byte stride of a packed table, whose own name has a colon."""
    return f"{packed}_s{dim}"


def window_name(number: int) -> str:
    """The bytes that a window needs, by the number of its requirement."""
    return f".window{number}"


def checked_name(number: int) -> str:
    """A bound that is evaluated only so that a call is refused where its arithmetic overflows."""
    return f".region{number}"


@dataclass(frozen=True)
class Growth:
    """The most that `table` grows over `distance` elements."""

    table: str
    distance: int

    @property
    def name(self) -> str:
        return f"{self.table}:step{self.distance}"
