"""Searches on a real Slurm: jobs killed in every way there is lose no finished trial, and end in a record."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path

import optuna
import pytest
from cluster import Slurm, until
from desk import Desk, Running
from servers import folder_of_nobody, postgresql

from autosched.records import Record, read
from autosched.runtime.cpu import fingerprint
from autosched.schedule import Schedule
from autosched.tune.candidate import schedule_id


def record(desk: Desk) -> Record:
    """The one record that was merged."""
    (found,) = read(desk.folder / "tuned" / fingerprint().cpu_class / "blur-test.json")
    return found


def check(desk: Desk, storage: str | None = None) -> Counter[str]:
    """Every trial that a node has finished is in the study; how many trials are in which state."""
    here = desk.folder / "state" / "slurm" / "state" / fingerprint().cpu_class / "studies" / "blur-test.db"
    url = f"sqlite:///{here}" if storage is None else storage.replace("postgresql:", "postgresql+psycopg:")
    trials = optuna.load_study(study_name=None, storage=url).trials
    results = [t.user_attrs["result"] for t in trials if t.state.name == "COMPLETE"]
    kept = Counter(schedule_id(Schedule.from_data(r["schedule"])) for r in results if r["kind"] != "duplicate")
    finished = Counter(desk.finished())
    assert not finished - kept
    assert storage is not None or max(finished.values()) == 1  # two nodes may begin the same one in the same moment
    return Counter(t.state.name for t in trials)


def finished_but_for_the_next_run(desk: Desk, trials: int) -> None:
    """So many trials are finished, and none else has begun; a run that was requeued may be held in one already."""
    states = check(desk)
    assert len(desk.finished()) == trials and states.keys() <= {"COMPLETE", "RUNNING"}
    assert states["RUNNING"] <= len(desk.tuners()) - 1


def job_of(running: Running, label: str = "any") -> str:
    """The number of the job of a label, once it is submitted."""
    found = until(lambda: re.findall(rf"{label}: job (\d+) ", running.said()), "a job is submitted")
    return str(found[-1])


def test_a_job_for_each_class(desk: Desk, cluster: Slurm) -> None:
    """Submitted without waiting, found again by the same command, merged at the end, and gone then."""
    arguments = ["--constraint", "zen", "--constraint", "lake", "--trials", "4", "--partition", "cpu"]
    desk.hold(1)
    said = desk.start(*arguments, "--no-wait").ends()
    ids = re.findall(r"(zen|lake): job (\d+) submitted; its log is (\S+)", said)
    assert [label for label, _, _ in ids] == ["zen", "lake"]
    assert f"jobs {ids[0][1]},{ids[1][1]} go on: `squeue -j {ids[0][1]},{ids[1][1]}` shows" in said
    waiting = desk.start(*arguments)
    until(lambda: "RUNNING on node" in waiting.said(), "a job runs")
    waiting.process.send_signal(signal.SIGINT)
    assert "error: not waiting any more: jobs" in waiting.ends(130)
    desk.release()
    said = desk.start(*arguments).ends()
    assert said.count("is there already") == 2 and said.count("is done") == 2
    assert said.count("times the default's speed, 4 schedules") == 2 and said.count("written to") == 1
    for (label, id_, log), node in zip(ids, ("node1", "node2"), strict=True):
        told = cluster.job(id_)
        assert told["NodeList"] == node and told["Features"] == label and told["OverSubscribe"] == "NO"
        assert Path(log).exists() and not (Path(log).parent / "work").exists()
    assert record(desk).search.trials == 4
    check(desk)
    (folder,) = (desk.folder / "state" / "slurm").glob("blur-test-*")
    assert json.loads((folder / "jobs.json").read_text()) == {} and folder.stat().st_mode & 0o77 == 0


def test_time_runs_out_and_a_tuner_is_killed(desk: Desk, cluster: Slurm) -> None:
    """SIGUSR2 ends a trial and requeues the job; kill -9 fails it, and the same command goes on."""
    arguments = ["--constraint", "fast", "--trials", "12"]
    desk.hold(3)
    first = desk.start(*arguments)
    id_ = job_of(first, "fast")
    desk.held(0)
    cluster.ask("scancel", "--signal=USR2", id_)
    desk.told(0)
    desk.hold(4)
    until(lambda: cluster.job(id_)["Restarts"] == "1", "the job is requeued")
    finished_but_for_the_next_run(desk, 4)  # the trial that ran is finished, not failed
    os.kill(desk.held(1), signal.SIGKILL)
    said = first.ends(1)
    assert re.search(
        rf"error: fast: job {id_} ended as FAILED: .*Killed; its log is /\S+; what was measured is kept", said
    )
    assert len(desk.tuners()) == 2 and not list((desk.folder / "tuned").rglob("*.json"))
    desk.release()
    said = desk.start(*arguments).ends()
    assert "submitted, which goes on where the one before ended" in said
    assert record(desk).search.trials == 12 and len(desk.tuners()) == 3
    assert check(desk)["FAIL"] == 1 and len(desk.finished()) <= 12  # the one that was killed; none was done again


def test_preempted_then_cancelled(desk: Desk, cluster: Slurm) -> None:
    """SIGTERM of a more urgent job requeues, that of scancel does not."""
    arguments = ["--constraint", "zen", "--trials", "12"]
    desk.hold(2)
    first = desk.start(*arguments)
    id_ = job_of(first, "zen")
    desk.held(0)
    urgent = cluster.ask("sbatch", "--parsable", "-p", "urgent", "-C", "zen", "--exclusive", "-o", "/dev/null",
                         "--wrap", "true").strip()  # fmt: skip
    until(lambda: cluster.job(id_)["PreemptTime"] != "None", "the job is preempted")
    desk.told(0)
    desk.hold(3)
    until(lambda: cluster.job(id_)["Restarts"] == "1", "the job is requeued")
    finished_but_for_the_next_run(desk, 3)
    until(lambda: cluster.job(urgent)["JobState"] == "COMPLETED", "the urgent job ran")
    desk.held(1)
    cluster.ask("scancel", id_)
    desk.release()
    said = first.ends(1)
    assert f"zen: job {id_} PENDING" in said and f"error: zen: job {id_} ended as CANCELLED; its log is /" in said
    assert cluster.job(id_)["Restarts"] == "1"
    assert "zen: bucket small" in desk.start(*arguments).ends()
    assert record(desk).search.trials == 12 and len(desk.tuners()) == 3
    check(desk)


def test_nodes_share_a_study_and_one_of_them_fails(desk: Desk, cluster: Slurm) -> None:
    """Two nodes on one PostgreSQL; one loses its power: the job starts again on both, nothing is lost."""
    pytest.importorskip("psycopg")
    desk.hold(5)
    with folder_of_nobody("autosched-postgresql-") as folder, postgresql(folder) as url:
        running = desk.start("--nodes", "2", "--storage", url, "--trials", "18")
        id_ = job_of(running)
        assert "the nodes differ in their features (lake,fast; zen,fast)" in running.said()
        desk.held(0), desk.held(1)
        cluster.fail("node2", desk.tuner_on("node2"))
        try:
            until(lambda: cluster.job(id_)["Restarts"] == "1", "the job is requeued")
        finally:
            cluster.node("node2")
        desk.release()
        said = running.ends()
        assert "RUNNING on node[1-2]" in said and len(desk.tuners()) == 4
        assert check(desk, url)["RUNNING"] == 0
    assert record(desk).search.trials >= 18


def test_what_slurm_refuses(desk: Desk, cluster: Slurm) -> None:
    """Said in one line before anything is submitted."""
    for arguments, message in (
        (
            ["--partition", "gpu"],
            "Slurm refuses the job for partition gpu, no constraint: .*nvalid partition.*`sinfo -s`",
        ),
        (
            ["-C", "zen", "-C", "mips"],
            "for any partition, constraint mips: .*nvalid feature.*; `sinfo -o '%P %D %c %f'`",
        ),
    ):
        said = desk.start("--trials", "4", *arguments).ends(2)
        (line,) = [line for line in said.splitlines() if line.startswith("error:")]
        assert re.search(message, line)
        assert "submitted" not in said
    stuck = desk.start("--trials", "4", "--time-limit", "3h")
    until(lambda: "will not start as it is (PartitionTimeLimit): `scancel " in stuck.said(), "the user is told")
    cluster.ask("scancel", job_of(stuck))
    assert "ended as CANCELLED; its log is" in stuck.ends(1)


def test_a_job_that_fails(desk: Desk, cluster: Slurm) -> None:
    """The reason is the error in its log."""
    said = desk.start("--trials", "4", "--storage", "postgresql://u@127.0.0.1:9/d").ends(1)
    assert "warning: the database postgresql://u@127.0.0.1:9/d cannot be used" in said
    assert re.search(r"error: any: job \d+ ended as FAILED: error: the database postgresql://u@127.0.0.1:9/d can", said)
    assert cluster.job(re.findall(r"any: job (\d+) sub", said)[0])["JobState"] == "FAILED"
