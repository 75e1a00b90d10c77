"""Random programs under random schedules compute what the interpreter says, bit for bit.

200 cases in shards for pytest-xdist; AUTOSCHED_FUZZ_CASES=2000 runs more. A shard's cases depend on its number only.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from compare import outcome
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st
from programs import programs
from schedules import schedules

from autosched.cache import cache_directory
from autosched.runtime import kernel

#: Cases of one test: few enough that xdist spreads them evenly.
SHARD = 10
CASES = int(os.environ.get("AUTOSCHED_FUZZ_CASES", "200"))


@pytest.fixture(autouse=True)
def _checked(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The IR is verified between passes, Params are specialised, and the user's cache is not filled."""
    monkeypatch.setenv("AUTOSCHED_VERIFY", "1")
    monkeypatch.setattr(kernel, "RANGES_FROM", 0)
    monkeypatch.setenv("AUTOSCHED_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "fuzz"))
    cache_directory.cache_clear()
    yield
    cache_directory.cache_clear()


@pytest.mark.parametrize("shard", range(CASES // SHARD))
def test_schedules_keep_the_meaning(shard: int) -> None:
    answers: Counter[str] = Counter()

    @seed(shard)
    @settings(max_examples=SHARD, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        program = data.draw(programs(), label="program")
        pipeline = program.pipeline()
        schedule = data.draw(schedules(pipeline), label="schedule")
        threads = data.draw(st.integers(1, 3), label="threads")
        note(program.text)
        note(schedule.show(pipeline))
        answers[outcome(program, pipeline, schedule, threads)] += 1

    check()
    # the generator is meant to find legal schedules; a quarter is refused, and in ten cases sometimes more than half
    assert answers["equal"] >= answers.total() // 3, answers
