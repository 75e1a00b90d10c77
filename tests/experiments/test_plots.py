"""Every figure is drawn from any table, with bars where the numbers are, and the same table gives the same files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import pytest
from matplotlib import pyplot as plt
from rows import row

from autosched.errors import ArgumentError
from experiments.experiment import EXPERIMENTS, table
from experiments.results import Results, Row
from experiments.studies.unseen_shapes import LOOKED_UP
from plots import plot_pareto, style, tables
from plots.bars import Bar, grouped, number

SCRIPTS = sorted({script for experiment in EXPERIMENTS.values() for script in experiment.plots})


def spread(**fields: object) -> Row:
    value = float(fields.pop("value"))  # type: ignore[arg-type]
    return row(value=value, low=0.9 * value, high=1.2 * value, **fields)


def runtime() -> Iterable[Row]:
    for family in ("qwen2.5-vl", "llava-next"):
        for threads in (1, 2):
            for name, speed in (("hf-torchvision", 1.0), ("hf-pil", 0.3), ("autosched", 12.0)):
                place = {"family": family, "workload": "w4", "threads": threads, "implementation": name}
                yield spread(**place, measure="time", value=100 / speed / threads)
                yield spread(**place, measure="speedup", against="hf-torchvision", value=speed)
                yield spread(**place, measure="times floor", against="floor", value=20 / speed)


TABLES = {
    "runtime": list(runtime()),
    "scaling": [
        spread(threads=2, implementation=name, measure="scaling", against="1", value=value)
        for name, value in (("hf-torchvision", 1.1), ("autosched", 1.7))
    ],
    "memory": [
        spread(workload="w4", threads=2, case=name, implementation=name, measure="peak memory", value=value)
        for name, value in (("hf-torchvision", 3.0), ("autosched", 1.1))
    ],
    "profile": [
        spread(part=stage, measure=measure, unit=unit, value=value)
        for stage, value in (("resample", 0.4), ("layout", 0.6), ("", 10.0))
        for measure, unit in ((("share", ""), ("time", "ms")) if stage else (("time", "ms"), ("moved", "x")))
    ],
    "schedules": [
        spread(part=part, measure="gain", against="v1 / v2", value=2.0) for part in ("pointwise fusion", "vectors")
    ],
    "restated": [spread(part="division", measure="time ratio", against="restated and scheduled", value=1.3)],
    "strips": [
        spread(part=str(rows), measure=measure, value=value)
        for rows, value in ((8, 1.2), (32, 1.0), (64, 1.1))
        for measure in ("time ratio", "working set")
    ],
    "unseen-shapes": [
        spread(implementation=LOOKED_UP, measure="time over", note="bucket native, exact", value=1.05),
    ],
    "apps": [
        spread(workload="blur", implementation=name, measure="speedup", against="halide-adams2019", value=value)
        for name, value in (("autosched", 1.3), ("halide-adams2019", 1.0))
    ],
    "families": [
        spread(family=family, workload="w1", implementation=ours, measure="speedup", against=theirs, value=5.0)
        for family in ("siglip", "gemma3-pan-and-scan")
        for ours, theirs in (("autosched", "hf-torchvision"), ("autosched-pil", "hf-pil"))
    ],
    "endtoend": [
        spread(family="smolvlm-256m", workload="1920x1080", case=case, part=part, measure=measure, value=5.0)
        for case, part, measure in (
            ("", "", "share"),
            ("stream", "in turns", "throughput"),
            ("stream", "overlapped", "throughput"),
        )
    ],
    "ablation": [
        spread(part="leave-one-out: parallel of tiles", measure="time ratio", value=1.9),
        spread(part="one-at-a-time: lanes = 8", measure="time ratio", value=0.7),
        spread(part="importance: lanes", measure="share", value=0.7),
    ],
}  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name, rows in TABLES.items():
        Results(table(name, folder=tmp_path)).add(rows)
    return tmp_path


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_figure(script: str, results: Path, tmp_path: Path) -> None:
    figures = import_module(f"plots.plot_{script}").figures
    first, second = (tables.draw(figures, tmp_path / folder, results) for folder in "ab")
    assert first and [path.name for path in first] == [path.name for path in second]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))


def test_there_is_a_table_for_every_figure() -> None:
    drawn = {name for name, experiment in EXPERIMENTS.items() if experiment.plots}
    assert drawn <= set(TABLES)


def test_bars_are_where_the_numbers_are() -> None:
    style.apply()
    figure, axes = plt.subplots()
    grouped(axes, [("a", [Bar("us", 4.0, 3.5, 4.5, "#000000")])], log=True, base=1.0)
    (bar,) = axes.patches
    assert (bar.get_x(), bar.get_x() + bar.get_width()) == (1.0, 4.0)  # type: ignore[attr-defined]
    assert any(list(line.get_xdata()) == [3.5, 4.5] for line in axes.lines)  # type: ignore[arg-type]
    assert [text.get_text() for text in axes.texts] == ["4  us"]
    plt.close(figure)


def test_numbers_have_the_digits_that_mean_something() -> None:
    assert [number(value) for value in (0.123, 1.26, 12.34, 456.7)] == ["0.12", "1.3", "12.3", "457"]


def test_the_frontier_is_what_nothing_beats() -> None:
    points = {"fast": (1.0, 3.0), "small": (3.0, 1.0), "both": (2.0, 2.0), "worse": (2.5, 2.0), "worst": (4.0, 4.0)}
    assert plot_pareto.frontier(points) == ["fast", "both", "small"]


def test_a_missing_table_says_how_it_is_made(tmp_path: Path) -> None:
    made = f"no table of runtime; `autosched experiment run runtime --results {tmp_path}` makes it"
    with pytest.raises(ArgumentError, match=re.escape(made)):
        tables.rows("runtime", tmp_path)


def test_every_figure_is_shown_and_every_shown_figure_is_there() -> None:
    folder = style.FIGURES.parent
    shown = re.findall(r"\(figures/([^)]+)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(path.name for path in style.FIGURES.iterdir())
