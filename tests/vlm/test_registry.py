"""The registry of kernel families, and loading by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import blur_family
import numpy as np
import pytest

from autosched.errors import ArgumentError, AutoschedWarning
from autosched.lang import bf16, f16, f32
from autosched.lang.fingerprint import fingerprint
from autosched.records import Record, key_here, write
from autosched.runtime.cpu import fingerprint as cpu_fingerprint
from autosched.schedule import Schedule
from autosched.shipped import shipped
from autosched.vlm import registry
from autosched.vlm.load import load
from autosched.workload import Bucket, nearest

FAMILY = blur_family.FAMILY


@pytest.fixture
def only_blur(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(registry, "_families", {FAMILY.name: FAMILY})
    monkeypatch.setattr(registry, "_HOMES", {})
    monkeypatch.setenv("AUTOSCHED_TUNED_DIR", str(tmp_path))
    return tmp_path


def recorded(schedule: Schedule, bucket: Bucket, threads: int) -> Record:
    interval = {"median": 1.0, "low": 1.0, "high": 1.0}
    return Record.model_validate(
        {
            "key": key_here(FAMILY.pipeline(), bucket, threads),
            "schedule": schedule,
            "search": {"trials": 1, "rounds": 1, "seconds": 0.0, "space": "s", "workload": "w"},
            "times": {"schedule": interval, "default": interval, "speedup": interval, "noise": 0.0},
            "origin": {"when": "2026-01-01T00:00:00Z", "python": "3", "numba": "0", "llvmlite": "0"},
        }
    )


def test_names_and_near_names(only_blur: Path) -> None:
    assert registry.names() == ["blur-test"] and registry.get("blur-test") is FAMILY
    with pytest.raises(ArgumentError, match=r"no kernel called 'Blur_Test'; did you mean blur-test\?"):
        registry.get("Blur_Test")
    with pytest.raises(ArgumentError, match="there are blur-test"):
        registry.get("qqq")


def test_a_pipeline_is_a_name_too(only_blur: Path) -> None:
    renamed = dataclasses.replace(FAMILY, name="other")
    registry.register(renamed)
    registry._families.pop("blur-test")
    assert registry.get("blur-test") is renamed


def test_who_uses_a_pipeline() -> None:
    assert registry.users("patches-torchvision-p14-inverse")[:2] == ["qwen2-vl", "qwen2.5-vl"]
    for name in ("qwen2.5-vl", "qwen2.5-vl-pil", "qwen2.5-vl-bf16", "siglip2-pil-f16", "qwen3-vl-video"):
        assert name in registry.users(registry.get(name).pipeline().name)
    assert registry.users("nothing") == registry.users("nothing-bf16") == []


def test_a_broken_file_is_said_to_be_of_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOSCHED_TUNED_DIR", str(tmp_path))
    broken = tmp_path / cpu_fingerprint().cpu_class / "patches-torchvision-p14-inverse.json"
    broken.parent.mkdir()
    broken.write_text("{")
    with pytest.warns(AutoschedWarning, match=r"`autosched tune qwen2-vl` \(or qwen2.5-vl, .*, which share it\)"):
        load("qwen2.5-vl", threads=1)


def test_registering(only_blur: Path) -> None:
    assert registry.register(FAMILY) is FAMILY
    with pytest.raises(ArgumentError, match="two kernel families are called 'blur-test'"):
        registry.register(dataclasses.replace(FAMILY, summary="another"))
    with pytest.raises(ArgumentError, match="need a 'default'"):
        dataclasses.replace(FAMILY, schedules={})
    with pytest.raises(ArgumentError, match="at least one bucket"):
        dataclasses.replace(FAMILY, buckets=())


def test_all_families_are_whole() -> None:
    """Each name leads to a family that is called so, with legal schedules and a search space."""
    from autosched.tune import load_space

    assert registry.names()
    for name in registry.names():
        family = registry.get(name)
        assert family.name == name and family.summary
        for bucket in family.buckets:
            assert nearest(bucket.measures, family.buckets) == bucket
            for make in family.schedules.values():
                make(bucket).check(family.pipeline())
        file = load_space(shipped("search_spaces") / family.space_file)
        assert {t.func for t in file.space.templates} <= {f.name for f in family.pipeline().funcs}


def test_load_falls_back_to_the_default(only_blur: Path) -> None:
    tuned = load("blur-test", threads=3)
    assert tuned.schedule == Schedule() and tuned.bucket.name == "small" and tuned.answer.rung == "built-in default"
    assert tuned.explain().startswith("blur-test, bucket small, 3 threads\nanswered by: built-in default")
    image = np.arange(30, dtype=np.uint8).reshape(5, 6)
    assert tuned.kernel is tuned.kernel
    assert tuned.kernel(shape=(3, 4), image=image)[0, 0] == image[:3, :3].sum() // 9
    first, second = tuned([image, image[1:]])
    assert first.shape == (3, 4) and np.array_equal(first[1:], second)


def test_load_finds_the_record(only_blur: Path) -> None:
    small, large = FAMILY.buckets
    fast = Schedule().vectorize("blur", "x", 8)
    write([recorded(fast, large, 2)], "blur-test", only_blur)
    tuned = load("blur-test", bucket="large", threads=2)
    assert tuned.schedule == fast and tuned.answer.rung == "exact"
    assert load("blur-test", bucket="large", threads=1).answer.rung == "same CPU class"
    assert load("blur-test", bucket="small", threads=2).answer.rung == "built-in default"
    assert tuned.at({"pixels": 1e5}) is tuned and tuned.at({"pixels": 3e3}).bucket == small
    assert tuned.at({"other": 1.0}) is tuned


def test_an_illegal_record_is_passed_over(only_blur: Path) -> None:
    write([recorded(Schedule().vectorize("blur", "nowhere", 8), FAMILY.buckets[0], 1)], "blur-test", only_blur)
    tuned = load("blur-test", threads=1)
    assert tuned.schedule == Schedule() and "is not legal for this pipeline" in tuned.explain()


def test_bad_arguments(only_blur: Path) -> None:
    with pytest.raises(ArgumentError, match="no bucket 'huge'; it has small, large"):
        load("blur-test", bucket="huge")
    for threads in (0, 1.5, "2", True):
        with pytest.raises(ArgumentError, match=f"threads is {threads!r}; it must be .*at least 1"):
            load("blur-test", threads=threads)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="did you mean"):
        load("blur-tset")


def test_values_of_16_bits() -> None:
    """A type is a suffix or an argument; the algorithm and the name of its records are its own."""
    plain, named, asked = load("qwen2.5-vl"), load("qwen2.5-vl-bf16"), load("qwen2.5-vl", dtype="bfloat16")
    assert plain.family.name == "qwen2.5-vl" and named.family.name == asked.family.name == "qwen2.5-vl-bf16"
    assert asked.pipeline.output.type == named.pipeline.output.type == bf16
    assert named.pipeline.name == f"{plain.pipeline.name}-bf16"
    assert fingerprint(named.pipeline) == fingerprint(asked.pipeline) != fingerprint(plain.pipeline)
    assert load("qwen2.5-vl-bf16", dtype=np.float32).pipeline.output.type == f32
    assert load("siglip2-pil", dtype=np.float16).family.name == "siglip2-pil-f16"
    assert load("internvl3-f16").pipeline.output.type == f16
    assert "qwen2.5-vl-bf16" not in registry.names()
    with pytest.raises(ArgumentError, match="dtype is 'int8'; values can be float32, bfloat16, float16"):
        load("qwen2.5-vl", dtype="int8")


def test_a_family_without_other_types(only_blur: Path) -> None:
    with pytest.raises(ArgumentError, match=r"blur-test has .* values only, not bf16"):
        load("blur-test", dtype="bfloat16")
    with pytest.raises(ArgumentError, match="no kernel called 'blur'"):
        registry.get("blur-bf16")


@pytest.mark.parametrize("name", ["internvl3", "llava-next"])
def test_calls_of_tiles_are_of_one_bucket(name: str) -> None:
    """A thumbnail is resized much further than tiles are, and has a schedule of its own."""
    family = registry.get(name)
    workload = family.workload(family.specimens({"sizes": [[1920, 1080]]}), family.settings)
    widths = [(b.given["src"].shape[1], b.shape[1] * b.shape[4]) for b in workload.bindings]
    buckets = [nearest({"stretch": before / after}, family.buckets) for before, after in widths]
    assert buckets and all(bucket == nearest(workload.measures, family.buckets) for bucket in buckets)


def test_images_of_another_kernel_are_refused() -> None:
    family = registry.get("llava-1.5-pil")
    with pytest.raises(ArgumentError, match="Pillow resizes the columns of these images first"):
        family.workload(family.specimens({"sizes": [[400, 1600]]}), family.settings)
