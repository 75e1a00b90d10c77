"""The benchmark of Qwen2.5-VL runs end to end, resumes, and refuses wrong bits. Times are not judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from experiments import bench_qwen_vl, memory, qwen_vl
from experiments.cell import Cell
from experiments.exactness import InexactError
from experiments.results import Results
from experiments.schedules import bind, fingerprint, forced, named
from experiments.timing import Rounds
from experiments.workloads import WORKLOADS

for package in ("transformers", "torchvision", "skimage.data", "sklearn.datasets"):
    pytest.importorskip(package)

ONE = Rounds(least=1, most=1, seconds=0.0)
FEW = ("hf-torchvision", "autosched-v1", "autosched")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Runs the command on the tiny workload and returns what it prints."""
    app = typer.Typer()
    app.command()(bench_qwen_vl.main)

    def invoke(*arguments: str) -> str:
        common = ["--quick", "--workloads", "tiny", "--threads", "1", "--results", str(tmp_path)]
        done = CliRunner().invoke(app, [*common, *arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    return invoke


def rows_of(folder: Path) -> Results:
    (path,) = folder.glob("*.csv")
    return Results(path)


def test_quick_run_and_resume(run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run("--implementations", ",".join(FEW))
    assert all(name in printed for name in FEW) and "exact" in printed
    rows = list(rows_of(tmp_path))
    assert {row.implementation for row in rows} == {*FEW, "floor", "floor-nontemporal"}
    assert all(row.low <= row.value <= row.high and row.value > 0 for row in rows)
    assert all(row.exact for row in rows) and all(row.cpu and "numpy" in row.versions for row in rows)
    ours = {(row.measure, row.against) for row in rows if row.implementation == "autosched"}
    assert ours >= {
        ("time", ""),
        ("speedup", "hf-torchvision"),
        ("speedup", "hf-pil"),
        ("times floor", "floor"),
        ("times floor", "floor-nontemporal"),
    }

    timed: list[list[str]] = []
    original = Cell.runtime

    def spy(self: Cell, names: list[str], *rest: Any) -> Any:
        timed.append(list(names))
        return original(self, names, *rest)

    monkeypatch.setattr(Cell, "runtime", spy)
    run("--implementations", ",".join(FEW))
    assert timed == [], "everything was finished"
    run("--implementations", ",".join([*FEW, "autosched-v2"]))
    assert timed == [["autosched-v2"]]
    kept = {row.key: row for row in rows_of(tmp_path)}
    assert all(kept[row.key] == row for row in rows if row.implementation in FEW)
    run("--implementations", "autosched", "--fresh")
    assert timed[1:] == [["autosched"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--implementations", "nobody"), "nobody is not known"),
        (("--workloads", ""), "nothing is not known"),
        (("--threads", "0"), "not a list of numbers"),
    ],
)
def test_mistakes_in_options(run: Callable[..., str], arguments: tuple[str, ...], message: str) -> None:
    printed = " ".join(run(*arguments).replace("│", " ").split())
    assert message in printed


def test_wrong_bits_are_never_timed() -> None:
    def make(*_: Any) -> Any:
        right = qwen_vl.IMPLEMENTATIONS["hf-torchvision"].make(WORKLOADS["tiny"], 1)

        def run(images: Any) -> Any:
            output = right(images)
            return {**output, "pixel_values": output["pixel_values"] + 1}

        return run

    wrong = replace(qwen_vl.IMPLEMENTATIONS["autosched"], make=make)
    cell = Cell(WORKLOADS["tiny"], 1, {**qwen_vl.IMPLEMENTATIONS, "autosched": wrong}, ["hf-torchvision"])
    with pytest.raises(InexactError, match="autosched on 2 of 60x90, 1 threads is not hf-torchvision bit for bit"):
        cell.runtime(["autosched"], ONE, lambda done: None)

    tolerated = replace(wrong, exact=False)
    cell = Cell(WORKLOADS["tiny"], 1, {**qwen_vl.IMPLEMENTATIONS, "autosched": tolerated}, ["hf-torchvision"])
    rows = [row for row in cell.runtime(["autosched"], ONE, lambda done: None) if row.implementation == "autosched"]
    assert rows and all(not row.exact and "pixel_values differ" in row.note for row in rows)


def test_named_schedules_are_really_used() -> None:
    workload = WORKLOADS["tiny"]
    images = workload.images()
    seen = set()
    for name in ("v1", "v2", "v3"):
        with forced(named(name)):
            seen.add(fingerprint(bind(workload, images, "torchvision", 1)[0]))
    assert len(seen) == 3


def test_peak_memory_in_a_clean_process() -> None:
    if not memory._CLEAR_REFS.exists():
        pytest.skip("peak memory is read from /proc")
    peak = memory.measure("640x480", "hf-torchvision", 1)
    assert peak.output == (476 // 14) * (644 // 14) * 1176 * 4 + 3 * 8
    assert peak.ratio > 1 and peak.extra == peak.peak - peak.output
