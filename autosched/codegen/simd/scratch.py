"""Scratch memory of kernels: who gives it, and blocks that kernels have given back, for the next kernel to take.

A large process has a heap that others have left in any state: giving the C library 100 KB back may make it return what
others freed before to the operating system, which took 40 ms where others had freed gigabytes.
"""

from __future__ import annotations

import ctypes
from typing import Final

import llvmlite.binding as llvm
import numpy as np

#: Blocks that may wait: as many as threads use at once, beyond which blocks are freed.
SLOTS: Final = 128
#: Pages of a block that may wait; larger ones are freed. Fewer than the numbers that fit below the address of a page.
MOST_PAGES: Final = 1024
#: What the words below are called in generated code, and the places of some: the most pages of a block that may wait,
#: and the addresses of two functions, aligned_alloc and free. Then the blocks: address and number of pages, or 0.
SYMBOL: Final = "autosched_scratch"
MOST, ALLOCATE, FREE, FIRST = range(4)

_libc = ctypes.CDLL(None)
WORDS: Final = np.zeros(FIRST + SLOTS, np.int64)
WORDS[:FIRST] = [MOST_PAGES, *(ctypes.cast(f, ctypes.c_void_p).value or 0 for f in (_libc.aligned_alloc, _libc.free))]
llvm.add_symbol(SYMBOL, WORDS.ctypes.data)


def waiting() -> list[int]:
    """The pages of each block that waits."""
    return [int(word) % 4096 for word in WORDS[FIRST:] if word]
