"""Records of a pipeline that was tuned on several workloads, on invented times."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import synthetic

from autosched.errors import TuneError
from autosched.records import Record, merge
from autosched.schedule import Schedule
from autosched.tune.covering import FINALISTS, covering, finalists
from autosched.tune.finals import Final, Standing
from autosched.tune.matrix import Matrix, MatrixRow, cover
from autosched.tune.matrix_file import keep, kept
from autosched.tune.measure import Estimate
from autosched.tune.run import Result

A, B, C = (Schedule().parallel(name, "y") for name in "abc")
EXACT = Estimate(1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder: Path = tmp_path_factory.mktemp("study")
    return synthetic.search(folder, folder / "log", 6)


def row(bucket: str, items: int = 1, **ms: float) -> MatrixRow:
    times = {label: (took / 1e3,) * 7 for label, took in ms.items()}
    return MatrixRow(bucket, "default", times, times["default"], items)


def search(record: Record, trials: int, **changes: Any) -> Record:
    return record.model_copy(update={"search": record.search.model_copy(update={"trials": trials, **changes})})


def test_records_of_a_cover(result: Result) -> None:
    """One a bucket: the schedule that serves it, the trials of its searches, the times where it gains least."""
    matrix = Matrix(
        {"default": A, "b": B, "c": C},
        {
            "x": row("wide", default=4.0, b=2.0, c=2.02),
            "y": row("wide", items=2, default=10.0, b=9.9, c=9.0),
            "z": row("narrow", default=1.0, b=3.0, c=3.0),
        },
    )
    found = cover(matrix)
    assert found.serves == {"wide": "c", "narrow": "default"}
    x, y = search(result.record, 40, seconds=10.0), search(result.record, 30, seconds=5.0)
    (made,) = covering(matrix, found, {"wide": [x, y, x]}, None, "cold-source")
    assert made.key == x.key and made.schedule == C
    assert (made.search.trials, made.search.seconds, made.search.rounds) == (70, 15.0, 7)
    assert (made.search.workload, made.search.conditions) == ("y", "cold-source")
    assert (made.times.schedule.median, made.times.default.median) == (4.5, 5.0)  # of each of two items
    assert made.times.speedup.median == pytest.approx(10 / 9, abs=1e-4)
    assert made.losses == {"x": 0.01, "y": 0.0} and made.machine is None
    assert merge([x, y], [made]) == merge([made], [y, x]) == (made,)
    again = covering(matrix, found, {"wide": [made]}, None, "warm")
    assert again[0].search.trials == 70  # written to again, it does not grow
    assert covering(matrix, found, {}, None, "warm") == []


def test_who_is_compared(result: Result) -> None:
    """Of each search the winner and what came close, without what is there already."""

    def ended(*speedups: tuple[str, Schedule, float]) -> Result:
        standings = tuple(Standing(n, s, EXACT, Estimate(v, v, v)) for n, s, v in (*speedups, ("default", A, 1.0)))
        return dataclasses.replace(result, final=Final(standings, 0.0, 7, 1))

    many = [(f"t{i}", Schedule().unroll("a", "y", i + 2), 1.99) for i in range(FINALISTS + 1)]
    made = finalists(
        {
            "x": ended(("b", B, 2.0), ("c", C, 1.85)),
            "y": ended(("b again", B, 1.02), ("c", C, 1.01)),
            "z": ended(("d", Schedule(), 2.0), *many),
        }
    )
    assert list(made) == ["x: b", "y: c", "z: d", *(f"z: t{i}" for i in range(FINALISTS - 1))]
    same = finalists({"x": ended(("t, simplified", B, 2.0), ("t, simplified", C, 2.0))})
    assert same == {"x: t, simplified": B, "x: t, simplified (2)": C}


def test_a_matrix_is_kept_for_the_report(result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was; not for another algorithm, version or number of threads, and not where it cannot be read."""
    monkeypatch.setenv("AUTOSCHED_STATE_DIR", str(tmp_path))
    key = result.record.key
    matrix = Matrix({"default": A, "b": B}, {"x": row("wide", items=3, default=4.0, b=2.0)})
    assert kept("blur", key) is None
    path = keep(matrix, cover(matrix), "blur", key, "warm")
    found = kept("blur", key)
    assert found is not None and found.matrix == matrix and found.cover == cover(matrix)
    for change in ({"algorithm": "0" * 64}, {"autosched": "9"}, {"threads": 7}):
        assert kept("blur", key.model_copy(update=change)) is None
    path.write_text(path.read_text()[:40])
    assert kept("blur", key) is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUTOSCHED_STATE_DIR", str(tmp_path / "file"))
    with pytest.raises(TuneError, match=r"cannot be written: .*; set AUTOSCHED_STATE_DIR to a directory"):
        keep(matrix, cover(matrix), "blur", key, "warm")
