"""A drop-in is its original in everything but speed: class, attributes, files, copies, pickles, threads."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image
from references import ORACLES, SETTINGS, TRANSFORMERS_5, Oracle, assert_same_values, oracles, outcome

from autosched.errors import ArgumentError, AutoschedWarning, CacheError, CompileError, UnsupportedProcessorError
from autosched.hf import Explanation, accelerate
from autosched.vlm.qwen_vl import QwenVL

every_oracle = pytest.mark.parametrize("oracle", ORACLES)
if TRANSFORMERS_5:
    OVERRIDABLE = ["_preprocess", "process_image", "resize", "patchify", "_prepare_images_structure"]
else:
    OVERRIDABLE = ["_preprocess", "rescale", "normalize"]
COPIES: dict[str, Any] = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "oldest pickle": lambda x: pickle.loads(pickle.dumps(x, 0)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def image(seed: int = 0, height: int = 70, width: int = 90) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@every_oracle
def test_the_class_looks_like_the_original(oracle: Oracle) -> None:
    processor = oracle.build(**SETTINGS["qwen3-vl"])
    drop_in = accelerate(processor)
    cls = type(processor)
    assert isinstance(drop_in, cls)
    assert type(drop_in).__name__ == cls.__name__
    assert type(drop_in).__module__ == cls.__module__
    assert type(drop_in).__qualname__ == cls.__qualname__
    assert type(drop_in).__doc__ == cls.__doc__
    assert type(drop_in) is type(accelerate(oracle.build()))
    for method in ("__init__", "__call__", "preprocess", "_preprocess"):
        assert inspect.signature(getattr(drop_in, method)) == inspect.signature(getattr(processor, method)), method
    for flag in ("backend", "is_fast"):
        assert getattr(drop_in, flag, None) == getattr(processor, flag, None)


@every_oracle
@pytest.mark.parametrize("name", SETTINGS)
def test_attributes_and_files_are_the_originals(oracle: Oracle, name: str, tmp_path: Path) -> None:
    processor = oracle.build(**SETTINGS[name])
    drop_in = accelerate(processor)
    assert vars(drop_in) == vars(processor)
    assert drop_in.to_dict() == processor.to_dict()
    assert repr(drop_in) == repr(processor)
    drop_in(image())
    processor.save_pretrained(tmp_path / "original")
    drop_in.save_pretrained(tmp_path / "drop_in")
    files = sorted(path.name for path in (tmp_path / "original").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "drop_in").iterdir())
    for file in files:
        assert (tmp_path / "drop_in" / file).read_bytes() == (tmp_path / "original" / file).read_bytes()
    loaded = type(processor).from_pretrained(tmp_path / "drop_in")
    assert type(loaded) is type(processor)
    assert_same_values(dict(drop_in(image())), dict(loaded(image())))
    assert json.loads(drop_in.to_json_string()) == json.loads(processor.to_json_string())


@every_oracle
def test_the_drop_ins_class_makes_drop_ins(oracle: Oracle, tmp_path: Path) -> None:
    processor = oracle.build(**SETTINGS["small"])
    drop_in = accelerate(processor)
    drop_in.save_pretrained(tmp_path)
    for made in (type(drop_in).from_pretrained(tmp_path), type(drop_in)(**SETTINGS["small"])):
        assert made.autosched_explain() is None
        assert_same_values(dict(made(image())), dict(processor(image())))
        assert made.autosched_explain().accelerated


@every_oracle
def test_the_original_is_left_alone(oracle: Oracle) -> None:
    processor = oracle.build(**SETTINGS["small"])
    before = dict(vars(processor))
    drop_in = accelerate(processor)
    drop_in(image())
    drop_in.patch_size = 16
    assert vars(processor) == before
    assert not hasattr(processor, "autosched_explain")
    assert drop_in(image())["pixel_values"].shape[1] == 3 * 2 * 16 * 16


def test_the_originals_sizes_and_lists_are_left_alone() -> None:
    for name, settings in (
        ("Qwen2VLImageProcessor", SETTINGS["small"]),
        ("LlavaNextImageProcessor", {"image_grid_pinpoints": [[336, 672], [672, 336]]}),
    ):
        for oracle in (parameter.values[0] for parameter in oracles(name)):
            processor = oracle.build(**settings)
            before = copy.deepcopy(vars(processor))
            first = accelerate(processor)
            second = accelerate(first, threads=1)
            for drop_in in (first, second):
                drop_in.size["shortest_edge"] = 5000
                if "Llava" in name:
                    drop_in.image_grid_pinpoints[0][0] = 42
                assert vars(processor) == before
                assert vars(drop_in) != before


@every_oracle
def test_what_is_in_two_attributes_is_one_thing(oracle: Oracle) -> None:
    processor = oracle.build()
    lock = threading.Lock()
    itself: list[Any] = [lock]
    itself.append(itself)
    processor.one, processor.two, processor.lock = itself, {"one": itself}, lock
    drop_in = accelerate(processor)
    assert drop_in.one is drop_in.two["one"] is drop_in.one[1] is not itself
    assert drop_in.lock is drop_in.one[0] is lock


@every_oracle
def test_attributes_can_be_changed_later(oracle: Oracle) -> None:
    processor, drop_in = oracle.build(), accelerate(oracle.build())
    for changed in (processor, drop_in):
        changed.image_mean = [0.1, 0.2, 0.3]
        changed.do_normalize = False
    assert_same_values(dict(drop_in(image())), dict(processor(image())))
    assert drop_in.autosched_explain().accelerated


@every_oracle
@pytest.mark.parametrize("how", COPIES)
def test_copies_are_drop_ins(oracle: Oracle, how: str) -> None:
    drop_in = accelerate(oracle.build(**SETTINGS["small"]), threads=2)
    drop_in(image())
    made = COPIES[how](drop_in)
    assert type(made) is type(drop_in)
    assert vars(made) == vars(drop_in)
    assert made.autosched_explain() is None
    assert accelerate(made, threads=2) is made
    assert_same_values(dict(made(image())), dict(drop_in(image())))


HOOKS: dict[str, dict[str, Any]] = {
    "none": {},
    "state": {
        "__getstate__": lambda self: {name: value for name, value in vars(self).items() if name != "lock"},
        "__setstate__": lambda self, state: vars(self).update(state, lock=threading.Lock(), hook="state"),
    },
    "reduce": {"__reduce__": lambda self: (_again, (type(self), 7))},
}


def _again(kind: type, number: int) -> Any:
    made = kind(**SETTINGS["small"])
    vars(made)["hook"] = number
    return made


@every_oracle
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("hooks", HOOKS)
def test_copies_are_made_by_the_hooks_of_the_class(
    oracle: Oracle, how: str, hooks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = type(oracle.build())
    kind = type(base)("Hooked", (base,), {**HOOKS[hooks], "__module__": __name__})
    monkeypatch.setattr(sys.modules[__name__], "Hooked", kind, raising=False)
    processor = kind(**SETTINGS["small"])
    if hooks == "state":
        processor.lock = threading.Lock()
    drop_in = accelerate(processor, threads=2)
    expected, made = (COPIES[how](one) for one in (processor, drop_in))
    assert type(made) is type(drop_in) and made._autosched_state.threads == 2
    assert vars(made).keys() == vars(expected).keys()
    assert getattr(made, "hook", None) == getattr(expected, "hook", None)
    assert_same_values(dict(made(image())), dict(processor(image())))
    assert made.autosched_explain().accelerated


@every_oracle
@pytest.mark.parametrize("how", COPIES)
def test_copies_of_a_processor_that_knows_itself(oracle: Oracle, how: str) -> None:
    drop_in = accelerate(oracle.build(**SETTINGS["small"]))
    drop_in.itself = drop_in
    made = COPIES[how](drop_in)
    assert made.itself is (drop_in if how == "copy" else made)


@every_oracle
def test_another_process_can_unpickle(oracle: Oracle, tmp_path: Path) -> None:
    path = tmp_path / "drop_in.pickle"
    path.write_bytes(pickle.dumps(accelerate(oracle.build(**SETTINGS["small"]))))
    code = (
        "import pathlib, pickle, sys, numpy as np\n"
        "drop_in = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "drop_in(np.zeros((50, 60, 3), np.uint8))\n"
        "print(drop_in.autosched_explain().path)\n"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, cwd=root, check=True)
    assert run.stdout.split()[-1] == "kernels"


@every_oracle
def test_patch_counts_are_the_originals(oracle: Oracle) -> None:
    processor = oracle.build(**SETTINGS["qwen3-vl"])
    drop_in = accelerate(processor)
    for height, width in ((1, 1), (640, 480), (1080, 1920), (57, 1000)):
        for images_kwargs in ({}, {"min_pixels": 50000, "max_pixels": 200000}, {"patch_size": 14}):
            counted = drop_in.get_number_of_image_patches(height, width, images_kwargs)
            assert counted == processor.get_number_of_image_patches(height, width, images_kwargs)


@every_oracle
def test_accelerating_twice_changes_nothing(oracle: Oracle) -> None:
    drop_in = accelerate(oracle.build())
    assert accelerate(drop_in) is drop_in
    limited = accelerate(drop_in, threads=1)
    assert limited is not drop_in
    assert type(limited) is type(drop_in)
    with pytest.raises(ArgumentError, match="threads is 0; it must be at least 1"):
        accelerate(drop_in, threads=0)


@every_oracle
def test_explanations_belong_to_the_thread(oracle: Oracle) -> None:
    drop_in = accelerate(oracle.build(**SETTINGS["small"]))
    assert drop_in.autosched_explain() is None
    drop_in([image(), image(1)])
    explanation = drop_in.autosched_explain()
    assert explanation == Explanation("kernels", f"Qwen-VL patches, bicubic, {oracle.backend} reference", images=2)
    assert str(explanation).startswith("kernels: ")
    seen: list[Any] = []

    def work() -> None:
        seen.append(drop_in.autosched_explain())
        drop_in(image(height=84, width=84), do_resize=False)
        seen.append(drop_in.autosched_explain().path)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None, "huggingface"]
    assert drop_in.autosched_explain() is explanation


@every_oracle
@pytest.mark.parametrize("error", [CacheError("the disk is full"), CompileError("no such instruction")])
def test_a_kernel_that_cannot_be_built_costs_speed_and_a_warning(
    oracle: Oracle, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(QwenVL, "compute", fail)
    processor = oracle.build(**SETTINGS["small"])
    drop_in = accelerate(processor)
    with pytest.warns(AutoschedWarning, match=f"Hugging Face's own code runs: {error}"):
        actual = drop_in(image())
    assert_same_values(dict(actual), dict(processor(image())))
    assert not drop_in.autosched_explain().accelerated
    assert str(error) in drop_in.autosched_explain().reason


@every_oracle
def test_a_result_that_there_is_no_memory_for(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hugging Face's own code has another error, or needs less."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise MemoryError("no memory for an array of 480000000000 bytes")

    monkeypatch.setattr(QwenVL, "compute", fail)
    processor = oracle.build(**SETTINGS["small"])
    drop_in = accelerate(processor)
    assert_same_values(dict(drop_in(image())), dict(processor(image())))
    assert drop_in.autosched_explain().reason.startswith("there is not enough memory: no memory for")


@every_oracle
def test_many_threads_share_a_drop_in(oracle: Oracle) -> None:
    processor = oracle.build(**SETTINGS["small"])
    drop_in = accelerate(processor)
    images = [image(seed, 40 + 7 * seed, 150 - 5 * seed) for seed in range(8)]
    expected = [dict(processor(item)) for item in images]
    failures: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for step in range(16):
                index = (start + step) % len(images)
                assert_same_values(dict(drop_in(images[index])), expected[index])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


@every_oracle
@pytest.mark.parametrize("method", OVERRIDABLE)
def test_subclasses_that_override_replaced_methods_are_refused(oracle: Oracle, method: str) -> None:
    base = type(oracle.build())

    class Changed(base):  # type: ignore[misc, valid-type]
        pass

    setattr(Changed, method, lambda self, *args, **kwargs: None)
    if not hasattr(base, method):
        pytest.skip(f"{base.__name__} has no {method}")
    with pytest.raises(UnsupportedProcessorError, match=f"Changed overrides {method}"):
        accelerate(Changed())
    patched = oracle.build()
    setattr(patched, method, lambda *args, **kwargs: None)
    with pytest.raises(UnsupportedProcessorError, match=f"overrides {method}"):
        accelerate(patched)


@every_oracle
@pytest.mark.parametrize("method", OVERRIDABLE)
def test_methods_that_are_replaced_later_run(oracle: Oracle, method: str) -> None:
    processor = oracle.build(**SETTINGS["small"])
    if not hasattr(processor, method):
        pytest.skip(f"{type(processor).__name__} has no {method}")
    drop_in = accelerate(processor)
    expected = dict(drop_in(image()))

    def mine(*args: Any, **kwargs: Any) -> None:
        raise ValueError("mine")

    for changed in (processor, drop_in):
        setattr(changed, method, mine)
    for arguments in ({}, {"do_normalize": True}):
        expected_error = outcome(lambda given=arguments: processor(image(), **given)).error
        assert outcome(lambda given=arguments: drop_in(image(), **given)).error == expected_error
    delattr(drop_in, method)
    assert_same_values(dict(drop_in(image())), expected)
    assert drop_in.autosched_explain().accelerated


@every_oracle
def test_other_subclasses_keep_their_additions(oracle: Oracle) -> None:
    base = type(oracle.build())

    class Extended(base):  # type: ignore[misc, valid-type]
        def greeting(self) -> str:
            return "hello"

    drop_in = accelerate(Extended(**SETTINGS["small"]))
    assert isinstance(drop_in, Extended)
    assert drop_in.greeting() == "hello"
    assert_same_values(dict(drop_in(image())), dict(oracle.build(**SETTINGS["small"])(image())))
    assert drop_in.autosched_explain().accelerated


def test_other_objects_are_refused_with_the_supported_names() -> None:
    with pytest.raises(UnsupportedProcessorError, match=r"no drop-in for builtins\.int; .*CLIP.*Qwen2VL"):
        accelerate(7)
    other = getattr(transformers, "BlipImageProcessorPil", None) or transformers.BlipImageProcessor
    with pytest.raises(UnsupportedProcessorError, match="Use the processor as it is"):
        accelerate(other())


@every_oracle
def test_processors_that_hold_an_image_processor(oracle: Oracle, tmp_path: Path) -> None:
    pytest.importorskip("torchvision", reason="the video processor of Qwen2VLProcessor needs torchvision")
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {token: index for index, token in enumerate(["[UNK]", "<|image_pad|>", "<|video_pad|>", "hello"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["<|image_pad|>", "<|video_pad|>"])
    tokenizer_class = transformers.PreTrainedTokenizerFast if TRANSFORMERS_5 else transformers.Qwen2TokenizerFast
    processor = transformers.Qwen2VLProcessor(
        image_processor=oracle.build(**SETTINGS["small"]),
        tokenizer=tokenizer_class(tokenizer_object=tokenizer, unk_token="[UNK]"),
        video_processor=transformers.Qwen2VLVideoProcessor(),
    )
    original = processor.image_processor
    drop_in = accelerate(processor)
    assert type(drop_in) is type(processor)
    assert processor.image_processor is original
    assert drop_in.tokenizer is processor.tokenizer
    call = {
        "images": [image(), image(1, 130, 60)],
        "text": ["hello <|image_pad|> <|image_pad|>"],
        "return_tensors": "pt",
    }
    expected = processor(**call)
    assert_same_values(dict(drop_in(**call)), dict(expected))
    assert drop_in.image_processor.autosched_explain().accelerated
    assert repr(drop_in) == repr(processor)
    processor.save_pretrained(tmp_path / "original")
    drop_in.save_pretrained(tmp_path / "drop_in")
    for file in (tmp_path / "original").iterdir():
        assert (tmp_path / "drop_in" / file.name).read_bytes() == file.read_bytes(), file.name
    again = pickle.loads(pickle.dumps(drop_in))
    assert_same_values(dict(again(**call)), dict(expected))
    assert again.image_processor.autosched_explain().accelerated
