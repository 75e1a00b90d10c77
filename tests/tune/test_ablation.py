"""What directives and knobs are worth, on invented times."""

from __future__ import annotations

from pathlib import Path

import blur_family
import pytest
import synthetic
from test_polish import FULL, Weighed

from autosched.errors import ScheduleError, TuneError
from autosched.schedule import Schedule
from autosched.tune import Task, ablate
from autosched.tune.ablation import AblationRow, leave_one_out, one_at_a_time
from autosched.tune.bench import Job, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.constraints import Condition
from autosched.tune.measure import Estimate
from autosched.tune.space import Knob, Ref, Space, Template
from autosched.tune.study import Outcome, Study, StudyOptions

PIPELINE = blur_family.pipeline()
JOB = Job(PIPELINE, blur_family.workload(blur_family.specimens({"sizes": [[8, 9]]}), {}), 1, Schedule())


class Timed(Weighed):
    """Weighed, with rounds; who is called `failing` fails in them."""

    failing = ""

    def rounds(self, entered, *, seconds, least, most, progress=lambda _: None):  # type: ignore[no-untyped-def]
        times = []
        for place, ready in enumerate(entered):
            ops = ready.source.split(",")
            if self.failing and self.failing not in ops:
                raise CandidateError("crash", "SIGSEGV", place)
            times.append([10 + sum(self.costs.get(op, 0.0) for op in ops)] * least)
        return times


def test_each_directive_is_worth_what_it_costs() -> None:
    bench = Timed({"vectorize": -2.0, "parallel": -1.0}, same_code="compute_root")
    rows = {row.what: row for row in leave_one_out(PIPELINE, bench, FULL, 0.1)}
    assert len(rows) == 4 and all(row.part == "leave-one-out" for row in rows.values())
    base = 10 - 2 * 2 - 1
    for what, ratio in (("parallel('y') of blur", (base + 1) / base), ("vectorize('x', 8, 'guard') of rows", 7 / 5)):
        found = rows[what].ratio
        assert found is not None and found.median == pytest.approx(ratio) and rows[what].kind == "ok"
    assert rows["compute_root() of rows"].kind == "same code"


def test_what_fails_has_a_kind() -> None:
    """Without the split the schedule is illegal; without parallel it fails in the rounds, and the others are timed."""
    schedule = Schedule().split("blur", "y", "yo", "yi", 4).parallel("blur", "yo").unroll("blur", "yi", 4)
    bench = Timed({"unroll": -1.0})
    bench.prepare = lambda s: Ready(s, ",".join(x.op for i in s.funcs.values() for x in i))  # type: ignore[method-assign]
    bench.failing = "parallel"
    rows = {row.what.partition("(")[0]: row for row in leave_one_out(PIPELINE, bench, schedule, 0.1)}
    assert {what: row.kind for what, row in rows.items()} == {
        "unroll": "ok", "parallel": "crash", "split": "infeasible",
    }  # fmt: skip
    assert rows["parallel"].ratio is None and rows["unroll"].ratio is not None


def test_one_at_a_time() -> None:
    bench = synthetic.Synthetic(JOB, 0.0)
    rows = {row.what: row for row in one_at_a_time(PIPELINE, bench, synthetic.SPACE, ["lanes"], 0.1)}
    assert list(rows) == ["lanes = 4", "lanes = 8", "lanes = 16", "lanes = 32"]
    default = synthetic.seconds_of(synthetic.SPACE.schedule(synthetic.SPACE.default()))
    for lanes in (4, 16, 32):
        found = rows[f"lanes = {lanes}"].ratio
        wanted = synthetic.seconds_of(synthetic.SPACE.schedule({"factor": 1, "lanes": lanes})) / default
        assert found is not None and found.median == pytest.approx(wanted)
    assert rows["lanes = 8"].kind == "crash"  # 7 + 8 is a multiple of 5
    assert len(one_at_a_time(PIPELINE, bench, synthetic.SPACE, [], 0.1)) == 4 + 11


def test_a_baseline_that_fails_is_an_error() -> None:
    schedule = synthetic.SPACE.schedule({"factor": 1, "lanes": 8})
    with pytest.raises(CandidateError, match="as planned"):
        leave_one_out(PIPELINE, synthetic.Synthetic(JOB, 0.0), schedule, 0.1)


TASK = Task(PIPELINE, synthetic.SPACE, JOB.workload, {"default": Schedule()})


def test_ablation_of_a_task() -> None:
    """Directives of a schedule and choices of knobs, in the order they have; either may be left out."""
    opened: list[Job] = []

    def bench(job: Job) -> synthetic.Synthetic:
        opened.append(job)
        return synthetic.Synthetic(job, 0.0)

    schedule = synthetic.SPACE.schedule({"factor": 4, "lanes": 16})
    heard: list[str] = []
    rows = ablate(TASK, schedule, 0.1, threads=1, bench=bench, report=heard.append)
    parts = [row.part for row in rows]
    assert parts == ["leave-one-out"] * 2 + ["one-at-a-time"] * 15 and "lanes = 4" in heard
    assert [(job.threads, job.default) for job in opened] == [(1, Schedule())]
    alone = ablate(TASK, None, 0.1, knobs=["lanes"], bench=bench)
    assert [row.what for row in alone] == ["lanes = 4", "lanes = 8", "lanes = 16", "lanes = 32"]
    assert [row.part for row in ablate(TASK, schedule, 0.1, knobs=(), bench=bench)] == ["leave-one-out"] * 2


def test_an_ablation_that_cannot_be() -> None:
    def bench(job: Job) -> synthetic.Synthetic:
        return synthetic.Synthetic(job, 0.0)

    with pytest.raises(TuneError, match="has no knob 'lane'; it has factor, lanes"):
        ablate(TASK, None, knobs=["lane"], bench=bench)
    with pytest.raises(TuneError, match="the time to measure is 0 s; it must be more than 0"):
        ablate(TASK, None, 0, bench=bench)
    with pytest.raises(TuneError, match="threads is 0"):
        ablate(TASK, None, threads=0, bench=bench)
    with pytest.raises(ScheduleError, match="nowhere"):
        ablate(TASK, Schedule().parallel("blur", "nowhere"), bench=bench)
    with pytest.raises(TuneError, match=r"compared with cannot be timed \(crash\): as planned"):
        ablate(TASK, synthetic.SPACE.schedule({"factor": 1, "lanes": 8}), 0.1, bench=bench)


def test_rows_are_lines() -> None:
    row = AblationRow("leave-one-out", "parallel('y') of blur", Estimate(1.5, 1.25, 2.0))
    assert str(row) == "leave-one-out: parallel('y') of blur: 1.50 [1.25, 2.00]"
    assert str(AblationRow("one-at-a-time", "lanes = 4", None, "crash")) == "one-at-a-time: lanes = 4: crash"
    same = AblationRow("one-at-a-time", "lanes = 4", Estimate(1.0, 1.0, 1.0), "same code")
    assert str(same) == "one-at-a-time: lanes = 4: same code"


def test_importances(tmp_path: Path) -> None:
    """The knob that decides has nearly all of it; parameters that constraints made are their knob's."""
    when = Condition((("m", ("y",)),))
    space = Space(
        "s",
        (Knob("a", tuple(range(1, 9)), 1), Knob("m", ("x", "y"), "x"), Knob("b", (1, 2, 4), 1, when)),
        (),
        (
            Template("f", "unroll", (("var", "x"), ("factor", Ref("a")))),
            Template("g", "unroll", (("var", "x"), ("factor", Ref("b"))), when),
        ),
    )
    with Study("p", "n", space, tmp_path, StudyOptions("random", 0)) as study:
        assert study.importances() == {}
        while (proposal := study.propose()) is not None:
            study.finish(proposal, Outcome("ok", int(proposal.point["a"]) + 0.01 * int(proposal.point.get("b", 0))))
        shares = study.importances()
    assert shares.keys() <= {"a", "m", "b"} and next(iter(shares)) == "a" and shares["a"] > 0.8
