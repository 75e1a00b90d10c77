"""Search spaces that come with families hold their built-in schedules: a search never begins below what is there."""

from __future__ import annotations

import pytest

from autosched.cli.samples import space_of
from autosched.codegen.build import source, target
from autosched.lower.lower import Layout, lower
from autosched.vlm import registry


@pytest.mark.parametrize("name", ["qwen2.5-vl", "qwen2.5-vl-video", "internvl3", "llava-next", "siglip2", "gemma3-pil"])
def test_the_default_point_of_a_bucket_is_its_built_in_schedule(name: str) -> None:
    family = registry.get(name)
    space, pipeline = space_of(family).space, family.pipeline()
    assert len({str(space.default(bucket.name)) for bucket in family.buckets}) > 1
    for bucket in family.buckets:
        schedules = space.schedule(space.default(bucket.name)), family.schedules["default"](bucket)
        found, expected = (source(lower(pipeline, s, Layout({}, {}, target()))) for s in schedules)
        assert found == expected, bucket.name
