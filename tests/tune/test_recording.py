"""Recorded spaces: what is exported is what was found, and a search in it needs no compiler."""

from __future__ import annotations

import json
from pathlib import Path

import blur_family
import pytest
import synthetic

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.tune import Budget, Method, Space, Task, tune
from autosched.tune import bench as bench_module
from autosched.tune.bench import Job, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.recording import RecordedBench, Recording, load_recording, record, simulate

TASK = Task(
    blur_family.pipeline(),
    synthetic.SPACE,
    blur_family.workload(blur_family.specimens({"sizes": [[8, 9]]}), {}),
    {"default": Schedule()},
)


@pytest.fixture(scope="module")
def recording() -> Recording:
    result = tune(
        TASK,
        Budget(trials=99),
        threads=1,
        method=Method(sampler="brute"),
        bench=lambda job: synthetic.Synthetic(job, 0.0),
        storage="memory:",
    )
    assert result.exhausted
    return record(TASK, result)


def test_every_point_is_there(recording: Recording) -> None:
    assert len(recording.results) == synthetic.SPACE.count() == 60
    for entry in recording.results:
        schedule = synthetic.SPACE.schedule(entry.configuration)
        try:
            assert entry.value("ratio") == pytest.approx(synthetic.seconds_of(schedule), abs=1e-5)
            assert entry.invalidity == "correct" and entry.kind in ("ok", "slow")
        except CandidateError:
            assert entry.value("ratio") is None and entry.invalidity == "runtime" and entry.kind == "crash"
    assert recording.metadata.space == synthetic.SPACE.identity and recording.metadata.regime == "warm"
    times = [e.value("ratio") for e in recording.results if e.measurements]
    assert recording.best() == min(t for t in times if t is not None)


def test_the_file(recording: Recording, tmp_path: Path) -> None:
    """Open: plain JSON with the fields of T4, and a schema that says what each is."""
    path = tmp_path / "space.json"
    path.write_text(recording.to_json())
    assert load_recording(path) == recording
    data = json.loads(path.read_text())
    assert {"schema_version", "metadata", "results"} == set(data)
    assert {"configuration", "invalidity", "measurements", "objectives"} <= set(data["results"][0])
    assert set(Recording.model_json_schema()["properties"]) == set(data)
    for text, message in (
        ("{}", "is not a recording of a space: "),
        ("[", "is not a recording"),
        (None, "cannot be read"),
    ):
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
        with pytest.raises(TuneError, match=message):
            load_recording(path)


def test_searches_need_no_compiler(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeatable, never worse with more trials, and the same best as the whole space in the end."""

    def compiled(*_: object) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr(bench_module, "compile_kernel", compiled)
    for sampler in ("tpe", "random"):
        method = Method(sampler=sampler, seed=5)  # type: ignore[arg-type]
        curve = simulate(TASK, recording, method, 20)
        assert len(curve) == 20 and curve[0] == 1.0 and curve == sorted(curve, reverse=True)
        assert curve == simulate(TASK, recording, method, 20)
        assert simulate(TASK, recording, method, 999)[-1] == recording.best()
    assert simulate(TASK, recording, Method(sampler="random", seed=6), 20) != curve


def test_what_is_not_recorded_is_infeasible(recording: Recording) -> None:
    job = Job(TASK.pipeline, TASK.workload, 1, Schedule())
    bench = RecordedBench(job, recording, synthetic.SPACE)
    assert bench.start() == Ready(Schedule(), "default") and bench.seconds(bench.start()) == 1.0
    with pytest.raises(CandidateError, match="it is not in the recording") as failed:
        bench.prepare(Schedule().unroll("blur", "y", 63))
    assert failed.value.kind == "infeasible"
    other = Space("other", synthetic.SPACE.knobs[:1], (), synthetic.SPACE.templates[1:])
    with pytest.raises(TuneError, match="which has changed since; record it anew"):
        RecordedBench(job, recording, other)


def test_nothing_to_find(recording: Recording) -> None:
    failed = tuple(e for e in recording.results if not e.measurements)
    with pytest.raises(TuneError, match="has no point that could be timed"):
        recording.model_copy(update={"results": failed}).best()
