"""Whole runs on a small pipeline: the record, resuming, interruption, failing candidates."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import blur_family
import numpy as np
import pytest
import synthetic

import autosched
from autosched.errors import TuneError
from autosched.lang import Pipeline
from autosched.lang.fingerprint import fingerprint
from autosched.records import Record
from autosched.runtime import Kernel
from autosched.runtime import compile as compile_kernel
from autosched.schedule import Schedule
from autosched.tune import Budget, Interrupted, Method, Progress, Task, candidate, closing, run, tune
from autosched.tune.bench import LocalBench, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.check import reference
from autosched.tune.constraints import Condition
from autosched.tune.effort import PRESETS
from autosched.tune.measure import Race
from autosched.tune.run import Result
from autosched.tune.space import Knob, Ref, Space, Template
from autosched.tune.space_file import parse_space
from autosched.tune.study import SIMPLIFIED, Trial
from autosched.workload import Workload

FILE = parse_space(blur_family.SPACE, Path("blur-test.toml"))
FAST = Budget(trials=6, seconds=None)


@pytest.fixture(autouse=True)
def _short_and_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """test_isolated.py is about worker processes."""
    monkeypatch.setattr(closing, "FINAL_SECONDS", 0.05)
    monkeypatch.setattr(closing, "SIMPLIFY_SECONDS", 0.05)
    monkeypatch.setattr(run, "IsolatedBench", LocalBench)


def task(**changes: Any) -> Task:
    images = blur_family.specimens(FILE.workload("small").samples)
    schedules = {name: make(blur_family.FAMILY.buckets[0]) for name, make in blur_family.FAMILY.schedules.items()}
    made = Task(blur_family.pipeline(), FILE.space, blur_family.workload(images, {}), schedules)
    return dataclasses.replace(made, **changes)


def test_others_are_compared_with_the_default_of_the_space_unless_one_is_given() -> None:
    default = FILE.space.schedule(FILE.space.default())
    assert list(task(schedules={"root": Schedule()}).schedules.items()) == [("default", default), ("root", Schedule())]
    assert task(schedules={"default": Schedule()}).schedules == {"default": Schedule()} != {"default": default}


def counted(result: Result) -> list[Trial]:
    """The trials that a budget counts: no code that was known, and nothing that a winner was simplified to."""
    return [t for t in result.trials if t.outcome.kind != "duplicate" and not t.name.endswith(SIMPLIFIED)]


def test_a_run_finds_a_right_and_recorded_schedule(tmp_path: Path) -> None:
    seen: list[Progress] = []
    result = tune(task(), FAST, threads=2, report=seen.append, directory=tmp_path, method=Method(seed=1))
    assert [t.name for t in result.trials[:3]] == ["default", "v1", "v3"]
    first = result.trials[3]
    assert first.point == {"rows": "root", "block": 1, "lanes": 8}  # the space's default, then the named point
    assert result.trials[4].point == {"rows": "at", "block": 8, "lanes": 32}
    assert result.resumed == 0 and not result.exhausted
    assert len(counted(result)) == 6
    assert str(result).startswith(f"{result.final.winner.label} of {len(result.trials)} trials, ")
    stages = [p.stage for p in seen]
    assert stages[0] == "check" and list(dict.fromkeys(stages))[1:] == ["search", "final", "simplify"]
    assert all(p.best_speedup >= 1.0 for p in seen)

    record = result.record
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert record.key.algorithm == fingerprint(blur_family.pipeline())
    assert record.key.autosched == autosched.__version__
    assert record.key.threads == 2 and record.key.bucket.measures == {"pixels": 2000.0}
    assert record.search.trials == 6 and record.search.space == FILE.space.identity
    assert record.times.schedule.median <= record.times.default.median * 1.2
    call = task().workload.bindings[0]
    kernel = compile_kernel(blur_family.pipeline(), result.schedule)
    assert np.array_equal(kernel(shape=call.shape, **call.given), reference(kernel.pipeline, call))


def test_resume_continues_where_it_ended(tmp_path: Path) -> None:
    first = tune(task(), Budget(trials=4, seconds=None), threads=1, directory=tmp_path)
    second = tune(task(), FAST, threads=1, directory=tmp_path)
    assert second.resumed == 4 and second.trials[: len(first.trials)] == first.trials
    assert second.record.search.trials == 6
    third = tune(task(), FAST, threads=1, directory=tmp_path)
    assert counted(third) == counted(second) and third.resumed == 6


def test_ctrl_c_keeps_everything(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.last is not None and progress.trials == 5:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="stopped after 5 trials, all kept in") as stopped:
        tune(task(), FAST, threads=1, report=stop, directory=tmp_path)
    assert stopped.value.trials == 5 and Path(stopped.value.study).is_file()
    result = tune(task(), FAST, threads=1, directory=tmp_path)
    assert result.resumed == 5 and result.record.search.trials == 6


def test_studies_are_apart(tmp_path: Path) -> None:
    """Another workload, space or number of threads is another study."""
    tune(task(), Budget(trials=4, seconds=None), threads=1, directory=tmp_path)
    other = blur_family.workload(blur_family.specimens({"sizes": [[41, 50]]}), {})
    space = Space("x", FILE.space.knobs[:2], (), FILE.space.templates[:1] + FILE.space.templates[3:5])
    for changed, threads in ((task(workload=other), 1), (task(space=space), 1), (task(), 2)):
        assert tune(changed, Budget(trials=4, seconds=None), threads=threads, directory=tmp_path).resumed == 0


def test_small_spaces_are_exhausted(tmp_path: Path) -> None:
    space = Space("s", (Knob("b", (4, 8), 4),), (), (Template("blur", "unroll", (("var", "y"), ("factor", Ref("b")))),))
    result = tune(task(space=space), Budget(trials=99), threads=1, directory=tmp_path)
    assert result.exhausted and {t.point["b"] for t in result.trials if t.point} == {4, 8}


def test_every_failure_costs_one_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An illegal candidate, one that breaks the compiler, one that computes nonsense, one that raises as it runs."""
    kinds = ("fine", "infeasible", "compile", "wrong", "crash")
    lanes = dict(zip(kinds, (2, 4, 8, 16, 32), strict=True))
    templates = [
        Template("blur", "vectorize", (("var", "x"), ("lanes", n)), Condition((("kind", (k,)),)))
        for k, n in lanes.items()
    ]
    nowhere = Template("blur", "unroll", (("var", "nowhere"), ("factor", 2)), Condition((("kind", ("infeasible",)),)))
    space = Space("s", (Knob("kind", kinds, "fine"),), (), (*templates, nowhere))

    def kind_of(schedule: Schedule) -> str:
        text = str(schedule.to_data())
        return next((k for k, n in lanes.items() if f"'lanes': {n}," in text), "fine")

    real_compile, real_check = candidate.compile_kernel, candidate.first_difference

    def compile_or_break(pipeline: Pipeline, schedule: Schedule) -> Kernel:
        if kind_of(schedule) == "compile":
            raise IndexError("no registers left")
        return real_compile(pipeline, schedule)

    def check_or_break(kernel: Kernel, checks: Any, threads: Any) -> str | None:
        if kind_of(kernel.schedule) == "crash":
            raise KeyError("stage")
        return "bits" if kind_of(kernel.schedule) == "wrong" else real_check(kernel, checks, threads)

    monkeypatch.setattr(candidate, "compile_kernel", compile_or_break)
    monkeypatch.setattr(candidate, "first_difference", check_or_break)
    only = task(space=space, schedules={"default": Schedule()})
    result = tune(only, Budget(trials=99), threads=1, directory=tmp_path)
    found = {t.point["kind"]: t.outcome for t in result.trials if t.point and t.outcome.kind != "duplicate"}
    assert found.keys() == set(kinds)
    assert {k: o.kind for k, o in found.items() if k != "fine"} == {k: k for k in kinds[1:]}
    assert found["fine"].ratio is not None and all(found[k].ratio is None for k in kinds[1:])
    assert "nowhere" in found["infeasible"].message and found["wrong"].message == "bits"
    assert found["compile"].message.startswith("IndexError") and found["crash"].message.startswith("KeyError")
    assert {s.label for s in result.final.standings} <= {"default", *(f"trial {t.number}" for t in result.trials)}


class FailsAsRival(synthetic.Synthetic):
    """Whatever leads fails as soon as something else is raced against it."""

    def race(self, candidate: Ready, rival: Ready, *, seconds: float = 0.3, least: int = 3) -> Race:
        if rival.schedule != self.job.default:
            raise CandidateError("crash", "SIGSEGV", 1)
        return super().race(candidate, rival, seconds=seconds, least=least)


def test_a_leader_that_fails_in_a_race_leaves_the_default_leading(tmp_path: Path) -> None:
    """Its time, its speedup and its name go together."""
    seen: list[Progress] = []
    seeds = {
        "fast": synthetic.SPACE.schedule({"factor": 8, "lanes": 16}),
        "as the default": Schedule().vectorize("blur", "x", 4),
    }
    only = task(space=synthetic.SPACE, schedules={"default": Schedule()}, seeds=seeds)
    budget = Budget(trials=3, seconds=None)
    tune(only, budget, threads=1, report=seen.append, directory=tmp_path, bench=synthetic.Synthetic)
    tune(only, budget, threads=1, report=seen.append, directory=tmp_path / "failing", bench=FailsAsRival)
    told = [p for p in seen if p.stage != "check"]
    assert {p.best_label for p in told} == {"default", "fast"}
    default_ms = 1e3 / only.workload.items
    assert [p.best_ms for p in told] == pytest.approx([default_ms / p.best_speedup for p in told])


def test_what_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bad, message in (
        ({"trials": 0}, "trials is 0; it must be at least 1"),
        ({"seconds": 0.0}, "time budget is 0.0 s; it must be more than 0"),
        ({"seconds": float("nan")}, "must be more than 0"),
    ):
        with pytest.raises(TuneError, match=message):
            Budget(**bad)  # type: ignore[arg-type]
    for threads in (0, 2.5):
        with pytest.raises(TuneError, match=f"threads is {threads}"):
            tune(task(), FAST, threads=threads, directory=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(TuneError, match="workload w has no calls"):
        tune(task(workload=Workload("w", ())), FAST, threads=1, directory=tmp_path)
    monkeypatch.setattr(candidate, "first_difference", lambda *_: "all bits")
    with pytest.raises(TuneError, match=r"default schedule of blur-test cannot be timed \(wrong\): all bits"):
        tune(task(), FAST, threads=1, directory=tmp_path)


def test_seeds_are_tried_first_and_polish_comes_last(tmp_path: Path) -> None:
    seeds = {"record of x": Schedule().vectorize("blur", "x", 4), "again": Schedule()}
    unroll = Template("blur", "unroll", (("var", "y"), ("factor", Ref("b"))))
    space = Space("s", (Knob("b", tuple(range(1, 65)), 32),), (), (unroll,))
    budget = Budget(trials=12, seconds=None)
    result = tune(task(space=space, seeds=seeds), budget, threads=1, directory=tmp_path, method=Method(seed=3))
    assert [t.name for t in result.trials[:4]] == ["default", "v1", "v3", "record of x"]
    timed = [t for t in result.trials if t.outcome.ratio is not None and t.point is not None]
    tried = [int(t.point["b"]) for t in timed if t.point is not None]
    beside = [{b - 1, b + 1} & set(tried[:i]) for i, b in enumerate(tried)]
    assert any(beside[len(tried) // 2 :])  # next to one that was tried, while any such is left


def test_the_winner_is_simplified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only point has a directive that changes no code: what is recorded has not."""
    monkeypatch.setattr(closing, "SIMPLIFY_SECONDS", 30.0)
    vectorize = (("var", "x"), ("lanes", 16))
    padded = Space("s", (), (), (
        Template("blur", "vectorize", vectorize), Template("rows", "compute_root", ()),
        Template("rows", "vectorize", vectorize),
    ))  # fmt: skip
    slow = task(schedules={"default": Schedule().compute_root("rows")}, space=padded)
    result = tune(slow, Budget(seconds=None, trials=2), threads=1, directory=tmp_path)
    winner = result.final.winner
    full, bare = result.trials[1:3]
    assert bare.name == "trial 1, simplified" and bare.outcome.source == full.outcome.source
    assert "compute_root" not in str(winner.schedule.to_data()) and winner.label.startswith("trial 1, simplified")
    assert result.record.schedule == winner.schedule
    assert "trial 1" in {s.label for s in result.final.standings}
    assert result.record.search.trials == 2  # what was simplified is not counted


def test_regimes_are_studies_and_records_of_their_own(tmp_path: Path) -> None:
    budget = Budget(trials=4, seconds=None)
    for regime in ("warm", "cold-source", "fresh-output"):
        result = tune(task(), budget, threads=1, directory=tmp_path, method=Method(regime=regime))  # type: ignore[arg-type]
        assert result.resumed == 0 and result.record.search.conditions == regime
    assert result.record.machine is not None and result.record.machine.cpus >= 1


def test_unknown_methods() -> None:
    with pytest.raises(TuneError, match="there is no sampler 'tpee'; there are tpe, random, gp, nsga2, brute"):
        Method(sampler="tpee")  # type: ignore[arg-type]
    with pytest.raises(TuneError, match="there is no regime 'hot'; there are warm, cold-source, fresh-output"):
        Method(regime="hot")  # type: ignore[arg-type]
    assert PRESETS["quick"].search(100.0) == pytest.approx(65.0)


def test_time_that_was_spent_before(tmp_path: Path) -> None:
    """A run that continues one that was killed has what that left: no search here, but a final and a record."""
    seen: list[Progress] = []
    result = tune(task(), Budget(None, 100.0, spent=99.0), threads=1, directory=tmp_path, report=seen.append)
    assert {p.stage for p in seen} <= {"check", "search", "simplify", "final"} and seen[0].elapsed >= 99
    assert not [t for t in result.trials if t.point is not None and not t.name]


def test_time_budget(tmp_path: Path) -> None:
    result = tune(task(), Budget(seconds=0.01), threads=1, directory=tmp_path)
    assert [t.name for t in result.trials] == ["default", "v1", "v3"]  # those are always timed
