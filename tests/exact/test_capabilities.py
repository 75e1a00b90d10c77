"""Bits follow the instructions that torch uses: the exactness tests again, with torch told to use lesser ones.

Without AVX2 torchvision resizes bytes bilinearly as floats, and sums of floats round differently; so do those of the
fast Idefics3 of transformers 4.57 everywhere.
"""

from __future__ import annotations

import platform

import pytest
from references import run_again

#: The families that resize bilinearly or as floats, and one that does neither.
FILES = ("test_siglip2.py", "test_idefics3.py", "test_gemma3.py", "test_qwen_vl.py", "test_unusual.py")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names instructions of x86-64")
@pytest.mark.parametrize("capability", ["default", "avx2"])
def test_hugging_faces_bits_with_lesser_instructions(capability: str) -> None:
    chosen = "torchvision and (random or photographs) and not rescale"  # which changes nothing before the resize
    run_again({"ATEN_CPU_CAPABILITY": capability, "AUTOSCHED_EXACT_SIZES": "12"}, chosen, FILES)
