"""Methods and functions that somebody put in the place of transformers' own run, whenever that was."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from families import EACH, noise
from PIL import Image
from references import TRANSFORMERS_5, Oracle, assert_same_values, oracles, outcome

from autosched.hf import accelerate

Patch = Callable[[pytest.MonkeyPatch, type], None]


def picture() -> Image.Image:
    return Image.fromarray(noise(60, 70, np.random.default_rng(5)))


def _changed(values: Any) -> Any:
    """What a patched method makes of the original's result."""
    if isinstance(values, (list, tuple)):
        return type(values)(_changed(value) for value in values)
    return values + 1 if hasattr(values, "dtype") else values


def _wrapper(original: Any, hidden: bool = False) -> Any:
    def patched(*args: Any, **kwargs: Any) -> Any:
        return _changed(original(*args, **kwargs))

    return functools.wraps(original)(patched) if hidden else patched


def _owner(cls: type, name: str) -> type:
    return next(base for base in cls.__mro__ if name in vars(base))


def _in_base(patch: pytest.MonkeyPatch, cls: type) -> None:
    owner = _owner(cls, "resize")
    patch.setattr(owner, "resize", _wrapper(vars(owner)["resize"]))


def _in_class(patch: pytest.MonkeyPatch, cls: type) -> None:
    patch.setattr(cls, "resize", _wrapper(cls.resize), raising=False)


def _hidden(patch: pytest.MonkeyPatch, cls: type) -> None:
    patch.setattr(cls, "normalize", _wrapper(cls.normalize, hidden=True), raising=False)


PATCHES: dict[str, Patch] = {"base": _in_base, "class": _in_class, "hidden": _hidden}


def check(processor: Any, drop_in: Any, accelerated: bool | None) -> None:
    """The same results, and whether kernels made them; None is for either."""
    for arguments in ({"return_tensors": "pt"}, {"return_tensors": "pt", "do_normalize": True}):
        expected = outcome(lambda given=arguments: processor(picture(), **given))
        actual = outcome(lambda given=arguments: drop_in(picture(), **given))
        assert actual.error == expected.error
        if expected.values is not None:
            assert_same_values(actual.values, expected.values)
        assert accelerated is None or drop_in.autosched_explain().accelerated == accelerated


@pytest.mark.parametrize(("oracle", "settings"), EACH)
@pytest.mark.parametrize("how", PATCHES)
def test_methods(oracle: Oracle, settings: dict[str, Any], how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    processor = oracle.build(**settings)
    if how != "hidden" and not hasattr(processor, "resize"):
        pytest.skip("this processor resizes in functions only")
    before = accelerate(processor)
    check(processor, before, accelerated=True)
    # Some slow processors of 4.57 do not call their methods.
    called = None if not TRANSFORMERS_5 and oracle.backend == "pil" else False
    with monkeypatch.context() as patch:
        PATCHES[how](patch, type(processor))
        check(processor, before, accelerated=called)
        check(processor, accelerate(oracle.build(**settings)), accelerated=called)
        explanation = before.autosched_explain()
        assert explanation.accelerated or "is not transformers' own" in explanation.reason
    check(processor, before, accelerated=True)


@pytest.mark.parametrize("oracle", oracles("Qwen2VLImageProcessor"))
def test_a_function_of_a_module(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    processor = oracle.build()
    before = accelerate(processor)
    check(processor, before, accelerated=True)
    module = sys.modules[_owner(type(processor), "_preprocess").__module__]
    with monkeypatch.context() as patch:
        patch.setattr(module, "smart_resize", lambda *args, factor=28, **kwargs: (2 * factor, 3 * factor))
        for drop_in in (before, accelerate(processor)):
            check(processor, drop_in, accelerated=False)
            assert drop_in.autosched_explain().reason == "smart_resize is not transformers' own"
    check(processor, before, accelerated=True)


@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
def test_a_mock(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    processor = oracle.build()
    drop_in = accelerate(processor)
    check(processor, drop_in, accelerated=True)
    with monkeypatch.context() as patch:
        patch.setattr(type(processor), "resize", MagicMock(side_effect=ValueError("mine")), raising=False)
        check(processor, drop_in, accelerated=False)
    check(processor, drop_in, accelerated=True)


@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
def test_preprocess_itself(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does what it likes around what the kernels compute."""
    processor = oracle.build()
    drop_in = accelerate(processor)
    check(processor, drop_in, accelerated=True)

    cls = _owner(type(processor), "preprocess")
    original = vars(cls)["preprocess"]

    def mine(self: Any, images: Any, *args: Any, **kwargs: Any) -> Any:
        made = original(self, images, *args, **kwargs)
        made["seen"] = [1]
        return made

    monkeypatch.setattr(cls, "preprocess", mine)
    for _ in range(2):
        made, expected = (dict(one(picture(), return_tensors="pt")) for one in (drop_in, processor))
        assert_same_values(made, expected)
    assert "seen" in made


@pytest.mark.skipif(not TRANSFORMERS_5, reason="4.57 has no such method in all of its forms")
@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
def test_a_class_of_drop_ins_and_one_that_extends_it(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    drop_in = accelerate(oracle.build())
    expected = dict(drop_in(picture()))
    cls = type(drop_in)

    class Extended(cls):  # type: ignore[misc, valid-type]
        def normalize(self, *args: Any, **kwargs: Any) -> Any:
            return super().normalize(*args, **kwargs) + 1

    extended = Extended()
    for one, accelerated in ((extended, False), (drop_in, True), (extended, False)):
        made = one(picture())
        assert one.autosched_explain().accelerated == accelerated
        assert np.array_equal(made["pixel_values"][0], expected["pixel_values"][0]) == accelerated
    monkeypatch.setattr(cls, "normalize", _wrapper(cls.normalize), raising=False)
    assert not np.array_equal(drop_in(picture())["pixel_values"][0], expected["pixel_values"][0])
