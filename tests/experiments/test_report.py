"""The report says what the tables say: every number is looked up, and a table that changes changes it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from rows import row

from autosched.errors import ArgumentError
from experiments.experiment import table
from experiments.look_ups import NONE, markdown
from experiments.report import README, REPORT, Tables, _judged, render, summarized, told_of, write
from experiments.results import Results


def test_the_report_is_that_of_the_tables() -> None:
    """Of the machine that it was written on; `autosched experiment report` writes it anew."""
    text = REPORT.read_text(encoding="utf-8")
    assert text == render(cpu_class=told_of(text))


def test_the_table_of_the_readme_is_looked_up() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == summarized(text) and text.count("\n| W") == 3
    assert summarized(re.sub(r"\\| W2.*\n", "", text)) == text


def test_a_number_that_changes_changes_the_report(tmp_path: Path) -> None:
    fields = {"workload": "w1", "measure": "speedup", "against": "hf-torchvision", "unit": "x"}
    base = row(workload="w1", implementation="hf-torchvision", value=20.0)
    Results(table("runtime", folder=tmp_path)).add([base, row(**fields, value=3.25)])
    first = render(tmp_path)
    Results(table("runtime", folder=tmp_path)).add([base, row(**fields, value=7.75)])
    second = render(tmp_path)
    assert "3.25" in first and "7.75" not in first and "7.75" in second and "3.25" not in second


def test_other_classes_of_cpus_have_sections_of_their_own(tmp_path: Path) -> None:
    fields = {"workload": "w1", "measure": "speedup", "against": "hf-torchvision", "unit": "x"}
    for name, speed in (("amd-a", 3.25), ("intel-b", 7.75)):
        base = row(workload="w1", implementation="hf-torchvision", value=20.0)
        Results(table("runtime", folder=tmp_path, cpu_class=name)).add([base, row(**fields, value=speed)])
    text = render(tmp_path, "amd-a")
    own, _, other = text.partition("## Another class of CPUs")
    assert "3.25" in own and "7.75" not in own and "7.75" in other and "3.25" not in other
    assert [t.cpu_class for t in Tables(tmp_path, "intel-b").others()] == ["amd-a"]


def test_what_there_is_none_of_is_a_dash(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    assert tables.value("runtime", workload="w1") == tables.times("memory") == NONE
    assert "(not measured yet)" in tables.memory_table()


def test_tables_of_speeds(tmp_path: Path) -> None:
    fast = {"measure": "speedup", "family": "siglip", "workload": "w1"}
    Results(table("families", folder=tmp_path)).add(
        [
            row(**fast, implementation="autosched", against="hf-torchvision", value=4.5),
            row(**fast, implementation="autosched-pil", against="hf-pil", value=8.25),
            row(**{**fast, "measure": "peak memory"}, case="memory of autosched", value=1.02),
        ]
    )
    Results(table("apps", folder=tmp_path)).add(
        [
            row(**{**fast, "workload": "blur", "family": "apps"}, implementation=name, against="halide", value=value)
            for name, value in (("halide", 1.0), ("autosched", 1.25))
        ]
    )
    tables = Tables(tmp_path)
    assert tables.families_table().splitlines()[2] == "| SigLIP | 4.5 / 8.25 | 1.02 |"
    header, _, line = tables.over("apps", "halide").splitlines()
    assert header == "| over halide | autosched |" and line == "| blur 3x3, u16, 2560x1600, 1 thread | 1.25 |"


def test_an_ambiguous_number_is_refused(tmp_path: Path) -> None:
    Results(table("runtime", folder=tmp_path)).add([row(threads=1), row(threads=2)])
    with pytest.raises(ArgumentError, match=r"2 rows with .*name more fields"):
        Tables(tmp_path).value("runtime", workload="640x480")


def test_verdicts_follow_the_intervals() -> None:
    def gain(part: str, low: float, high: float) -> object:
        return replace(row(part=part), value=(low + high) / 2, low=low, high=high)

    a, b, c = gain("storage", 3, 4), gain("axis", 2, 2.5), gain("fusion", 1, 1.2)
    assert _judged([a, b, c]).startswith("confirmed")  # type: ignore[list-item]
    assert _judged([a, gain("axis", 2, 3.5), c]).startswith("open")  # type: ignore[list-item]
    refuted = _judged([b, a, c])  # type: ignore[list-item]
    assert refuted.startswith("refuted") and "storage is worth more than axis" in refuted


def test_a_report_of_nothing_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no tables of this class of CPUs; `autosched experiment all` makes them"):
        write(tmp_path)


def test_markdown() -> None:
    assert markdown(["a", "b"], [["x", "1"]]) == "| a | b |\n|---|---:|\n| x | 1 |"
