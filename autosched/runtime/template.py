"""Calls that lack some of their arrays: everything else is checked and found once, and binding takes microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from autosched.errors import BindError
from autosched.runtime.bands import BandedCall, Bands, Memory, Rows
from autosched.runtime.binding import Frame, Reads, address_of, rows_read
from autosched.runtime.kernel import Call, Kernel

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Missing:
    """The geometry of an array that is not there yet: dtype, extents, and byte strides."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def like(cls, array: Any) -> Missing:
        """That of an array, or of anything else that has these three."""
        return cls(array.dtype, array.shape, array.strides)

    def stand_in(self) -> Array:
        """An array of this geometry in the memory of one element. Binding never looks at what is in it."""
        return as_strided(np.zeros(1, self.dtype), self.shape, self.strides)


@dataclass(frozen=True)
class Template:
    """A kernel bound to all but some arrays, which `bind` takes. Safe to use from many threads."""

    frame: Frame
    missing: Mapping[str, Missing]
    output: str
    tables: Mapping[str, Array]

    def bind(self, **arrays: Rows) -> Call:
        """The call on these arrays. Raises BindError if one differs from the declared geometry.

        One input may be `Bands`: its rows are fetched on demand, or all at once if the rows that an iteration reads
        cannot be predicted.
        """
        if arrays.keys() != self.missing.keys():
            raise BindError(f"The template lacks {', '.join(self.missing)}; it was given {', '.join(arrays)}.")
        for name, wanted in self.missing.items():
            a = arrays[name]
            if a.shape != wanted.shape or a.strides != wanted.strides or a.dtype != wanted.dtype:
                raise BindError(f"The array of {name} is {Missing.like(a)}; the template was made for {wanted}.")
        out = arrays.pop(self.output)
        if not isinstance(out, np.ndarray):
            raise BindError(f"out, the array of {self.output}, is in bands; only inputs may be.")
        if not out.flags.writeable:
            raise BindError(f"out, the array of {self.output}, is read-only")
        return self.at(address_of(out), out, arrays)

    def at(self, address: int, out: Array, inputs: dict[str, Rows]) -> Call:
        """`bind` of an output that begins at an address in `out`, without checks: all have the declared geometry."""
        addresses = {self.output: address}
        banded = None
        for name, a in inputs.items():
            if type(a) is Memory:  # a class test would go through the abc module
                addresses[name] = a.address
            elif isinstance(a, np.ndarray):
                addresses[name] = address_of(a)
            elif banded is None and self._reads(name) is not None:
                banded = name
            else:
                inputs[name] = whole = a.whole()
                addresses[name] = address_of(whole)
        frame = self.frame
        arguments, memories = frame.fill(addresses)
        keep = (*frame.keep, *inputs.values(), *memories)
        if banded is None:
            return Call(frame.built, arguments, frame.iterations, out, keep)
        bands, reads = inputs[banded], self._reads(banded)
        assert isinstance(bands, Bands) and reads is not None
        moving = tuple(a for a in frame.array_arguments if a.array == banded)
        return BandedCall(frame.built, arguments, frame.iterations, out, keep, bands, moving, reads)

    def _reads(self, name: str) -> Reads | None:
        """`rows_read` of an input, found once."""
        if name not in self._known:
            height, stride = self.missing[name].shape[0], self.missing[name].strides[0]
            self._known[name] = rows_read(self.frame, self.tables, name, height, stride)
        return self._known[name]

    @cached_property
    def _known(self) -> dict[str, Reads | None]:
        return {}


def template(kernel: Kernel, missing: Mapping[str, Missing], **given: Any) -> Template:
    """Binds `kernel` to `given`, which must not change any more, and leaves the `missing` arrays to later.

    The output is always among the missing, under its own name.
    """
    output = kernel.pipeline.output.name
    if output not in missing:
        raise BindError(f"{kernel.pipeline.name}: the output {output} must be among the missing arrays")
    stand_ins: dict[str, Any] = {name: each.stand_in() for name, each in missing.items()}
    out = stand_ins.pop(output)
    frame, arrays = kernel.prepare(out=out, **stand_ins, **given)
    tables = {name: array for name, array in arrays.items() if name not in missing}
    return Template(frame.settled(tables), dict(missing), output, tables)
