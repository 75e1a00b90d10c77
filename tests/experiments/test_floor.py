"""The memory floor writes all of its output and reads all of its source."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.floor import LINE, Stores, output, touch


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("stores", ["ordinary", "non-temporal"])
def test_every_whole_line_is_written_with_what_was_read(stores: Stores, threads: int) -> None:
    """Lines of the output hold the bytewise exclusive or of the lines read; with one that is not 0, that one."""
    source = np.zeros(50_000, np.uint8)
    middle = -source.ctypes.data % LINE + 300 * LINE
    source[middle : middle + LINE] = np.arange(1, LINE + 1)
    out = output(400_000)
    touch(source, out, stores, threads)
    skipped = -out.ctypes.data % LINE
    lines = out.view(np.uint8)[skipped:]
    lines = lines[: len(lines) // LINE * LINE].reshape(-1, LINE)
    written = (lines == np.arange(1, LINE + 1)).all(axis=1)
    assert written.any() and ((lines == 0).all(axis=1) | written).all() if threads > 1 else written.all()


@pytest.mark.parametrize("size", [0, 4, 60])
def test_less_than_a_line(size: int) -> None:
    out = output(size)
    touch(np.zeros(3, np.uint8), out, "ordinary", 2)
    assert out.nbytes == size
