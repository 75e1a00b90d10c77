"""A small kernel family to tune in tests: a 3x3 box blur of one byte plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autosched.lang import Func, Input, Pipeline, cast, i32, u8, variables
from autosched.schedule import Schedule
from autosched.vlm.registry import KernelFamily
from autosched.workload import Binding, Bucket, Workload

if TYPE_CHECKING:
    import pytest

SPACE = """\
schema = 1

[knobs.rows]
choices = ["root", "at", "inline"]
default = "root"

[knobs.block]
choices = [1, 8, 16]

[knobs.lanes]
choices = [8, 16, 32]

[[constraints]]
forbid = { rows = "inline", block = 16 }

[funcs]
rows = [
  { op = "compute_root", when = { rows = "root" } },
  { op = "compute_at", func = "blur", var = "yo", when = { rows = "at" } },
  { op = "vectorize", var = "x", lanes = "$lanes", when = { rows = ["root", "at"] } },
]
blur = [
  { op = "split", var = "y", outer = "yo", inner = "yi", factor = "$block" },
  { op = "parallel", var = "yo" },
  { op = "vectorize", var = "x", lanes = "$lanes" },
]

[points.wide]
rows = "at"
block = 8
lanes = 32

[[workloads]]
name = "small"
samples = { sizes = [[40, 50]] }

[[workloads]]
name = "large"
samples = { sizes = [[300, 400]], count = 2 }
tune = false
"""


def pipeline() -> Pipeline:
    y, x = variables("y x")
    image = Input("image", u8, 2)
    rows, blur = Func("rows"), Func("blur")
    rows[y, x] = cast(i32, image[y, x]) + cast(i32, image[y, x + 1]) + cast(i32, image[y, x + 2])
    blur[y, x] = cast(u8, (rows[y, x] + rows[y + 1, x] + rows[y + 2, x]) // 9)
    return Pipeline(blur, "blur-test")


def specimens(samples: Mapping[str, Any]) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (h, w), np.uint8) for w, h in samples["sizes"] for _ in range(samples.get("count", 1))]


def workload(images: Sequence[Any], settings: Mapping[str, Any]) -> Workload:
    arrays = [np.asarray(im if isinstance(im, np.ndarray) else im.convert("L")) for im in images]
    bindings = tuple(Binding({"image": a}, (a.shape[0] - 2, a.shape[1] - 2)) for a in arrays)
    pixels = float(np.mean([a.size for a in arrays]))
    return Workload("images", bindings, {"pixels": pixels}, items=len(arrays))


def numpy_job(images: Sequence[Any], settings: Mapping[str, Any]) -> Callable[[], object]:
    arrays = [np.asarray(im).astype(np.int32) for im in images]

    def job() -> object:
        return [(a[:-2, :-2] + a[1:-1, 1:-1] + a[2:, 2:]) // 3 for a in arrays]

    return job


def missing_job(images: Sequence[Any], settings: Mapping[str, Any]) -> Callable[[], object]:
    raise ImportError("No module named 'nothing'", name="nothing")


FAMILY = KernelFamily(
    name="blur-test",
    summary="3x3 box blur, for tests",
    pipeline=pipeline,
    schedules={
        "default": lambda bucket: Schedule(),
        "v1": lambda bucket: Schedule().compute_root("rows"),
        "v3": lambda bucket: Schedule().vectorize("blur", "x", 16),
    },
    specimens=specimens,
    workload=workload,
    buckets=(Bucket("small", {"pixels": 2e3}), Bucket("large", {"pixels": 1.2e5})),
    peers={"numpy": numpy_job, "nothing": missing_job},
)


def make_only_kernel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry has no other family, search spaces come from `folder`, and studies and records go there."""
    from autosched.cli import samples
    from autosched.vlm import registry

    (folder / "search_spaces").mkdir()
    (folder / "search_spaces" / "blur-test.toml").write_text(SPACE)
    monkeypatch.setattr(samples, "shipped", lambda name: folder / name)
    monkeypatch.setattr(registry, "_families", {FAMILY.name: FAMILY})
    monkeypatch.setenv("AUTOSCHED_TUNED_DIR", str(folder / "tuned"))
    monkeypatch.setenv("AUTOSCHED_STATE_DIR", str(folder / "state"))
