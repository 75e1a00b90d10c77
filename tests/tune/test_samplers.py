"""Every sampler proposes points of the space, each once, and resumes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from autosched.errors import TuneError
from autosched.tune import samplers
from autosched.tune.constraints import Condition
from autosched.tune.samplers import SAMPLERS, Sampler
from autosched.tune.space import Knob, Ref, Space, Template
from autosched.tune.study import Outcome, Study, StudyOptions

MODE = Condition((("mode", ("b",)),))
SPACE = Space(
    "s",
    (Knob("lanes", (2, 4, 8, 16), 2), Knob("mode", ("a", "b"), "a"), Knob("factor", (2, 4, 8), 2, MODE)),
    (),
    (
        Template("f", "vectorize", (("var", "x"), ("lanes", Ref("lanes")))),
        Template("f", "unroll", (("var", "y"), ("factor", Ref("factor"))), MODE),
    ),
)


def search(folder: Path, sampler: Sampler, most: int) -> list[dict[str, object]]:
    """Points in the order of proposals; many lanes are fast, but `b` fails with 8 lanes and needs memory."""
    made = []
    with Study("p", "n", SPACE, folder, StudyOptions(sampler, 0, startup=4)) as study:
        while len(made) < most and (proposal := study.propose()) is not None:
            point = dict(proposal.point)
            made.append(point)
            if point["mode"] == "b" and point["lanes"] == 8:
                study.finish(proposal, Outcome("crash", None, "it did"))
            else:
                ratio = 2 / math.log2(int(point["lanes"]))
                study.finish(proposal, Outcome("ok", ratio, memory=(1 << 20) * (point["mode"] == "b")))
    return made


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_all_points_once(tmp_path: Path, sampler: Sampler) -> None:
    if sampler == "gp":
        pytest.importorskip("torch")
    first = search(tmp_path, sampler, 7)
    rest = search(tmp_path, sampler, 99 if sampler != "gp" else 1)  # it takes long to think
    points = [tuple(sorted(p.items())) for p in first + rest]
    assert len(points) == len(set(points)) == (16 if sampler != "gp" else 8)
    assert SPACE.count() == 16
    assert all(SPACE.contains(p) for p in first + rest)


def test_brute_goes_in_order(tmp_path: Path) -> None:
    assert search(tmp_path, "brute", 99) == list(SPACE.points())


def test_random_is_uniform_over_points(tmp_path: Path) -> None:
    """Knob by knob, half of all points would have mode a; there are only 4 such points of 16."""
    count = sum(search(tmp_path / str(i), "random", 1)[0]["mode"] == "a" for i in range(1))
    with Study("p", "seeds", SPACE, tmp_path, StudyOptions("random", 1)) as study:
        drawn = [study._unseen() for _ in range(400)]
    count = sum(p is not None and p["mode"] == "a" for p in drawn)
    assert 70 <= count <= 130


def test_two_objectives(tmp_path: Path) -> None:
    """nsga2 has studies of its own, in which memory counts."""
    search(tmp_path, "tpe", 5)
    search(tmp_path, "nsga2", 16)
    with Study("p", "n", SPACE, tmp_path, StudyOptions("nsga2", 0)) as study:
        assert study.finished == 16 and study.name == "n | time and memory"
        best = study._study.best_trials
        assert {t.user_attrs["result"]["point"]["mode"] for t in best} == {"a"}
        assert all(len(t.values) == 2 for t in study._study.trials)
    with Study("p", "n", SPACE, tmp_path, StudyOptions("random", 0)) as study:
        assert study.finished == 5


def test_gp_without_its_dependencies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers, "find_spec", lambda name: None)
    with pytest.raises(TuneError, match=r"sampler gp needs torch and scipy; install them .*, or use tpe"):
        Study("p", "n", SPACE, tmp_path, StudyOptions("gp", 0))
