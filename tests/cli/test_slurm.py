"""What is said and shown without a cluster: job scripts, what is passed on to jobs, mistakes."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
from pathlib import Path

import pytest
import typer
from command import NAME, Command
from PIL import Image

from autosched.cli import job as job_module
from autosched.cli.job import TuneJob, ledger_file, records_folder
from autosched.cli.passing import passed_on
from autosched.errors import ArgumentError
from autosched.records import read
from autosched.slurm import submission
from autosched.slurm.cluster import Cluster, options
from autosched.slurm.states import JobState, query

URL = "postgresql://tuner:secret@login1:5433/postgres"


def directives(script: str) -> dict[str, str]:
    """The options of sbatch in a script."""
    return {name: value or "" for name, value in re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", script, re.MULTILINE)}


def test_a_whole_node(autosched: Command, places: Path) -> None:
    said = autosched("tune", NAME, "--slurm", "--dry-run")
    assert said.status == 0 and said.err == ""
    found = directives(said.out)
    assert found.keys() >= {"exclusive", "requeue", "error", "output"}
    assert not found.keys() & {"partition", "constraint", "account", "wckey"}
    assert (found["nodes"], found["ntasks-per-node"], found["mem"], found["open-mode"]) == ("1", "1", "0", "append")
    assert found["signal"] == "USR2@150" and found["time"] == "18"  # half as much again as quick's 2 minutes, and 15
    assert found["error"].startswith(f"{places}/state/slurm/{NAME}-")
    (srun,) = re.findall(r"^srun .*", said.out, re.MULTILINE)
    assert {"--unbuffered", "--cpu-bind=none", "--kill-on-bad-exit=0", "--wait=0"} <= set(srun.split())
    assert "\n# on each node: autosched tune blur-test\n" in said.out
    assert not (places / "state").exists() and not (places / "tuned" / "x").exists()


def test_a_job_for_each_constraint(autosched: Command) -> None:
    said = autosched("tune", NAME, "--slurm", "-C", "icelake", "-C", "zen4&ib", "--partition", "cpu", "--account", "me",
                     "--nodes", "4", "--storage", URL, "--time-limit", "2h", "--sbatch", "qos=low", "--sbatch", "hold",
                     "--dry-run")  # fmt: skip
    scripts = said.out.split("#!/bin/bash")[1:]
    assert [directives(s)["constraint"] for s in scripts] == ["icelake", "'zen4&ib'"]
    for script, label in zip(scripts, ("icelake", "zen4_ib"), strict=True):
        found = directives(script)
        assert found["partition"] == "cpu" and found["account"] == "me" and found["qos"] == "low" and "hold" in found
        assert found["nodes"] == "4" and found["time"] == "120" and f"/{label}/" in found["error"]
        assert "secret" not in script and "postgresql://tuner:***@login1:5433/postgres" in script


def test_everything_else_is_passed_on(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of tune that were given, whatever they are, as they were meant here."""
    (places / "pictures").mkdir()
    Image.new("RGB", (41, 30)).save(places / "pictures" / "0.png")
    monkeypatch.chdir(places)
    given = ["--trials", "7", "--time-budget", "5m", "--preset", "standard", "--sampler", "random", "--regime",
             "cold-source", "--seed", "3", "--threads", "2"]  # fmt: skip
    workloads = ["--workload", "small", "--workload", "large"]
    for also, meant in ((workloads, workloads), (["--images", "pictures"], ["--images", f"{places}/pictures"])):
        said = autosched("tune", NAME, *given, *also, "--out", "x", "--replace", "--slurm", "--dry-run")
        assert said.status == 0, said.err
        (passed,) = re.findall(r"# on each node: autosched tune blur-test (.*)", said.out)
        for option, value in zip([*given, *meant][::2], [*given, *meant][1::2], strict=True):
            assert f"{option} {value}" in passed
        assert not {"--out", "--replace", "--slurm", "--dry-run"} & set(passed.split())


def test_flags_are_passed_on_too() -> None:
    app = typer.Typer()
    seen: list[tuple[str, ...]] = []

    @app.command()
    def command(context: typer.Context, name: str, fast: bool = True, warm: bool = False, slurm: bool = False) -> None:
        seen.append(passed_on(context))

    app(["x", "--no-fast", "--warm", "--slurm"], standalone_mode=False)
    app(["x"], standalone_mode=False)
    assert seen == [("tune", "x", "--no-fast", "--warm"), ("tune", "x")]


def test_what_a_node_runs(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch,
                          capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """The job as it is pickled tunes into its folder; started again it goes on where it was, to the same end."""
    monkeypatch.setattr(job_module, "requeued", lambda work, folder: work())
    monkeypatch.setattr("autosched.cli.searches.COMPARE_SECONDS", 0.05)
    work = places / "work"
    arguments = ("tune", NAME, "--trials", "4", "-t", "1", "-w", "small", "-w", "large")
    job = pickle.loads(pickle.dumps(TuneJob(arguments, work, places / "cluster")))
    assert job.checkpoint().function == job
    job()
    first = capsys.readouterr().out
    assert first.count("schedules timed") == 2 and "all workloads:" in first
    (file,) = records_folder(work).rglob("*.json")
    assert [r.search.trials for r in read(file)] == [4, 4]
    (study,) = (places / "cluster").rglob("studies/blur-test.db")
    book = json.loads(ledger_file(work, 0).read_text())
    del book["large"]
    ledger_file(work, 0).write_text(json.dumps(book))
    before = dict(book["small"])
    job()
    said = capsys.readouterr()
    assert f"{NAME}, small: done before" in said.err and said.out.count("schedules timed (4 before)") == 1
    assert "all workloads:" in said.out and len(read(file)) == 2
    assert json.loads(ledger_file(work, 0).read_text())["small"] == before
    assert study.exists()
    with pytest.raises(SystemExit) as ended:
        TuneJob(("tune", "nothing"), work, places / "cluster")()
    assert ended.value.code == 2


BAD: list[tuple[str, list[str], str]] = [
    ("without --slurm", ["--partition", "cpu"], "--partition is an option of --slurm; give that too, or leave it out"),
    ("dry run without", ["--dry-run"], "--dry-run is an option of --slurm"),
    ("nodes", ["--slurm", "--nodes", "0", "--dry-run"], "--nodes is 0; it must be at least 1"),
    ("alone", ["--slurm", "--nodes", "2"], "--nodes 2 needs a study that all nodes can use: --storage postgresql://"),
    ("one file", ["--slurm", "-C", "a", "-C", "b", "--storage", "sqlite:////x"], "several jobs cannot use one SQLite"),
    ("twice", ["--slurm", "-C", "zen", "-C", "zen"], "--constraint zen is given twice"),
    ("storage", ["--slurm", "--storage", "mysql://h/d"], "storage mysql://h/d is not supported"),
    ("time", ["--slurm", "--time-limit", "long"], "--time-limit 'long' is not a duration"),
    ("sbatch", ["--slurm", "--sbatch", "--mem=1"], "--sbatch '--mem=1' is no option of sbatch; write NAME=VALUE"),
    ("ours", ["--slurm", "--sbatch", "output=x"], "--sbatch output cannot be given: the job depends on it"),
    ("workload", ["--slurm", "--workload", "smal"], "has no workload 'smal'; did you mean small?"),
    ("no sbatch", ["--slurm"], "sbatch was not found: run this on a login node of a Slurm cluster, perhaps after"),
]


@pytest.mark.parametrize(("arguments", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_mistakes(autosched: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    said = autosched("tune", NAME, *arguments)
    assert said.status == 2 and said.out == ""
    assert said.err.startswith("error: ") and said.err.count("\n") == 1 and message in said.err


def test_without_submitit(autosched: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "find_spec", lambda name: None)
    assert "pip install 'autosched[slurm]'" in autosched("tune", NAME, "--slurm", "--dry-run").err


def test_a_slurm_that_is_not_set_up(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are there, the cluster is not."""
    fake = places / "bin"
    fake.mkdir()
    for name in ("sbatch", "squeue", "sinfo"):
        (fake / name).write_text("#!/bin/sh\necho 'sbatch: error: DNS SRV lookup failed' >&2\nexit 1\n")
        (fake / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(fake))
    said = autosched("tune", NAME, "--slurm")
    assert said.status == 2 and "DNS SRV lookup failed; see with `sinfo` that Slurm works here" in said.err
    assert query(["1"]) is None


def test_states_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """squeue first, the accounting for what it has forgotten, GONE where nobody knows."""

    def run(command: list[str], **rest: object) -> subprocess.CompletedProcess[str]:
        text = {"squeue": "1|RUNNING|None|node1\n2|PENDING|Resources|\n", "sacct": "CANCELLED by 0\n"}[command[0]]
        return subprocess.CompletedProcess(command, 0, "" if command[-1] == "4" else text, "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("shutil.which", lambda name: name)
    found = query(["1", "2", "3", "4"])
    assert found is not None
    assert [str(s) for s in found.values()] == ["RUNNING on node1", "PENDING (Resources)", "CANCELLED", "GONE"]
    assert [s.ended for s in found.values()] == [False, False, True, True]
    assert not JobState("COMPLETING").ended and not JobState("REQUEUED").ended


def test_labels_and_options() -> None:
    cluster = Cluster(constraints=("a|b", "[x*2&y*1]"))
    assert [t.label for t in cluster.targets()] == ["a_b", "x_2_y_1"]
    assert options(["qos=a=b", "hold"]) == {"qos": "a=b", "hold": True}
    for extra, constraint in (({"x": "1\n#SBATCH --y"}, "a"), ({}, "a\nrm"), ({}, "")):
        with pytest.raises(ArgumentError, match="cannot be given to sbatch"):
            Cluster(constraints=(constraint,), extra=extra)
