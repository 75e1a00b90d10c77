"""`warm` and `explain`, and what is said of what is no processor."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

import autosched
from autosched.errors import ArgumentError, UnsupportedProcessorError

transformers = pytest.importorskip("transformers")
FIVE = int(transformers.__version__.split(".")[0]) >= 5
KIND = transformers.CLIPImageProcessorPil if FIVE else transformers.CLIPImageProcessor


def test_warm_runs_every_layout() -> None:
    fast = autosched.accelerate(KIND())
    assert autosched.explain(fast) is None
    done = autosched.warm(fast, sizes=[(60, 90)])
    assert done.keys() == {"pillow", "height, width, 3", "3, height, width"}
    assert all(explanation.accelerated for explanation in done.values())
    assert autosched.explain(fast) == done["3, height, width"]
    whole = SimpleNamespace(image_processor=fast, video_processor=object())
    assert autosched.explain(whole) == {"image_processor": done["3, height, width"]}
    assert autosched.warm(whole, sizes=[(60, 90)]) == done


def test_what_is_not_accelerated() -> None:
    for give in (autosched.warm, autosched.explain):
        with pytest.raises(ArgumentError, match=f"a {KIND.__name__} is not accelerated; give"):
            give(KIND())
    with pytest.raises(ArgumentError, match=re.escape("size (0, 5) must be height and width")):
        autosched.warm(autosched.accelerate(KIND()), sizes=[(0, 5)])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (KIND, f"{KIND.__name__} is a class; give an instance: accelerate({KIND.__name__}(...))"),
        ("Qwen", "give a processor, not a str; AutoImageProcessor.from_pretrained('Qwen') makes one"),
        (None, "give a processor, not None"),
        ([KIND()], "give a processor, not a list; accelerate each for itself"),
        (lambda: 0, "give a processor, not a function"),
    ],
)
def test_what_is_no_processor(given: Any, said: str) -> None:
    with pytest.raises(UnsupportedProcessorError, match=f"^{re.escape(said)}$"):
        autosched.accelerate(given)
