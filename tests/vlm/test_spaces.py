"""Search spaces that come with families hold their built-in schedules: a search never begins below what is there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autosched.cli.samples import space_of
from autosched.codegen.build import target
from autosched.codegen.outline import outline
from autosched.lower.lower import Layout, lower
from autosched.runtime.cpu import fingerprint
from autosched.schedule import Schedule
from autosched.schedule.directives import Directive, Specialize, SpecializeRanges
from autosched.tune import space_file
from autosched.vlm import passes, registry


def specializations(schedule: Schedule) -> set[Directive]:
    """What a schedule has kernels of their own for, which no source shows."""
    return {x for items in schedule.funcs.values() for x in items if isinstance(x, (Specialize, SpecializeRanges))}


@pytest.mark.parametrize("vendor", ["amd", "intel"])
@pytest.mark.parametrize("name", ["qwen2.5-vl", "qwen2.5-vl-video", "internvl3", "llava-next", "siglip2", "gemma3-pil"])
def test_the_default_point_of_a_bucket_is_its_built_in_schedule(
    name: str, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (space_file, passes):
        monkeypatch.setattr(module, "fingerprint", lambda: replace(fingerprint(), vendor=vendor))
    family = registry.get(name)
    space, pipeline = space_of(family).space, family.pipeline()
    assert len({str(space.default(bucket.name)) for bucket in family.buckets}) > 1
    fetched = "prefetch_stores" in str(space.schedule(space.default(None)).to_data())
    assert fetched == (vendor == "intel")
    for bucket in family.buckets:
        schedules = space.schedule(space.default(bucket.name)), family.schedules["default"](bucket)
        found, expected = (outline(lower(pipeline, s, Layout({}, {}, target()))).readable for s in schedules)
        assert found == expected, bucket.name
        assert specializations(schedules[0]) == specializations(schedules[1]), bucket.name
        assert bool(specializations(schedules[0])) == (bucket.name in passes._KNOWN_TURNS)
