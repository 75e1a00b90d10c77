"""Rows survive the file, replace what they supersede, and tell what is finished."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rows import HERE, row

from experiments.results import Results

PLACE = ("qwen2.5-vl", "640x480", 1, "")


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "made" / "results.csv"
    rows = [row(), row(measure="speedup", against="hf-pil", exact=False, value=12.5, low=12.25, high=13.0)]
    Results(path).add(rows)
    assert sorted(Results(path), key=lambda r: r.key) == sorted(rows, key=lambda r: r.key)


def test_adding_keeps_other_places_and_drops_what_was_there(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.csv")
    others = [row(workload="w2"), row(case="another"), row(threads=2), row(family="llava-next")]
    results.add([*others, row(measure="speedup", against="a"), row(implementation="hf-pil"), row()])
    results.add([row(measure="speedup", against="b", value=7.0)])
    expected = [*others, row(measure="speedup", against="b", value=7.0)]
    assert sorted(Results(results.path), key=lambda r: r.key) == sorted(expected, key=lambda r: r.key)


def test_the_file_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = [row(workload=name) for name in ("w2", "w3", "w1")]
    for name, order in (("a", rows), ("b", rows[::-1])):
        Results(tmp_path / name).add(order)
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a", "b"]


def test_what_is_measured(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.csv")
    results.add([row(), row(implementation="hf-pil"), row(workload="w2", implementation="floor")])
    reread = Results(results.path)
    assert reread.measured(HERE, PLACE) == {"autosched", "hf-pil"}
    assert reread.measured(HERE, ("qwen2.5-vl", "640x480", 2, "")) == set()
    assert reread.measured(HERE, ("llava-next", "640x480", 1, "")) == set()


@pytest.mark.parametrize("change", [{"cpu": "another"}, {"cpus": 4}, {"versions": "numpy 3"}, {"code": "other"}])
def test_another_environment_is_measured_anew(tmp_path: Path, change: dict[str, object]) -> None:
    results = Results(tmp_path / "results.csv")
    results.add([row()])
    assert results.measured(replace(HERE, **change), PLACE) == set()  # type: ignore[arg-type]
