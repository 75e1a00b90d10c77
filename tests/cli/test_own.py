"""`FILE.py:NAME`: a pipeline in a file of the user's under the same commands as registered kernels."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import pytest
from command import Command

from autosched.records import read, tuned
from autosched.runtime.cpu import fingerprint

FILE = """\
import sys

from autosched import Func, Input, Pipeline, Schedule
from autosched.lang import cast, i32, u8, variables
from autosched.tune import Task, derive, random_workload
import beside

y, x = variables("y x")
source = Input("source", u8, 2)
rows, blur = Func("rows"), Func("blur")
rows[y, x] = cast(i32, source[y, x]) + cast(i32, source[y, x + 1]) + cast(i32, source[y, x + 2])
blur[y, x] = cast(u8, (rows[y, x] + rows[y + 1, x] + rows[y + 2, x]) // beside.NINE)
pipeline = Pipeline(blur, "own-blur")
print("of the file's own")


def task():
    schedules = {"default": Schedule(), "root": Schedule().compute_root("rows")}
    return Task(pipeline, derive(pipeline), random_workload(pipeline, (30, 70)), schedules)


def of(width):
    return pipeline


def broken():
    return 1 / 0


if __name__ == "__main__":
    sys.exit("run as a script")
"""


@pytest.fixture
def mine(places: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with pipelines, beside a module that it imports, in the directory of the command."""
    monkeypatch.chdir(places)
    monkeypatch.setattr("sys.path", [*sys.path])
    (places / "beside.py").write_text("NINE = 9\n")
    (places / "blur.py").write_text(FILE)
    return places / "blur.py"


def records(places: Path) -> Path:
    return places / "tuned" / fingerprint().cpu_class / "own-blur.json"


def test_a_pipeline_on_shapes_of_its_output(autosched: Command, mine: Path) -> None:
    said = autosched("space", "blur.py:pipeline")
    assert said.status == 0 and said.out.startswith("blur.py:pipeline: ") and "rows_at: inline*" in said.out
    assert said.err == "of the file's own\n"  # what a file prints does not get between what programs read
    assert "`autosched tune blur.py:pipeline -w 480x640` makes a record" in autosched("explain", "blur.py:pipeline").out

    first = ("tune", "blur.py:pipeline", "-w", "30x70", "-t", "1")
    said = autosched(*first, "--trials", "3")
    assert said.status == 0, said.err
    assert "blur.py:pipeline, bucket any, 30x70: 3 schedules timed" in said.out
    assert "4 schedules timed (3 before)" in autosched(*first, "--trials", "4").out
    (record,) = read(records(mine.parent))
    assert (record.search.workload, record.search.kernel) == ("30x70", "blur.py:pipeline")

    said = autosched("show", "blur.py:pipeline", "-t", "1", "--level", "json")
    assert json.loads(said.out) == json.loads(json.dumps(record.schedule.to_data()))
    assert said.err.endswith("blur.py:pipeline, bucket any, 1 thread: exact\n")
    answer = tuned(runpy.run_path("blur.py")["pipeline"], threads=1)
    assert answer.rung == "exact" and answer.schedule == record.schedule
    said = autosched("bench", "blur.py:pipeline", "-w", "30x70", "-w", "20x90", "-t", "1", "--time-budget", "50ms")
    assert "30x70" in said.out and "20x90" in said.out and re.search(r"^tuned +[\d.e-]+ ", said.out, re.MULTILINE)
    said = autosched("ablate", f"{mine}:pipeline", "-w", "30x70", "-k", "unroll", "-t", "1", "--time-budget", "50ms")
    assert said.status == 0 and "unroll = 2" in said.out
    (table,) = Path("ablation").glob("*.csv")
    assert table.name.endswith("blur.py_pipeline-30x70-1.csv")


def test_several_shapes_share_a_schedule(autosched: Command, mine: Path) -> None:
    said = autosched("tune", "blur.py:pipeline", "-w", "30x70", "-w", "90x20", "-t", "1", "--trials", "2")
    assert said.status == 0, said.err
    (record,) = read(records(mine.parent))
    assert record.losses is not None and record.losses.keys() == {"30x70", "90x20"}


def test_a_task_has_its_own_workload_and_schedules(autosched: Command, mine: Path) -> None:
    said = autosched("tune", "blur.py:task", "-t", "1", "--trials", "3")
    assert said.status == 0, said.err
    assert "blur.py:task, bucket 30x70, 30x70: 3 schedules timed" in said.out and "\nroot " in said.out
    assert "bucket 30x70, 1 thread: exact" in autosched("show", "blur.py:task", "-t", "1").err
    answer = tuned(runpy.run_path("blur.py")["pipeline"], threads=1)
    assert answer.rung == "same CPU class" and "bucket is 30x70, wanted any" in answer.explain()
    assert "tuned are also" not in autosched("show", "blur.py:task", "-s", "root", "-t", "1").err
    said = autosched("tune", "blur.py:task", "-w", "9x9")
    assert said.status == 2 and "search space own-blur has no workload '9x9'; it has 30x70" in said.err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("nothing.py:pipeline", "there is no file nothing.py; give FILE.py:NAME"),
        ("blur.py", "say which pipeline of blur.py; it has blur.py:pipeline"),
        ("blur.py:pipline", "blur.py has no pipline; did you mean blur.py:pipeline?"),
        ("blur.py:zzz", "blur.py has no zzz; it has blur.py:pipeline"),
        ("blur.py:blur", "blur.py:blur is neither a Pipeline nor a Task but a Func; write Pipeline(blur)"),
        ("blur.py:FILE", "blur.py has no FILE; it has blur.py:pipeline"),
        ("blur.py:of", "blur.py:of takes arguments; name a function without any that returns a Pipeline or a Task"),
        ("blur.py:broken", "blur.py:27: ZeroDivisionError: division by zero"),
        ("blur.py:pipeline", "say for which shape of blur[y, x]: -w 480x640; or name a Task, which has a workload"),
        ("blur.py:pipeline -w 1x2x3", "-w '1x2x3' is no shape of blur[y, x]; write it as in -w 480x640"),
        ("blur.py:pipeline --images .", "--images . are for registered kernels; a Task has the arrays of its calls"),
    ],
)
def test_mistakes(autosched: Command, mine: Path, arguments: str, why: str) -> None:
    said = autosched("tune", *arguments.split())
    assert said.status == 2 and said.err.splitlines()[-1] == f"error: {why}" and not said.out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pipeline = (", "own.py:1: SyntaxError: '(' was never closed"),
        ("\nimport nowhere_to_be_found", "own.py:2: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("import sys\nsys.exit(3)", "own.py:2: SystemExit: 3"),
    ],
)
def test_files_that_do_not_run(autosched: Command, mine: Path, text: str, why: str) -> None:
    (mine.parent / "own.py").write_text(text)
    said = autosched("space", "own.py:pipeline")
    assert said.status == 2 and said.err.startswith(f"error: {why}") and "Traceback" not in said.err


def test_jobs_find_the_file(autosched: Command, mine: Path) -> None:
    said = autosched("tune", "blur.py:pipeline", "-w", "30x70", "--slurm", "--dry-run")
    assert said.status == 0, said.err
    assert f"autosched tune {mine}:pipeline --workload 30x70\n" in said.out
    assert "--job-name=autosched-blur.py_pipeline\n" in said.out and "/slurm/blur.py_pipeline-" in said.out
