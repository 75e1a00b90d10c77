"""Floating-point operations of a model's first token, from its configuration and what the processor made.

Multiplications of matrices only, two operations a multiply-add, as `torch.utils.flop_counter` counts them; a causal
mask does not halve attention, and norms, activations and softmax are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from experiments.endtoend.models import Features, Vlm

_GATED: Final = 3
_PLAIN: Final = 2


@dataclass(frozen=True)
class Work:
    """Operations of the two steps, and bytes of weights in bf16 that each reads once."""

    vision: int
    language: int
    vision_bytes: int
    language_bytes: int


def work(vlm: Vlm, config: Any, features: Features) -> Work:
    """The work from pixels to the first token of one image."""
    tokens = int(vlm.prompt(config, features)["input_ids"].shape[1])
    vision, vision_weights = _VISION[vlm.architecture](config, features)
    text = config.text_config
    layers = text.num_hidden_layers * layer(tokens, tokens, _Sizes.of_text(text))
    head = text.hidden_size * text.vocab_size
    language_weights = text.num_hidden_layers * _Sizes.of_text(text).weights + head
    return Work(vision, layers + 2 * head, 2 * vision_weights, 2 * language_weights)


@dataclass(frozen=True)
class _Sizes:
    """Of a transformer layer: its width, those of queries and of keys, and of the inner layer of its MLP, which has
    `matrices` matrices.
    """

    width: int
    queries: int
    keys: int
    inner: int
    matrices: int = _PLAIN

    @classmethod
    def of_text(cls, text: Any) -> _Sizes:
        """Those of a Llama-like language model."""
        head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        queries, keys = text.num_attention_heads * head, text.num_key_value_heads * head
        return cls(text.hidden_size, queries, keys, text.intermediate_size, _GATED)

    @property
    def weights(self) -> int:
        """Elements of its matrices."""
        attention = self.width * (2 * self.queries + 2 * self.keys)
        return attention + self.matrices * self.width * self.inner


def layer(tokens: int, length: int, sizes: _Sizes) -> int:
    """Operations of a transformer layer on `tokens` in sequences of `length`."""
    return 2 * tokens * sizes.weights + 4 * tokens * length * sizes.queries


def _smolvlm(config: Any, features: Features) -> tuple[int, int]:
    vision, text = config.vision_config, config.text_config
    tiles = int(features["pixel_values"].shape[1])
    length = (vision.image_size // vision.patch_size) ** 2
    sizes = _Sizes(vision.hidden_size, vision.hidden_size, vision.hidden_size, vision.intermediate_size)
    embedding = vision.num_channels * vision.patch_size**2 * vision.hidden_size
    merged = config.scale_factor**2
    connector = vision.hidden_size * merged * text.hidden_size
    total = vision.num_hidden_layers * layer(tiles * length, length, sizes)
    total += 2 * tiles * length * embedding + 2 * tiles * (length // merged) * connector
    return total, vision.num_hidden_layers * sizes.weights + embedding + connector


def _qwen2_vl(config: Any, features: Features) -> tuple[int, int]:
    vision = config.vision_config
    patches = int(features["image_grid_thw"].prod())
    width = vision.embed_dim
    sizes = _Sizes(width, width, width, width * vision.mlp_ratio)
    embedding = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2 * width
    merged = vision.spatial_merge_size**2
    merger = merged * width * (merged * width + vision.hidden_size)
    total = vision.depth * layer(patches, patches, sizes)
    total += 2 * patches * embedding + 2 * (patches // merged) * merger
    return total, vision.depth * sizes.weights + embedding + merger


def _llava_next(config: Any, features: Features) -> tuple[int, int]:
    vision, text = config.vision_config, config.text_config
    tiles = int(features["pixel_values"].shape[1])
    patches = (vision.image_size // vision.patch_size) ** 2
    length = patches + 1
    sizes = _Sizes(vision.hidden_size, vision.hidden_size, vision.hidden_size, vision.intermediate_size)
    embedding = vision.num_channels * vision.patch_size**2 * vision.hidden_size
    projector = vision.hidden_size * text.hidden_size + text.hidden_size**2
    total = vision.num_hidden_layers * layer(tiles * length, length, sizes)
    total += 2 * tiles * patches * (embedding + projector)
    return total, vision.num_hidden_layers * sizes.weights + embedding + projector


_VISION: Final = {
    "Idefics3ForConditionalGeneration": _smolvlm,
    "Qwen2VLForConditionalGeneration": _qwen2_vl,
    "LlavaNextForConditionalGeneration": _llava_next,
}
