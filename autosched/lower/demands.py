"""Requirements of lowered kernels: of the CPU, and of the arrays of each call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from autosched.lower.ir import Expr
from autosched.lower.names import domain_name

#: Bytes of a cache line.
CACHE_LINE = 64
#: Bytes of the window that each permute strategy reads.
WINDOWS = {"permute64": 64, "permute128": 128}
#: The furthest that a kernel may read beyond an element, in bytes, if the array has them: two windows, because a shared
#: one may begin within another.
BEHIND = 2 * max(WINDOWS.values())

#: Bytes within which CPUs with SSSE3 or NEON permute them, and the lanes of four bytes in them.
SHUFFLE_BYTES = 16
SHUFFLE_LANES = SHUFFLE_BYTES // 4
#: Bytes whose words AVX-512 permutes in one instruction, and the lanes of four bytes in them.
REGISTER = 64
REGISTER_LANES = REGISTER // 4


Excluded: TypeAlias = Literal["window", "shared", "near", "planes"]


@dataclass(frozen=True)
class Exclusion:
    """A feature that a kernel does without, because the arrays of a call do not fit it.

    window: nothing of `source` is read from windows, which would be too small; shared: windows of it are not shared;
    near: its lanes are too far apart for the words of one window; planes: it has values that the usual number of bytes
    does not hold when it is packed.
    """

    source: str
    what: Excluded


@dataclass(frozen=True)
class WindowRequirement:
    """A permute's condition: `window` bytes are `width` at most. Where they are not, a target `excludes` this."""

    width: int
    window: Expr
    excludes: Exclusion


@dataclass(frozen=True)
class Target:
    """The operations for which the CPU has single instructions, and what the arrays of one call exclude.

    permutes: of bytes within a register; shuffles: of bytes within 16; words: permutes of those of a 64-byte register;
    quads: dot products of four bytes; narrows: saturating narrowing within 16 bytes.
    """

    permutes: bool = True
    shuffles: bool = True
    words: bool = True
    quads: bool = True
    narrows: bool = True
    excluded: frozenset[Exclusion] = frozenset()

    def excludes(self, source: str, what: Excluded) -> bool:
        """Whether the arrays of the call do not fit that."""
        return Exclusion(source, what) in self.excluded


@dataclass(frozen=True)
class PackedTable:
    """A table in groups: integers `group` at a time along dimension `dim` make one i32, for `plane` of `planes`.

    Behind the end of the reduction's domain, which is number `domain` of those that read the table, are zeros, up to a
    multiple of `multiple` integers. Pairs hold 16-bit integers. Quads hold signed bytes; plane p of a wider integer is
    its byte p, such that the integer is the sum of its planes times 256^p.
    """

    source: str
    dim: int
    group: int
    plane: int
    planes: int
    multiple: int
    domain: int = 0

    @property
    def name(self) -> str:
        """The name of the packed table."""
        parts = self.multiple // self.group
        kind = "pairs" if self.group == 2 else "quads"
        shared = f"x{parts}" if parts > 1 else ""
        plane = f"_plane{self.plane}" if self.planes > 1 else ""
        return f"{self.source}:{kind}{self.dim}{shared}{plane}" + (f"_domain{self.domain}" if self.domain else "")

    @property
    def extent(self) -> str:
        """The name of how many elements the domain has."""
        return domain_name(self.source, self.domain)
