"""`install` and `uninstall`: what transformers loads is accelerated in between, by every way of loading."""

from __future__ import annotations

import inspect
import pickle
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import autosched
from autosched.errors import ArgumentError, UnsupportedProcessorError
from autosched.hf.drop_in import DropIn

transformers = pytest.importorskip("transformers")
FIVE = int(transformers.__version__.split(".")[0]) >= 5
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8))
#: Classes that need no torch, so that the same tests run without it.
NAMES = ["Qwen2VLImageProcessor", "CLIPImageProcessor", "GotOcr2ImageProcessor"]


@pytest.fixture(autouse=True)
def uninstalled() -> Iterator[None]:
    autosched.uninstall()
    yield
    autosched.uninstall()


def build(name: str) -> Any:
    return getattr(transformers, f"{name}Pil" if FIVE else name)()


def load(directory: Path) -> Any:
    choice = {"backend": "pil"} if FIVE else {"use_fast": False}
    return transformers.AutoImageProcessor.from_pretrained(directory, **choice)


@pytest.mark.parametrize("name", NAMES)
def test_auto_image_processor(name: str, tmp_path: Path) -> None:
    build(name).save_pretrained(tmp_path)
    plain = load(tmp_path)
    assert not isinstance(plain, DropIn)
    autosched.install()
    fast = load(tmp_path)
    assert isinstance(fast, DropIn) and isinstance(fast, type(plain)) and type(fast).__name__ == type(plain).__name__
    ours, theirs = (p(PICTURE, return_tensors="np") for p in (fast, plain))
    assert fast.autosched_explain().accelerated
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key], value)
    assert isinstance(type(plain).from_pretrained(tmp_path), DropIn), "loading by the class itself"
    autosched.uninstall()
    assert type(load(tmp_path)) is type(plain)


def test_saving_and_pickling_what_was_loaded(tmp_path: Path) -> None:
    build("CLIPImageProcessor").save_pretrained(tmp_path / "a")
    plain = load(tmp_path / "a")
    autosched.install()
    fast = load(tmp_path / "a")
    fast.save_pretrained(tmp_path / "b")
    again = load(tmp_path / "b")
    assert again.to_dict() == plain.to_dict()
    autosched.uninstall()
    assert isinstance(pickle.loads(pickle.dumps(fast)), DropIn), "a worker process gets the drop-in without install"


def test_installing_twice_and_threads(tmp_path: Path) -> None:
    build("CLIPImageProcessor").save_pretrained(tmp_path)
    autosched.install()
    autosched.install(threads=1)
    assert load(tmp_path)._autosched_state.threads == 1
    autosched.uninstall()
    autosched.uninstall()
    assert not isinstance(load(tmp_path), DropIn)


@pytest.mark.parametrize("threads", [0, -1, True, 1.5, "4"])
def test_threads_that_are_no_limit(threads: Any) -> None:
    for give in (autosched.install, lambda threads: autosched.accelerate(build("CLIPImageProcessor"), threads=threads)):
        with pytest.raises(ArgumentError, match=re.escape(f"threads is {threads!r}; it must be")):
            give(threads=threads)


def test_classes_without_a_drop_in_load_as_before(tmp_path: Path) -> None:
    build("BlipImageProcessor").save_pretrained(tmp_path)
    autosched.install()
    assert not isinstance(load(tmp_path), DropIn)


def _refuse(*args: Any, **kwargs: Any) -> None:
    raise TypeError("no subclasses")


def _freeze(self: Any, name: str, value: Any) -> None:
    if "frozen" in vars(self):
        raise AttributeError(f"{name} is frozen")
    object.__setattr__(self, name, value)


@pytest.mark.parametrize(
    "names", [{"__slots__": ("more",)}, {"__init_subclass__": classmethod(_refuse)}], ids=["slots", "no subclasses"]
)
def test_classes_that_cannot_have_subclasses_load_as_before(names: dict[str, Any], tmp_path: Path) -> None:
    base = type(build("CLIPImageProcessor"))
    kind = type("Kind", (base,), names)
    kind().save_pretrained(tmp_path)
    autosched.install()
    assert type(kind.from_pretrained(tmp_path)) is kind
    with pytest.raises(UnsupportedProcessorError, match="Kind cannot have the subclass that a drop-in is"):
        autosched.accelerate(kind())


def test_processors_that_refuse_attributes() -> None:
    kind = type("Frozen", (type(build("CLIPImageProcessor")),), {"__setattr__": _freeze})
    processor = kind()
    vars(processor)["frozen"] = True
    fast = autosched.accelerate(processor)
    assert fast(PICTURE, return_tensors="np")["pixel_values"].shape == (1, 3, 224, 224)
    assert fast.autosched_explain().accelerated


def test_auto_processor(tmp_path: Path) -> None:
    pytest.importorskip("torchvision", reason="the default image processor needs torchvision")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "<image>": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[UNK]")
    processor = transformers.CLIPProcessor(transformers.CLIPImageProcessor(), tokenizer)
    processor.save_pretrained(tmp_path)
    plain = transformers.AutoProcessor.from_pretrained(tmp_path)
    autosched.install()
    fast = transformers.AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(fast.image_processor, DropIn) and not isinstance(plain.image_processor, DropIn)
    ours, theirs = (p(text="a", images=PICTURE, return_tensors="pt") for p in (fast, plain))
    assert fast.image_processor.autosched_explain().accelerated
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert np.asarray(ours[key]).tobytes() == np.asarray(value).tobytes(), key


@pytest.mark.parametrize("group", ["vllm.general_plugins", "sglang.srt.plugins"])
def test_entry_points_install(group: str, tmp_path: Path) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    build("CLIPImageProcessor").save_pretrained(tmp_path)
    for _ in range(2):  # engines load plugins in every process, some more than once
        EntryPoint("autosched", project["entry-points"][group]["autosched"], group).load()()
    assert isinstance(load(tmp_path), DropIn)


def test_installing_imports_neither_torch_nor_numba() -> None:
    code = (
        "import sys, autosched; autosched.install();"
        "assert 'numba' not in sys.modules, 'numba';"
        "assert 'transformers' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_signatures_are_the_originals() -> None:
    """Serving engines and test-suites read them, by `inspect.signature` and by `getfullargspec`."""
    plain = build("CLIPImageProcessor")
    fast = autosched.accelerate(plain)
    assert inspect.signature(fast.preprocess) == inspect.signature(plain.preprocess)
    assert inspect.getfullargspec(fast.preprocess) == inspect.getfullargspec(plain.preprocess)
