"""A study in PostgreSQL that several tuners share, on a real server; what happens when they are killed, or it is."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
import synthetic
from servers import folder_of_nobody, free_port, postgresql, until
from test_killed import check, killed_at

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.tune import place, study
from autosched.tune.bench import Ready
from autosched.tune.candidate import schedule_id
from autosched.tune.place import open_place
from autosched.tune.space import Knob, Ref, Space, Template
from autosched.tune.study import Outcome, Study

pytest.importorskip("psycopg")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with folder_of_nobody("autosched-postgresql-") as folder, postgresql(folder) as url:
        yield url


@pytest.fixture
def url(server: str) -> str:
    """An empty database of its own."""
    import psycopg

    name = f"t{time.monotonic_ns()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    return server.rpartition("/")[0] + "/" + name


def states(url: str) -> Counter[str]:
    loaded = optuna.load_study(study_name=None, storage=url.replace("postgresql:", "postgresql+psycopg:"))
    return Counter(t.state.name for t in loaded.trials)


def test_killed_at_random_moments(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, log = random.Random(21), tmp_path / "log"
    log.write_text("")
    for i in range(6):
        killed_at(0.4 * rng.random(), tmp_path, log, url, finished=i % 3)
    before = len(log.read_text().splitlines())
    monkeypatch.setattr(study, "JUST", 0.0)  # trials that were killed before they were signed would wait for a minute
    result = synthetic.search(tmp_path, log, before + 5, url)
    assert before >= 6 and result.resumed >= before
    check(result, log)
    assert states(url)["RUNNING"] == 0
    assert not list(tmp_path.glob("*.db"))


def test_two_tuners_share_the_work(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started at once on an empty database, one of them killed on the way: the space is searched once, together."""
    context = multiprocessing.get_context("fork")
    logs = [tmp_path / name for name in "ab"]
    for log in logs:
        log.write_text("")
    real, hold = synthetic.Synthetic.prepare, tmp_path / "hold"
    hold.touch()

    def prepare(bench: synthetic.Synthetic, schedule: Schedule) -> Ready:
        """Stay in the middle of the trial behind the tenth."""
        if bench.prepared >= 10 and hold.exists():
            (tmp_path / f"held-{os.getpid()}").touch()
        while bench.prepared >= 10 and hold.exists():
            time.sleep(0.01)
        return real(bench, schedule)

    monkeypatch.setattr(synthetic.Synthetic, "prepare", prepare)
    tuners = [context.Process(target=synthetic.search, args=(tmp_path, log, 9999, url, 0.004)) for log in logs]
    for tuner in tuners:
        tuner.start()
    until(lambda: len(list(tmp_path.glob("held-*"))) == 2, "both are in the middle of a trial")
    tuners[0].kill()
    tuners[0].join()
    hold.unlink()
    tuners[1].join()
    assert [t.exitcode for t in tuners] == [-9, 0]
    monkeypatch.setattr(study, "JUST", 0.0)
    result = synthetic.search(tmp_path, tmp_path / "last", 9999, url)
    everything = {schedule_id(t.schedule) for t in result.trials if t.outcome.kind != "duplicate"}
    assert len(everything) == result.record.search.trials == synthetic.SPACE.count() + 1
    assert {line.split()[0] for log in logs for line in log.read_text().splitlines()} <= everything
    assert states(url)["RUNNING"] == 0


def test_the_living_are_left_alone(url: str) -> None:
    """A tuner that starts fails the open trials of the dead, not those of one that works."""
    space = Space("s", synthetic.SPACE.knobs, (), synthetic.SPACE.templates)
    with Study("p", "n", space, storage=url) as first:
        mine = first.propose()
        assert mine is not None
        with Study("p", "n", space, storage=url) as second:
            assert states(url)["RUNNING"] == 1
            theirs = second.propose()
            assert theirs is not None
            second.finish(theirs, Outcome("ok", 0.5))
        first.finish(mine, Outcome("ok", 0.7))
        first.refresh()
        assert {t.outcome.ratio for t in first.trials} == {0.5, 0.7} and len(first.trials) == 2
        other = open_place("p", "n", None, url)
        assert other.alive(first.place.owner) and other.alive(other.owner) and not other.alive(12345)
        other.close()
    again = open_place("p", "n", None, url)
    until(lambda: not again.alive(first.place.owner), "the server sees that it is gone")
    again.close()


def test_no_point_is_tried_twice_at_once(url: str) -> None:
    """What one tuner works on is not proposed to another, until it is known to have died with it."""
    space = Space(
        "s", (Knob("lanes", (2, 4), 2),), (), (Template("f", "vectorize", (("var", "x"), ("lanes", Ref("lanes")))),)
    )
    with Study("p", "n", space, storage=url) as first, Study("p", "n", space, storage=url) as second:
        point = {"lanes": 4}
        first.enqueue(point)
        mine = first.propose()
        assert mine is not None and mine.point == point
        second._study.enqueue_trial({"lanes": 1})  # the index of 4
        theirs = second.propose()
        assert theirs is not None and theirs.point == {"lanes": 2}
        second.finish(theirs, Outcome("ok", 0.5))
        assert second.propose() is None
    with Study("p", "n", space, storage=url) as third:
        left = third.propose()
        assert left is not None and left.point == point


def test_a_server_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says what is kept and what to do; when it is back, the same command goes on."""
    real = synthetic.Synthetic.prepare
    with folder_of_nobody("autosched-postgresql-") as folder:
        with postgresql(folder) as server:
            calls: list[object] = []

            def prepare(bench: synthetic.Synthetic, schedule: Schedule) -> Ready:
                calls.append(schedule)
                if len(calls) == 10:
                    server_process = folder / "data/postmaster.pid"
                    os.kill(int(server_process.read_text().split()[0]), signal.SIGQUIT)
                    until(lambda: not server_process.exists(), "the server is gone")
                return real(bench, schedule)

            monkeypatch.setattr(synthetic.Synthetic, "prepare", prepare)
            with pytest.raises(TuneError, match=r"database postgresql://.* does not answer any more .*goes on when it"):
                synthetic.search(tmp_path, tmp_path / "log", 9999, server)
        with postgresql(folder) as server:
            result = synthetic.search(tmp_path, tmp_path / "log", 12, server)
    assert result.resumed >= 7
    check(result, tmp_path / "log")


def test_mistakes_in_urls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for url, message in (
        ("nonsense", r"storage 'nonsense' is not a URL; write postgresql://user@host/database"),
        ("mysql://u:secret@h/d", r"storage mysql://u:\*\*\*@h/d is not supported; use postgresql://"),
        (f"postgresql://u:secret@127.0.0.1:{free_port()}/d", r"database postgresql://u:\*\*\*@127.* cannot be used"),
    ):
        with pytest.raises(TuneError, match=message) as failed:
            open_place("p", "n", None, url)
        assert "secret" not in str(failed.value)
    file = open_place("p", "n", None, f"sqlite:///{tmp_path}/x.db")
    assert (tmp_path / "x.db").exists() and not file.shared
    file.close()
    monkeypatch.setattr(place, "find_spec", lambda _: None)
    with pytest.raises(TuneError, match=r"pip install 'autosched\[postgresql\]'"):
        open_place("p", "n", None, "postgresql://u@h/d")
