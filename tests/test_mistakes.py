"""Mistakes that are easily made at the doors of the package are told apart in one line, before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autosched import Func, Input, Pipeline
from autosched.errors import AutoschedError, BindError, LanguageError, TuneError
from autosched.lang import Param, cast, i32, interpret, u8, variables
from autosched.runtime import Kernel
from autosched.tune import Budget, Task, load_space
from autosched.tune.task import USUAL_SECONDS
from autosched.workload import Binding, Workload

SPACE = """\
schema = 1
[knobs.lanes]
choices = [8, 16]
[funcs]
sums = [{ op = "vectorize", var = "x", lanes = "$lanes" }]
"""


def pipeline() -> Pipeline:
    y, x = variables("y x")
    source = Input("source", u8, 2)
    sums = Func("sums")
    sums[y, x] = cast(i32, source[y, x]) + cast(i32, source[y, x + 1])
    return Pipeline(sums, "sums")


IMAGE = np.zeros((4, 9), np.uint8)


def task(tmp_path: Path, space: str = SPACE, given: dict[str, Any] | None = None, **rest: Any) -> Task:
    (tmp_path / "sums.toml").write_text(space)
    workload = Workload("rows", (Binding({"source": IMAGE} if given is None else given, (4, 8)),))
    return Task(pipeline(), **{"space": load_space(str(tmp_path / "sums.toml")).space, "workload": workload, **rest})


MISTAKES: list[tuple[str, Callable[[], object], type[AutoschedError], str]] = [
    ("a Func", lambda: Kernel(Func("f")), BindError, "not of a Func; write Pipeline(output)"),  # type: ignore[arg-type]
    ("text", lambda: Kernel(pipeline(), "{}"), AutoschedError, "not a str; Schedule.from_json reads"),  # type: ignore[arg-type]
    ("numpy's type", lambda: Input("q", np.uint8, 2), LanguageError, "give u8 of autosched.lang"),  # type: ignore[arg-type]
    ("a name of a type", lambda: Param("q", "i32"), LanguageError, "give i32 of autosched.lang"),  # type: ignore[arg-type]
    ("no type", lambda: cast("word", 1), LanguageError, "give one of autosched.lang: u8, "),  # type: ignore[arg-type]
    ("an argument of calls", lambda: Input("out", u8, 2), LanguageError, "calls of a kernel have out, shape, threads"),
    ("the same of a Param", lambda: Param("threads"), LanguageError, "choose another name"),
    ("an int", lambda: Kernel(pipeline())(shape=8, source=IMAGE), BindError, "shape is 8; it must be a tuple"),  # type: ignore[arg-type]
    ("below 0", lambda: Kernel(pipeline())(shape=(-1, 8), source=IMAGE), BindError, "each at least 0"),
    ("dimensions", lambda: Kernel(pipeline())(shape=(8,), source=IMAGE), BindError, "sums has 2 dimensions"),
    ("threads", lambda: Kernel(pipeline())(shape=(4, 8), source=IMAGE, threads="2"), BindError, "threads is '2'"),  # type: ignore[arg-type]
    (
        "another name",
        lambda: interpret(pipeline(), (4, 8), {"s": IMAGE}),
        BindError,
        "input s is unknown; it takes source",
    ),
    ("nothing", lambda: interpret(pipeline(), (4, 8)), BindError, "input source is missing"),
    (
        "floats for bytes",
        lambda: interpret(pipeline(), (4, 8), {"source": IMAGE + 0.5}),
        BindError,
        "input source is float64 with 2 dimensions; sums takes uint8 with 2",
    ),
]


@pytest.mark.parametrize(("mistake", "kind", "message"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_mistakes(mistake: Callable[[], object], kind: type[AutoschedError], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        mistake()


def test_an_input_may_be_called_self() -> None:
    (x,) = variables("x")
    source, out = Input("self", u8, 1), Func("twice")
    out[x] = cast(i32, source[x]) * 2
    assert Kernel(Pipeline(out))(shape=(3,), self=np.arange(3, dtype=np.uint8)).tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": SPACE.replace("sums =", "sumz =")}, "for Func sumz, which pipeline sums does not have; it has sums"),
        ({"space": SPACE.replace('"x"', '"q"')}, "the default point of search space sums is no schedule of sums: .*q"),
        ({"given": {"sorce": IMAGE}}, "a call of workload rows is given sorce; sums takes source"),
        ({"given": {}}, "a call of workload rows lacks source"),
    ],
)  # fmt: skip
def test_tasks_that_do_not_fit(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """A search would time nothing but the default, and end well."""
    with pytest.raises(TuneError, match=message):
        task(tmp_path, **change)


def test_a_file_is_no_space(tmp_path: Path) -> None:
    given = task(tmp_path)
    with pytest.raises(TuneError, match="the space of a task is a SpaceFile; give a Space"):
        Task(given.pipeline, load_space(tmp_path / "sums.toml"), given.workload)  # type: ignore[arg-type]


def test_a_number_of_trials_is_no_time() -> None:
    assert Budget().seconds == USUAL_SECONDS and Budget(trials=3).seconds is None
    assert Budget(trials=3, seconds=5.0).seconds == 5.0
