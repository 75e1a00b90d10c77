"""Bits do not depend on the CPU that kernels are compiled for: the exactness tests again, under lesser CPUs."""

from __future__ import annotations

import os
import platform

import pytest
from references import run_again

from autosched.codegen.simd import target

#: Every kind of kernel once: random sizes, a photograph, both types of 16 bits, frames of videos, and bytes that are
#: resized twice, which the fast processor of 4.57 does as floats.
CHOSEN = (
    "random_sizes or (photographs and astronaut) or (every_byte and clip and torchvision) or (several_videos and qwen2)"
    " or (random_images and split and torchvision)"
)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names CPUs of x86-64")
@pytest.mark.parametrize("cpu", ["x86-64", "haswell", "skylake-avx512", "cascadelake"])
def test_hugging_faces_bits_on_lesser_cpus(cpu: str) -> None:
    asked, here = target.resolve("x86_64", cpu, ""), target.features()
    if not asked <= here:
        pytest.skip(f"this machine cannot run code for {cpu}")
    if asked >= here & target.KNOWN:
        pytest.skip(f"all other tests of exactness run on a {cpu} here")
    environment = {
        "NUMBA_CPU_NAME": cpu,
        "NUMBA_CPU_FEATURES": "",
        "AUTOSCHED_EXACT_SIZES": os.environ.get("AUTOSCHED_ISA_SIZES", "12"),
    }
    run_again(environment, CHOSEN, ("test_qwen_vl.py", "test_dtypes.py", "test_video.py", "test_idefics3.py"))
