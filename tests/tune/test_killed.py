"""kill -9 at random moments: the next run goes on, and no finished trial is lost or counted twice."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from pathlib import Path

import optuna
import synthetic

from autosched.records import Record
from autosched.tune.candidate import schedule_id
from autosched.tune.run import Result

MOMENTS = 20


def killed_at(moment: float, directory: Path, log: Path, storage: str | None = None, *, finished: int = 0) -> bool:
    """A search in a process of its own, which is killed so many seconds after it has finished so many trials.

    Returns whether it was still at work.
    """
    before = len(log.read_text().splitlines())
    arguments = (directory, log, 9999, storage, 0.02)
    process = multiprocessing.get_context("fork").Process(target=synthetic.search, args=arguments)
    process.start()
    end = time.monotonic() + 60
    while process.is_alive() and len(log.read_text().splitlines()) < before + finished and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(moment)
    process.kill()
    process.join()
    assert process.exitcode in (-9, 0)
    return process.exitcode == -9


def check(result: Result, log: Path) -> None:
    """Everything that was said to be finished is in the study once, as it was said."""
    said = Counter(line.split()[0] for line in log.read_text().splitlines() if line.endswith(("ok", "slow", "crash")))
    finished = [t for t in result.trials if t.outcome.kind != "duplicate"]
    kept = Counter(schedule_id(t.schedule) for t in finished)
    assert not said - kept
    assert max(kept.values()) == 1
    kinds = {schedule_id(t.schedule): t.outcome.kind for t in finished}
    assert all(kinds[line.split()[0]] == line.split()[1] for line in log.read_text().splitlines())
    assert Record.model_validate_json(result.record.model_dump_json()) == result.record


def test_twenty_random_moments(tmp_path: Path) -> None:
    """Each run goes on where the one before was killed, in the middle of a trial or of a write to the database."""
    rng, log = random.Random(20), tmp_path / "log"
    log.write_text("")
    killed, lengths = [], [0]
    for i in range(MOMENTS):  # as it starts, and after a trial or two
        killed.append(killed_at(0.4 * rng.random() / (1 + i % 3), tmp_path, log, finished=i % 3))
        lengths.append(len(log.read_text().splitlines()))
    assert lengths == sorted(lengths) and sum(killed) >= MOMENTS // 2
    before = lengths[-1]
    assert before >= MOMENTS // 2
    result = synthetic.search(tmp_path, log, before + 5)
    assert result.resumed >= before
    assert result.exhausted or result.record.search.trials >= before + 5
    check(result, log)
    loaded = optuna.load_study(study_name=None, storage=f"sqlite:///{result.study}")  # as optuna-dashboard does
    assert not [t for t in loaded.trials if t.state.name == "RUNNING"]


def test_the_answer_is_that_of_an_undisturbed_run(tmp_path: Path) -> None:
    """A search over the whole space finds the same schedule, killed on the way or not."""
    log = tmp_path / "log"
    log.write_text("")
    for finished in (0, 5):  # while the database is made, and in the middle
        killed_at(0.2, tmp_path / "a", log, finished=finished)
    a = synthetic.search(tmp_path / "a", log, 9999)
    b = synthetic.search(tmp_path / "b", tmp_path / "other", 9999)
    assert a.exhausted and b.exhausted and a.schedule == b.schedule
    assert a.record.search.trials == b.record.search.trials == synthetic.SPACE.count() + 1
    check(a, log)
