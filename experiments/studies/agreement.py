"""Whether ways to load a processor agree, and what InternVL's `crop_to_patches` does to the output.

Configurations with the published settings are saved to a folder and loaded from there, as from a checkpoint: by
AutoImageProcessor, as the image processor of AutoProcessor, and both after `autosched.install`. Nothing is downloaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import autosched
from experiments.exactness import difference, output_bytes
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.family import FAMILIES, Family, transformers_module
from experiments.implementation import NotAvailableError, Output
from experiments.intervals import Interval
from experiments.workloads import WORKLOADS, Workload

_WORKLOAD: Final = "photographs"
#: The processor classes that hold an image processor.
_WHOLE: Final = {
    "qwen2.5-vl": "Qwen2_5_VLProcessor",
    "internvl3.5": "InternVLProcessor",
    "llava-next": "LlavaNextProcessor",
}
#: The special tokens that some processor asks its tokenizer for.
_TOKENS: Final = {
    "unk_token": "<unk>",
    "image_token": "<image>",
    "context_image_token": "<IMG_CONTEXT>",
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "video_token": "<video>",
}


def cases(selection: Selection) -> Iterator[Case]:
    """A case a family, on one thread."""
    for name in selection.chosen(_WHOLE, selection.families):
        if 1 in selection.threads:
            measure = partial(_measure, FAMILIES[name], WORKLOADS[_WORKLOAD])
            yield Case(name, _WORKLOAD, 1, ("AutoProcessor",), measure, 0.0)


def _tokenizer(transformers: Any) -> Any:
    """The least that a processor accepts."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    names = {token: number for number, token in enumerate(_TOKENS.values())}
    special = {name: token for name, token in _TOKENS.items() if name != "unk_token"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(names, unk_token=_TOKENS["unk_token"])),
        unk_token=_TOKENS["unk_token"],
        extra_special_tokens=special,
    )


def _saved(family: Family, workload: Workload, folder: Path) -> None:
    """Writes what a checkpoint has of a processor."""
    transformers = transformers_module()
    image = family.processor(workload, "torchvision")
    cls = getattr(transformers, _WHOLE[family.name], None)
    if cls is None:
        raise NotAvailableError(f"transformers has no {_WHOLE[family.name]}")
    others = {}
    if "video_processor" in cls.get_attributes():
        video = {"qwen2.5-vl": "Qwen2VLVideoProcessor", "internvl3.5": "InternVLVideoProcessor"}[family.name]
        others["video_processor"] = getattr(transformers, video)()
    cls(image_processor=image, tokenizer=_tokenizer(transformers), **others).save_pretrained(folder)


def _measure(family: Family, workload: Workload, effort: Effort) -> Iterator[Number]:
    images = workload.images()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _saved(family, workload, folder)
        transformers = transformers_module()

        def loaded() -> tuple[Any, Any]:
            alone = transformers.AutoImageProcessor.from_pretrained(folder)
            return alone, transformers.AutoProcessor.from_pretrained(folder).image_processor

        alone, within = loaded()
        autosched.install()
        try:
            fast_alone, fast_within = loaded()
        finally:
            autosched.uninstall()
    expected = family.call(alone, images)
    yield _agrees("same class", type(alone) is type(within), f"{type(alone).__name__} and {type(within).__name__}")
    yield _agrees("same settings", alone.to_dict() == within.to_dict(), "")
    for what, processor in (
        ("same bits", within),
        ("same bits, installed, AutoImageProcessor", fast_alone),
        ("same bits, installed, AutoProcessor", fast_within),
    ):
        problem = difference(family.call(processor, images), expected)
        yield _agrees(what, not problem, problem)
    if "crop_to_patches" in family.arguments:
        yield from _cropping(alone, images, expected)


def _cropping(processor: Any, images: Any, cropped: Output) -> Iterator[Number]:
    """What the output is where the argument is not given, as by AutoImageProcessor alone."""
    plain = dict(processor(list(images), return_tensors="pt"))
    for name, output in (("crop_to_patches", cropped), ("as loaded", plain)):
        tiles = float(len(output["pixel_values"]))
        size = output_bytes(output) / 1e6
        yield Number("AutoProcessor", "tiles", Interval(tiles, tiles, tiles), "tiles", part=name)
        yield Number("AutoProcessor", "output", Interval(size, size, size), "MB", part=name)


def _agrees(what: str, holds: bool, note: str) -> Number:
    value = float(holds)
    return Number("AutoProcessor", "agrees", Interval(value, value, value), "", part=what, exact=holds, note=note)


EXPERIMENTS.add(
    Experiment(
        "agreement",
        "Whether processors agree",
        "Do AutoImageProcessor and AutoProcessor's image processor give the same bits, and what does cropping change?",
        cases,
    )
)
