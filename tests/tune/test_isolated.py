"""The worker process: what crashes, hangs, eats memory or is wrong costs one candidate, and the search goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import blur_family
import numpy as np
import planted
import psutil
import pytest

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.signals import ENDINGS
from autosched.tune import Budget, Task, closing, isolated, tune
from autosched.tune.bench import Job, LocalBench
from autosched.tune.candidate import CandidateError
from autosched.tune.constraints import Condition
from autosched.tune.isolated import IsolatedBench, Limits
from autosched.tune.space import Knob, Ref, Space, Template

#: Seconds that nothing takes which comes to an end, and bytes.
LIMITS = Limits(compile=300.0, run=300.0, memory=200 << 20)
#: For what never ends.
SHORT = replace(LIMITS, compile=5.0, run=1.5)
#: Bytes that a buffer may have more than what is stored in it.
MARGIN = 1024
PAGE = 4096
IMAGES = blur_family.specimens({"sizes": [[40, 50]]})


def blur(lanes: int) -> Schedule:
    return Schedule().vectorize("blur", "x", lanes)


@pytest.fixture(scope="module")
def bench() -> Iterator[IsolatedBench]:
    made = blur_family.workload(IMAGES, {})
    workload = planted.Planted(made.name, made.bindings)
    bench = IsolatedBench(Job(blur_family.pipeline(), workload, 1, Schedule()), LIMITS)
    bench.start()
    yield bench
    bench.close()
    assert not bench.directory.exists()


FAILURES = [
    (4, "crash", "SIGSEGV"),
    (8, "timeout", "checking took more than 1.5 s"),
    (16, "memory", ""),
    (32, "wrong", "elements (100 %) differ"),
    (64, "timeout", "compiling took more than 5 s"),
]


@pytest.mark.parametrize(("lanes", "kind", "message"), FAILURES, ids=[planted.PLANTED[f[0]] for f in FAILURES])
def test_a_failure_costs_one_candidate(bench: IsolatedBench, lanes: int, kind: str, message: str) -> None:
    default = bench.prepare(Schedule())
    if kind == "timeout":
        bench.limits, bench.run_limit = SHORT, SHORT.run
    with pytest.raises(CandidateError) as failed:
        bench.prepare(blur(lanes))
    bench.limits, bench.run_limit = LIMITS, LIMITS.run
    assert failed.value.kind == kind and message in str(failed.value)
    fine = bench.prepare(blur(2))  # the next one is not disturbed
    raced = bench.race(fine, default, least=3)
    assert len(raced.candidate) == len(raced.rival) >= 2 and raced.ratio > 0


def test_it_times_as_the_plain_one_does(bench: IsolatedBench) -> None:
    local = LocalBench(Job(blur_family.pipeline(), blur_family.workload(IMAGES, {}), 1, Schedule()))
    default, fine = local.start(), local.prepare(blur(2))
    assert bench.prepare(blur(2)).source == fine.source != default.source
    assert bench.prepare(Schedule()).source == default.source
    seen: list[int] = []
    times = bench.rounds([default, fine, default], seconds=0.0, least=4, most=9, progress=seen.append)
    assert [len(t) for t in times] == [4, 4, 4] and seen == [1, 2, 3, 4] and min(map(min, times)) > 0
    assert bench.seconds(fine) > 0
    bench.keep([default])
    assert bench.seconds(fine) > 0  # forgotten, and prepared anew


def test_memory_is_counted(bench: IsolatedBench) -> None:
    """Funcs that are stored whole, and what each thread holds inside the loops; nothing that is read or written."""
    assert bench.prepare(Schedule()).memory == 0
    whole = 50 * 38 * 4  # rows [50, 38] of i32
    assert whole < bench.prepare(Schedule().compute_root("rows")).memory <= whole + MARGIN
    strips = Schedule().split("blur", "y", "yo", "yi", 8).parallel("blur", "yo").compute_at("rows", "blur", "yo")
    strip = 10 * 38 * 4
    held = bench.prepare(strips).memory
    assert strip < held <= strip + MARGIN + PAGE  # scratch memory is whole pages
    assert bench.prepare(strips).memory == held  # again
    two = IsolatedBench(Job(blur_family.pipeline(), blur_family.workload(IMAGES, {}), 2, Schedule()))
    try:
        two.start()
        assert two.prepare(strips).memory == 2 * held
    finally:
        two.close()


def test_signals_of_batch_systems_are_for_the_search(bench: IsolatedBench) -> None:
    """Slurm sends them to every process of a job; a candidate is not taken for one that crashes."""
    ready = bench.prepare(Schedule())
    alive = (p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE)
    (worker,) = (p for p in alive if "autosched.tune.worker" in " ".join(p.cmdline()))
    for number in ENDINGS:
        worker.send_signal(number)
        assert bench.seconds(ready) > 0


def test_who_failed_is_said(bench: IsolatedBench) -> None:
    """Of several that are timed together, the one that ended the worker is known."""
    default, fine = bench.prepare(Schedule()), bench.prepare(blur(2))
    bad = type(fine)(blur(4), "bad")
    with pytest.raises(CandidateError) as failed:
        bench.rounds([default, fine, bad], seconds=0.0, least=3, most=3)
    assert failed.value.entered == 2 and failed.value.kind == "crash"
    with pytest.raises(CandidateError) as failed:
        bench.race(fine, bad)
    assert failed.value.entered == 1


def test_strides_survive() -> None:
    """Every fourth byte of a pixel is padding in Pillow's memory; a dense copy would be another kernel."""
    wide = np.random.default_rng(0).integers(0, 256, (42, 52, 4), np.uint8)
    for image in (wide[..., 1], np.asfortranarray(wide[..., 0]), wide[::-1, ::-1, 2]):
        workload = blur_family.workload([image], {})
        assert workload.bindings[0].given["image"].strides == image.strides
        job = Job(blur_family.pipeline(), workload, 1, Schedule())
        bench = IsolatedBench(job)
        try:
            assert bench.start().source == LocalBench(job).start().source
        finally:
            bench.close()


def test_a_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every planted failure is one trial of its kind, and the result is a right schedule."""
    monkeypatch.setattr(closing, "FINAL_SECONDS", 0.05)
    monkeypatch.setattr(closing, "SIMPLIFY_SECONDS", 0.05)
    vectorize = Template("blur", "vectorize", (("var", "x"), ("lanes", Ref("lanes"))), Condition())
    space = Space("s", (Knob("lanes", (2, 4, 8, 16, 32), 2),), (), (vectorize,))
    made = blur_family.workload(IMAGES, {})
    task = Task(blur_family.pipeline(), space, planted.Planted(made.name, made.bindings), {"default": Schedule()})
    result = tune(
        task,
        Budget(trials=99),
        threads=1,
        directory=tmp_path,
        bench=lambda job: IsolatedBench(job, replace(LIMITS, run=6.0)),
    )
    once = [t for t in result.trials if t.point and t.outcome.kind != "duplicate"]
    kinds = {t.point["lanes"]: t.outcome.kind for t in once if t.point}
    assert len(once) == 5 and kinds == {2: kinds[2], 4: "crash", 8: "timeout", 16: "memory", 32: "wrong"}
    assert kinds[2] in ("ok", "slow") and result.exhausted
    assert result.schedule in (Schedule(), blur(2))


def test_a_default_that_fails_ends_the_run() -> None:
    made = blur_family.workload(IMAGES, {})
    job = Job(blur_family.pipeline(), planted.Planted(made.name, made.bindings), 1, blur(4))
    bench = IsolatedBench(job, LIMITS)
    try:
        with pytest.raises(TuneError, match=r"default schedule of blur-test cannot be timed \(crash\): .*SIGSEGV"):
            bench.start()
    finally:
        bench.close()


def test_the_worker_dies_with_the_search() -> None:
    """Even with kill -9, and even in a kernel that never ends."""
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import blur_family, planted, os\n"
        "from autosched.schedule import Schedule\n"
        "from autosched.tune.bench import Job\n"
        "from autosched.tune.isolated import IsolatedBench\n"
        "made = blur_family.workload(blur_family.specimens({'sizes': [[40, 50]]}), {})\n"
        "bench = IsolatedBench(Job(blur_family.pipeline(), planted.Planted(made.name, made.bindings), 1, Schedule()))\n"
        "bench.start()\n"
        "print(bench._process.pid, flush=True)\n"
        "bench.prepare(Schedule().vectorize('blur', 'x', 8))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=env) as search:
        assert search.stdout is not None
        worker = psutil.Process(int(search.stdout.readline()))
        time.sleep(0.3)
        assert worker.is_running()
        search.send_signal(signal.SIGKILL)
    worker.wait(timeout=300)


def test_what_killed_searches_leave_is_swept_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory of a process that is gone, and nobody else's."""
    monkeypatch.setattr(isolated.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(isolated.psutil, "pid_exists", lambda pid: pid != 7)
    for name in ("autosched-tune-7-a", "autosched-tune-8-b", "autosched-tune-x", "other-7"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "job").write_bytes(b"")
    bench = IsolatedBench(Job(blur_family.pipeline(), blur_family.workload(IMAGES, {}), 1, Schedule()))
    bench.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["autosched-tune-8-b", "autosched-tune-x", "other-7"]


def test_limits() -> None:
    for name in ("compile", "run", "memory"):
        with pytest.raises(TuneError, match=f"the limit of {name} is 0; it must be more than 0"):
            Limits(**{name: 0})
