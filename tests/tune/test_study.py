"""Studies keep every trial, resume, repeat nothing, and belong to one process at a time."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.tune import place, study
from autosched.tune.candidate import Kind
from autosched.tune.constraints import Condition
from autosched.tune.place import networked, open_place, state_directory
from autosched.tune.samplers import Sampler
from autosched.tune.space import Knob, Ref, Space, Template
from autosched.tune.study import Outcome, Study, StudyOptions

SPACE = Space(
    "s",
    (Knob("lanes", (2, 4, 8, 16), 2), Knob("mode", ("a", "b", "c"), "a")),
    (),
    (
        Template("f", "vectorize", (("var", "x"), ("lanes", Ref("lanes")))),
        Template("f", "parallel", (("var", "y"),), Condition((("mode", ("b", "c")),))),
    ),
)
ONE = Space("one", (), (), (Template("f", "parallel", (("var", "y"),)),))


def opened(tmp_path: Path, space: Space = SPACE, name: str = "n") -> Study:
    return Study("pipe/line", name, space, tmp_path, StudyOptions(seed=0))


def test_every_schedule_is_proposed_once(tmp_path: Path) -> None:
    """Modes b and c make the same schedules: 12 points, 8 schedules."""
    with opened(tmp_path) as study:
        seen = []
        while (proposal := study.propose()) is not None:
            seen.append(proposal.schedule)
            study.finish(proposal, Outcome("ok", 1.0 + len(seen) / 10))
        assert len(seen) == len(set(seen)) == 8
        assert study.finished == 8
        duplicates = [t for t in study.trials if t.outcome.kind == "duplicate"]
        assert len({str(t.point) for t in study.trials}) == 12
        assert all(t.outcome.ratio is not None for t in duplicates)
    with opened(tmp_path) as study:
        assert study.finished == 8 and study.propose() is None


def test_a_space_without_knobs_has_one_point(tmp_path: Path) -> None:
    with opened(tmp_path, ONE) as study:
        proposal = study.propose()
        assert proposal is not None and proposal.schedule == Schedule().parallel("f", "y")
        study.finish(proposal, Outcome("ok", 0.5))
        assert study.propose() is None


def test_large_spaces_are_not_listed(tmp_path: Path) -> None:
    knobs = tuple(Knob(f"k{i}", tuple(range(1, 9)), 1) for i in range(20))
    space = Space("large", knobs, (), (Template("f", "unroll", (("var", "x"), ("factor", Ref("k0")))),))
    with opened(tmp_path, space) as study:
        for _ in range(8):
            proposal = study.propose()
            assert proposal is not None
            study.finish(proposal, Outcome("ok", 1.0))


def test_resume_loses_nothing_and_closes_what_was_open(tmp_path: Path) -> None:
    kinds: list[Kind] = ["ok", "slow", "compile", "wrong", "infeasible"]
    with opened(tmp_path) as study:
        study.add("default", Schedule(), Outcome("ok", 1.0, source="abc"))
        for kind in kinds:
            proposal = study.propose()
            assert proposal is not None
            ratio = 0.25 if kind in ("ok", "slow") else None
            study.finish(proposal, Outcome(kind, ratio, f"why {kind}", 0.5, kind))
        before = study.trials
        left = study.propose()
        assert left is not None
    with opened(tmp_path) as study:
        assert study.trials == before and study.finished == 6
        assert [t.outcome.kind for t in study.trials if t.outcome.kind != "duplicate"] == ["ok", *kinds]
        assert study.trials[0].name == "default" and study.trials[0].point is None
        assert study.seconds == pytest.approx(2.5)
        best = study.best()
        assert best is not None and best.outcome.ratio == 0.25
        again = study.propose()
        assert again is not None and study.known(again.schedule) is None
        assert study.by_source("ok") == before[1] and study.by_source("wrong") is None
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/pipe_line.db")  # as optuna-dashboard opens it
    loaded = optuna.load_study(study_name="n", storage=storage)
    states = [t.state.name for t in loaded.trials]
    assert states.count("RUNNING") == 0 and states.count("FAIL") == 2
    failed = [t for t in loaded.trials if t.user_attrs.get("kind") in ("compile", "wrong", "infeasible")]
    assert all(t.constraints == {"failed": 1.0} and t.value == 10.0 for t in failed)
    assert all(t.constraints == {"failed": 0.0} for t in loaded.trials if t.user_attrs.get("kind") in ("ok", "slow"))


def test_enqueued_points_come_first_and_once(tmp_path: Path) -> None:
    point = {"lanes": 16, "mode": "b"}
    for _ in range(2):
        with opened(tmp_path) as study:
            study.enqueue(point)
            proposal = study.propose()
            assert proposal is not None
            if study.finished == 0:
                assert proposal.point == point
            else:
                assert proposal.point != point
            study.finish(proposal, Outcome("ok", 1.0))


@pytest.mark.parametrize("sampler", ["random", "nsga2"])
def test_importances_come_without_remarks_of_optuna(
    tmp_path: Path, sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "LEAST_TRIALS", 8)
    with Study("p", "n", SPACE, tmp_path, StudyOptions(sampler, 0)) as made, warnings.catch_warnings():
        warnings.simplefilter("error")
        while (proposal := made.propose()) is not None:
            made.finish(proposal, Outcome("ok", 1 / int(proposal.point["lanes"]), memory=proposal.number))
        assert made.importances().keys() == {"lanes", "mode"}


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(TuneError, match="another tuner works on this study"):
        opened(tmp_path)
    with opened(tmp_path), opened(tmp_path, name="other"):
        pass


def test_a_schedule_of_its_own_beside_another_tuner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one finishes a trial in between: each has a number of its own, and is known once."""
    usual = study.create_trial

    def late(**given: object) -> optuna.trial.FrozenTrial:
        made._study.tell(made._study.ask(), 0.0)
        return usual(**given)  # type: ignore[arg-type]

    with opened(tmp_path) as made:
        monkeypatch.setattr(study, "create_trial", late)
        assert made.add("default", Schedule(), Outcome("ok", 1.0)).number == 1
        made.refresh()
        assert [(t.number, t.name) for t in made.trials] == [(1, "default")]


def test_killed_in_the_middle(tmp_path: Path) -> None:
    program = (
        "import os, signal\nfrom pathlib import Path\n"
        "from autosched.tune.space import *\nfrom autosched.tune.study import *\n"
        "space = Space('s', (Knob('lanes', (2, 4, 8, 16), 2),), (), "
        "(Template('f', 'vectorize', (('var', 'x'), ('lanes', Ref('lanes')))),))\n"
        f"study = Study('p', 'n', space, Path({str(tmp_path)!r}), StudyOptions(seed=0))\n"
        "study.finish(study.propose(), Outcome('ok', 0.5))\nstudy.propose()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    space = Space("s", SPACE.knobs[:1], (), SPACE.templates[:1])
    with Study("p", "n", space, tmp_path, StudyOptions(seed=0)) as study:
        assert study.finished == 1
        assert all(study.finish(p, Outcome("ok", 1.0)) for p in iter(study.propose, None) if p)
        assert study.finished == 4


def test_unusable_places(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TuneError, match=r"cannot be kept in .*file.*: .*; set AUTOSCHED_STATE_DIR"):
        opened(tmp_path / "file")
    (tmp_path / "pipe_line.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(TuneError, match=r"pipe_line.db cannot be used .*file is not a database.*; move it away"):
        opened(tmp_path)
    (tmp_path / "pipe_line.db").unlink()
    with opened(tmp_path):
        pass


def test_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOSCHED_STATE_DIR", str(tmp_path))
    assert state_directory() == tmp_path / "studies"
    monkeypatch.delenv("AUTOSCHED_STATE_DIR")
    assert "autosched" in str(state_directory())


def test_file_systems_of_many_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There a study keeps its journal in a file: a write-ahead log is memory of one machine."""

    def mode() -> str:
        opened = open_place("p", "n", tmp_path / "home" / "me", None)
        opened.storage.get_all_studies()
        opened.close()
        with sqlite3.connect(opened.where) as connection:
            return str(connection.execute("pragma journal_mode").fetchone()[0])

    mounts = [("/", "ext4"), (str(tmp_path / "home"), "nfs4"), (str(tmp_path / "home/me/scratch"), "xfs")]
    assert not networked(tmp_path / "home" / "me") and mode() == "wal"
    partitions = [SimpleNamespace(mountpoint=m, fstype=f) for m, f in mounts]
    monkeypatch.setattr(place.psutil, "disk_partitions", lambda **_: partitions)
    assert networked(tmp_path / "home" / "me") and not networked(tmp_path / "home/me/scratch/x")
    assert mode() == "delete"
