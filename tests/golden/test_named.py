"""The generated source of the named schedules of Qwen2.5-VL, for Pillow's memory, as it was reviewed."""

from __future__ import annotations

import pytest
from test_source import check

from autosched.codegen.outline import outline
from autosched.lang import bf16
from autosched.lower.demands import Target
from autosched.lower.lower import Layout, lower
from autosched.vlm.passes import BUCKETS
from autosched.vlm.patches import NAMED, PatchAlgorithm

DENSE = {
    "src": {1: 4, 2: 1},
    "mean": {0: 4},
    "std": {0: 4},
    "x_begin": {0: 4},
    "y_begin": {0: 4},
    "x_weight": {1: 2},
    "y_weight": {1: 2},
    "patches": {7: 4, 6: 56, 5: 784, 4: 1568, 3: 4704, 2: 9408, 1: 18816},
}
CPUS = {
    "avx512": Target(),
    "cascadelake": Target(permutes=False),
    "avx2": Target(permutes=False, words=False, quads=False),
    "generic": Target(permutes=False, shuffles=False, words=False, quads=False, narrows=False),
}
CASES = [
    (name, cpu)
    for name in NAMED
    for cpu in CPUS
    if name == "streamed" or (name != "default" and cpu in ("avx512", "generic"))
]


@pytest.mark.parametrize(("name", "cpu"), CASES)
def test_generated_source(name: str, cpu: str, request: pytest.FixtureRequest) -> None:
    algorithm = PatchAlgorithm(values="inverse")
    lowered = lower(algorithm.pipeline(), NAMED[name](algorithm, BUCKETS[0]), Layout(DENSE, {}, CPUS[cpu]))
    check(f"qwen_vl_{name}_{cpu}", outline(lowered).readable, bool(request.config.getoption("--update-golden")))


def test_generated_source_of_bfloat16(request: pytest.FixtureRequest) -> None:
    """Half the bytes between patches, and rounding where values are stored."""
    algorithm = PatchAlgorithm(values="inverse", dtype=bf16)
    halved = {dim: stride // 2 for dim, stride in DENSE["patches"].items()}
    layout = Layout({**DENSE, "patches": halved}, {}, CPUS["avx512"])
    lowered = lower(algorithm.pipeline(), NAMED["streamed"](algorithm, BUCKETS[0]), layout)
    check("qwen_vl_streamed_bf16_avx512", outline(lowered).readable, bool(request.config.getoption("--update-golden")))


def test_generated_source_where_turns_are_known(request: pytest.FixtureRequest) -> None:
    """Five to eight taps each way: what is computed for one vector is written out, without loops over taps."""
    algorithm = PatchAlgorithm(values="inverse")
    layout = Layout(DENSE, {"x_taps": (5, 8), "y_taps": (5, 8)}, CPUS["avx512"])
    lowered = lower(algorithm.pipeline(), NAMED["streamed"](algorithm, BUCKETS[1]), layout)
    check("qwen_vl_streamed_known_avx512", outline(lowered).readable, bool(request.config.getoption("--update-golden")))
