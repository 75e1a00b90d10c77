"""Registries load their modules, refuse doubles, and name what is near; what is registered fits together."""

from __future__ import annotations

import pytest

from autosched.errors import ArgumentError
from experiments.experiment import EXPERIMENTS
from experiments.family import FAMILIES
from experiments.implementation import IMPLEMENTATIONS, Implementation
from experiments.workloads import WORKLOADS


def test_an_unknown_name_names_the_near_ones() -> None:
    with pytest.raises(ArgumentError, match=r"no family called 'llava_next'; did you mean llava-next"):
        FAMILIES["llava_next"]
    assert "llava_next" not in FAMILIES and FAMILIES.get("llava_next") is None


def test_two_of_one_name_are_refused() -> None:
    first = IMPLEMENTATIONS["hf-pil"]
    assert IMPLEMENTATIONS.add(first) is first
    with pytest.raises(ArgumentError, match="two implementations are called 'hf-pil'"):
        IMPLEMENTATIONS.add(Implementation("hf-pil", "another", "hf-pil", first.make))


def test_what_a_family_names_is_there() -> None:
    assert {"qwen2.5-vl", "internvl2.5", "internvl3.5", "llava-next"} <= set(FAMILIES)
    for family in FAMILIES.values():
        known = [IMPLEMENTATIONS[name] for name in (*family.implementations, *family.baselines)]
        assert {implementation.oracle for implementation in known} <= set(IMPLEMENTATIONS)
        assert set(family.workloads) <= set(WORKLOADS) and set(family.baselines) <= set(family.implementations)


def test_experiments_say_what_they_ask() -> None:
    assert {"runtime", "memory"} <= set(EXPERIMENTS)
    assert all(experiment.question.endswith("?") for experiment in EXPERIMENTS.values())
