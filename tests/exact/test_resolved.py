"""Arguments that are remembered from call to call never outlive what they came from."""

from __future__ import annotations

import io
import threading
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image, features
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from references import ORACLES, TRANSFORMERS_5, Oracle, assert_same_values, oracles, outcome

from autosched.hf import accelerate
from autosched.hf.explanation import Explanation
from autosched.hf.resolved import Resolved
from autosched.runtime import Replay

every_oracle = pytest.mark.parametrize("oracle", ORACLES)


def image(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (70, 90, 3), dtype=np.uint8))


@dataclass
class Size:
    """A record, as transformers has them."""

    side: float


#: Changes between two calls, some of them inside of an attribute, as (attribute, what is done to the processor).
CHANGES: dict[str, Any] = {
    "nothing": lambda p: None,
    "another size": lambda p: setattr(p, "size", {"shortest_edge": 28 * 28, "longest_edge": 4 * 28 * 28}),
    "a side of the size": lambda p: _in_size(p, 6 * 28 * 28),
    "another mean": lambda p: setattr(p, "image_mean", (0.1, 0.2, 0.3)),
    "no normalisation": lambda p: setattr(p, "do_normalize", False),
    "another patch": lambda p: setattr(p, "patch_size", 16),
    "another filter": lambda p: setattr(p, "resample", 2),
}


def _in_size(processor: Any, longest: int) -> None:
    """Changes the size in place, whatever it is."""
    if isinstance(processor.size, dict):
        processor.size["longest_edge"] = longest
        processor.max_pixels = longest
    else:
        processor.size.longest_edge = longest


@every_oracle
@pytest.mark.parametrize("kind", ["np", "pt", None])
def test_changed_attributes_are_seen(oracle: Oracle, kind: str | None) -> None:
    if oracle.backend == "torchvision" and kind == "np":
        kind = "pt"
    for name, change in CHANGES.items():
        processor = oracle.build()
        fast = accelerate(processor)
        for seed in (0, 1):  # the second call uses what the first has left
            assert_same_values(fast(image(seed), return_tensors=kind), processor(image(seed), return_tensors=kind))
            assert fast.autosched_explain().accelerated, name
        change(processor)
        change(fast)
        for seed in (2, 3):
            assert_same_values(fast(image(seed), return_tensors=kind), processor(image(seed), return_tensors=kind))
            assert fast.autosched_explain().accelerated, name


def repeats(processor: Any) -> list[tuple[tuple[int, int], int]]:
    """The sizes of images, with numbers of threads, whose calls the drop-in repeats."""
    known = processor._autosched_state.resolved.get("pt")
    return [] if known is None else [*known.replays]


@pytest.mark.skipif(not TRANSFORMERS_5, reason="4.57's classes resolve anew in every call")
@every_oracle
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_calls_for_a_size_that_came_before(oracle: Oracle, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    processor = oracle.build()
    fast = accelerate(processor, threads=threads)
    ran = []
    run = Replay.run
    monkeypatch.setattr(Replay, "run", lambda self, address: ran.append(self) or run(self, address))
    sizes = [(90, 70), (90, 70), (200, 70), (70, 90), (90, 70), (70, 90), (200, 70)]
    for seed, size in enumerate(sizes):
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        for given in (Image.fromarray(pixels), [Image.fromarray(pixels)]):
            made = fast(given, return_tensors="pt")
            assert_same_values(made, processor(given, return_tensors="pt"))
            assert fast.autosched_explain() == Explanation("kernels", fast.autosched_explain().reason, 1)
            made["image_grid_thw"][:] = 0  # the next call has its own
    assert repeats(fast) == [(size, threads) for size in dict.fromkeys(sizes)]
    assert len(ran) == 2 * len(sizes) - 2 * len(set(sizes))
    for given in ([Image.fromarray(pixels)] * 2, Image.fromarray(pixels).convert("L").convert("RGBA")):
        assert_same_values(fast(given, return_tensors="pt"), processor(given, return_tensors="pt"))
    assert len(ran) == 2 * len(sizes) - 2 * len(set(sizes))


@pytest.mark.skipif(not TRANSFORMERS_5, reason="4.57's classes resolve anew in every call")
@every_oracle
def test_what_a_repeated_call_leaves_to_others(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    processor = oracle.build()
    fast = accelerate(processor)
    for seed in (0, 1):
        assert_same_values(fast(image(seed), return_tensors="pt"), processor(image(seed), return_tensors="pt"))
    assert len(repeats(fast)) == 1

    def full(*_: Any) -> Any:
        raise MemoryError("no memory for an array of 7 bytes")

    with monkeypatch.context() as patched:
        patched.setattr(Replay, "run", full)
        assert_same_values(fast(image(2), return_tensors="pt"), processor(image(2), return_tensors="pt"))
    transparent = image(3)
    transparent.info["transparency"] = (1, 2, 3)
    assert_same_values(fast(transparent, return_tensors="pt"), processor(transparent, return_tensors="pt"))
    torch = pytest.importorskip("torch")
    default = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)  # transformers keeps what it has made of means before
        assert_same_values(fast(image(4), return_tensors="pt"), oracle.build()(image(4), return_tensors="pt"))
    finally:
        torch.set_default_dtype(default)


@pytest.mark.skipif(not TRANSFORMERS_5, reason="4.57's classes resolve anew in every call")
@pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow has no JPEG 2000")
@every_oracle
def test_files_that_are_read_smaller_than_they_say(oracle: Oracle) -> None:
    processor = oracle.build()
    fast = accelerate(processor)
    large = image(0).resize((400, 300))
    for _ in range(3):
        assert_same_values(fast(large, return_tensors="pt"), processor(large, return_tensors="pt"))
    file = io.BytesIO()
    large.save(file, "JPEG2000")
    made = []
    for each in (fast, processor):
        opened = cast(Jpeg2KImageFile, Image.open(file))
        opened.reduce = 2
        assert opened.size == large.size
        made.append(each(opened, return_tensors="pt"))
        assert opened.size == (100, 75)
    assert_same_values(*made)


@every_oracle
@pytest.mark.parametrize("name", ["min_pixels", "max_pixels"])
def test_deprecated_attributes_are_warned_of_in_every_call(oracle: Oracle, name: str) -> None:
    processor = oracle.build()
    fast = accelerate(processor)
    for each in (fast, processor):
        setattr(each, name, 6 * 28 * 28)
    for seed in range(4):
        with warnings.catch_warnings(record=True) as ours:
            warnings.simplefilter("always")
            made = fast(image(seed), return_tensors="pt")
        with warnings.catch_warnings(record=True) as theirs:
            warnings.simplefilter("always")
            expected = processor(image(seed), return_tensors="pt")
        assert_same_values(made, expected)
        assert fast.autosched_explain().accelerated
        assert [str(each.message) for each in ours] == [str(each.message) for each in theirs]


@every_oracle
def test_arguments_of_one_call_do_not_reach_the_next(oracle: Oracle) -> None:
    processor = oracle.build()
    fast = accelerate(processor)
    for arguments in ({}, {"do_normalize": False}, {}, {"size": {"shortest_edge": 784, "longest_edge": 3136}}, {}):
        expected = processor(image(0), return_tensors="pt", **arguments)
        assert_same_values(fast(image(0), return_tensors="pt", **arguments), expected)


@pytest.mark.skipif(not TRANSFORMERS_5, reason="4.57's classes resolve anew in every call")
@every_oracle
def test_a_class_of_somebody_elses_is_asked_each_time(oracle: Oracle) -> None:
    base = type(oracle.build())
    calls = []

    class Mine(base):  # type: ignore[misc, valid-type]
        def preprocess(self, images: Any, **kwargs: Any) -> Any:
            calls.append(1)
            return super().preprocess(images, **kwargs)

    fast = accelerate(Mine())
    for _ in range(3):
        fast(image(0), return_tensors="pt")
    assert len(calls) == 3


@every_oracle
def test_an_interrupted_call_leaves_nothing(oracle: Oracle) -> None:
    processor, picture = oracle.build(), image(0)
    fast = accelerate(processor)
    fast._autosched_state.local.asked = "pt", picture  # as an interrupt may leave it
    for arguments in ({"do_normalize": False}, {}):
        expected = processor(picture, return_tensors="pt", **arguments)
        assert_same_values(fast(picture, return_tensors="pt", **arguments), expected)


class Odd:
    """Neither to be compared nor to be copied."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = None  # type: ignore[assignment]

    def __deepcopy__(self, memo: object) -> Odd:
        raise RuntimeError("not to be copied")


def _itself() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


ADDITIONS: dict[str, Any] = {
    "a lock": lambda p: threading.Lock(),
    "a module": lambda p: np,
    "an array": lambda p: np.arange(3),
    "an object": lambda p: Odd(),
    "the processor": lambda p: p,
    "a method": lambda p: p.to_dict,
    "a list of itself": lambda p: _itself(),
}


@every_oracle
@pytest.mark.parametrize("name", ADDITIONS)
def test_attributes_that_are_none_of_transformers(oracle: Oracle, name: str) -> None:
    fast = accelerate(oracle.build())
    expected = fast(image(0), return_tensors="pt")
    fast.addition = ADDITIONS[name](fast)
    for _ in range(2):
        assert_same_values(fast(image(0), return_tensors="pt"), expected)
        assert fast.autosched_explain().accelerated


@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
@pytest.mark.parametrize("number", [float, np.float64, np.int64])
def test_sides_of_another_type(oracle: Oracle, number: Any) -> None:
    """They equal those that were there, and transformers refuses some."""
    processor = oracle.build()
    fast = accelerate(processor)
    fast(image(0), return_tensors="pt")
    for changed in (processor, fast):
        (changed.size if isinstance(changed.size, dict) else vars(changed.size))["shortest_edge"] = number(224)
    wanted = {"return_tensors": "pt"}
    expected, actual = (outcome(lambda p=p: p(image(0), **wanted)) for p in (processor, fast))
    assert actual.error == expected.error
    if expected.values is not None and actual.values is not None:
        assert_same_values(actual.values, expected.values)


def test_what_holds() -> None:
    sizes = {"longest_edge": 9}
    known = Resolved.of({"size": sizes}, {"size": sizes, "do_resize": True, "mean": [0.5]})
    assert known is not None
    assert known.holds({"size": {"longest_edge": 9}, "do_resize": True, "mean": [0.5]})
    sizes["longest_edge"] = 8
    assert not known.holds({"size": sizes, "do_resize": True, "mean": [0.5]})
    assert known.values["size"] == {"longest_edge": 9}
    same = {"size": {"longest_edge": 9}, "do_resize": True, "mean": [0.5]}
    for other in (
        {"do_resize": 1},
        {"size": {"longest_edge": 9.0}},
        {"size": {"longest_edge": True}},
        {"size": OrderedDict(longest_edge=9)},
        {"mean": (0.5,)},
        {"mean": [np.float64(0.5)]},
        {"mean": np.array([0.5])},
        {"other": None},
    ):
        assert not known.holds({**same, **other})
    assert not known.holds({"size": {"longest_edge": 9}, "do_resize": True})
    assert not known.holds({"do_resize": True, "size": {"longest_edge": 9}, "mean": [0.5]})


def test_records_members_and_texts_hold() -> None:
    attributes = {"size": Size(9), "resample": Image.Resampling.BICUBIC, "names": ["size"]}
    known = Resolved.of({}, attributes)
    assert known is not None and known.holds({**attributes, "size": Size(9), "names": ["size"]})
    for other in (
        {"size": Size(9.0)},
        {"size": Size(8)},
        {"size": {"side": 9}},
        {"size": SimpleNamespace(side=9)},
        {"resample": 3},
        {"resample": Image.Resampling.NEAREST},
        {"names": ["size", "mean"]},
        {"names": ("size",)},
        {"names": np.array(["size", "mean"])},
    ):
        assert not known.holds({**attributes, **other})


@pytest.mark.parametrize("value", [np.float64(0.5), np.arange(3), (np.float64(0.5),), object(), {3}, b"bytes"])
def test_what_is_not_remembered(value: Any) -> None:
    assert Resolved.of({}, {"one": 1, "other": value}) is None


@pytest.mark.skipif(not TRANSFORMERS_5, reason="4.57's classes resolve anew in every call")
def test_sizes_that_are_remembered_do_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autosched.hf.forms._SIZES", 3)
    fast = accelerate(ORACLES[0].values[0].build(), threads=1)
    for width in range(60, 68):
        for _ in range(2):
            fast(Image.new("RGB", (width, 70)), return_tensors="pt")
    assert [size for size, _ in repeats(fast)] == [(66, 70), (67, 70)]
