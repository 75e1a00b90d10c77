"""Outlines: plain data that are kept beside compiled code, and spare the next process the lowering."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autosched.cache import cache_directory
from autosched.codegen import build, cache
from autosched.codegen.outline import Outline, outline
from autosched.errors import AutoschedWarning
from autosched.lang import Expr, Func, Input, Pipeline, clamp, f32, variables
from autosched.lower import Layout, lower
from autosched.lower.demands import Exclusion, Target
from autosched.runtime import Kernel
from autosched.schedule import Schedule
from autosched.vlm.passes import BUCKETS
from autosched.vlm.patches import NAMED, PatchAlgorithm

Y, X = variables("y x")
LAYOUT = Layout({"source": {1: 4}, "out": {1: 4}}, {})


def blur(weight: float = 0.25) -> Pipeline:
    """Three rows of a Func that is stored whole or in a folded window."""
    source, wide, out = Input("source", f32, 2), Func("wide"), Func("out")

    def at(y: Expr, x: Expr) -> Expr:
        return source[clamp(y, 0, source.extent(0) - 1), clamp(x, 0, source.extent(1) - 1)]

    wide[Y, X] = at(Y, X - 1) + at(Y, X) + at(Y, X + 1)
    out[Y, X] = (wide[Y - 1, X] + wide[Y, X] + wide[Y + 1, X]) * weight
    return Pipeline(out, "outlined")


ROWS = Schedule().compute_at("wide", "out", "y").store_root("wide").fold_storage("wide", "y", 4)


@pytest.fixture
def lowerings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the pipelines that are lowered from here on; the cache is empty."""
    seen: list[str] = []

    def counted(pipeline: Pipeline, schedule: Schedule, layout: Layout) -> object:
        seen.append(pipeline.name)
        return lower(pipeline, schedule, layout)

    monkeypatch.setattr(build, "lower", counted)
    monkeypatch.delenv("AUTOSCHED_VERIFY", raising=False)
    monkeypatch.setenv("AUTOSCHED_CACHE_DIR", str(tmp_path))
    cache_directory.cache_clear()
    yield seen
    monkeypatch.undo()
    cache_directory.cache_clear()


@pytest.mark.parametrize(
    ("schedule", "roots", "statuses"), [(Schedule().compute_root("wide"), 1, 0), (ROWS, 0, 1)], ids=["whole", "rows"]
)
def test_as_json(schedule: Schedule, roots: int, statuses: int) -> None:
    made = outline(lower(blur(), schedule, LAYOUT))
    assert Outline.from_json(made.to_json()) == made
    assert len(made.roots) == roots and len(made.statuses) == statuses
    assert made.required == {"source": 2} and list(made.stages[0].reads) == ["source"]


def test_as_json_with_windows_and_packs() -> None:
    """Qwen2.5-VL's patches from Pillow's memory."""
    algorithm = PatchAlgorithm(values="inverse")
    layout = Layout({"src": {1: 4, 2: 1}, "x_weight": {1: 2}, "y_weight": {1: 2}, "patches": {7: 4}}, {}, Target())
    made = outline(lower(algorithm.pipeline(), NAMED["streamed"](algorithm, BUCKETS[0]), layout))
    assert made.windows and made.packs and Outline.from_json(made.to_json()) == made


def test_a_second_process_lowers_nothing(lowerings: list[str]) -> None:
    """What a process has in memory of a kernel is in its Kernel; another Kernel begins as another process does."""
    image = np.random.default_rng(0).random((40, 50), np.float32)
    first = Kernel(blur(), ROWS)(source=image, shape=image.shape)
    assert lowerings == ["outlined"]
    second = Kernel(blur(), ROWS)(source=image, shape=image.shape)
    assert lowerings == ["outlined"] and np.array_equal(first, second)


def test_another_kernel_is_lowered(lowerings: list[str]) -> None:
    """Whatever differs in what is computed, how, or for which arrays, parameters and CPU."""
    cases: list[tuple[Pipeline, Schedule, Layout]] = [
        (blur(), ROWS, LAYOUT),
        (blur(0.5), ROWS, LAYOUT),
        (blur(), Schedule(), LAYOUT),
        (blur(), ROWS, Layout({"source": {1: 4}}, {})),
        (blur(), ROWS, Layout(LAYOUT.strides, {"height": (40, 40)})),
        (blur(), ROWS, Layout(LAYOUT.strides, {}, Target(permutes=False))),
        (blur(), ROWS, Layout(LAYOUT.strides, {}, Target(excluded=frozenset({Exclusion("source", "window")})))),
    ]
    for number, case in enumerate(cases, 1):
        build.draft(*case)
        assert len(lowerings) == number
    for case in cases:
        build.draft(*case)
    assert len(lowerings) == len(cases)


def test_what_is_broken_is_made_anew(lowerings: list[str], tmp_path: Path) -> None:
    made = build.draft(blur(), ROWS, LAYOUT).outline
    (path,) = tmp_path.glob("kernels/*.json")
    whole = path.read_bytes()
    for broken in (b"", whole[:-9], whole.replace(b"outlined", b"outlives"), made.to_json().encode(), b"\xff" * 40):
        path.write_bytes(broken)
        lowerings.clear()
        assert build.draft(blur(), ROWS, LAYOUT).outline == made
        assert lowerings == ["outlined"] and path.read_bytes() == whole


def test_a_full_disk_costs_only_time(lowerings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.warns(AutoschedWarning, match=r"cannot be written \(No space left on device\)"):
        build.draft(blur(), ROWS, LAYOUT)
    build.draft(blur(), ROWS, LAYOUT)
    assert len(lowerings) == 2
    assert list((tmp_path / "kernels").iterdir()) == []


def test_verified_means_lowered(lowerings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSCHED_VERIFY", "1")
    for number in (1, 2):
        build.draft(blur(), ROWS, LAYOUT)
        assert len(lowerings) == number


def test_another_compiler_lowers_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key has the code of every pass in it, for what is kept is what they made."""
    (tmp_path / "lower").mkdir()
    code = tmp_path / "lower" / "optimize.py"
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path)
    seen = set()
    for text in ("", "passes = 1\n", "passes = 2\n"):
        code.write_text(text)
        seen.add(cache.compiler_key.__wrapped__())
    assert len(seen) == 3
