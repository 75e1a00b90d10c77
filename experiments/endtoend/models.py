"""The vision-language models: published settings of architecture and processor, and what a prompt with an image is.

Classes and arguments are those of transformers 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from autosched.vlm.preparation import CLIP_MEAN, CLIP_STD, Reference
from experiments.workloads import Workload

#: What a processor returns for one image, as torch's tensors.
Features: TypeAlias = Mapping[str, Any]

#: Tokens of text around the image: about what a chat template and one short question make.
TEXT_TOKENS: Final = 32


@dataclass(frozen=True)
class Vlm:
    """A vision-language model.

    Attributes:
        name: as on the command line and in results.
        title: as in tables and figures.
        source: where its settings are published.
        architecture: its class in transformers.
        settings: of its configuration.
        processor_class: of its image processor; the class of the PIL backend has `Pil` behind it.
        processor_settings: of that processor, for a workload.
        for_vision: names of the processor's outputs that the vision tower takes.
        for_language: names of those that the language model takes beside the features.
        image_tokens: how many tokens the language model gets of one image.
        spacing: how many other tokens its prompt has for one image, such as marks of rows and tiles.
    """

    name: str
    title: str
    source: str
    architecture: str
    settings: Mapping[str, Any]
    processor_class: str
    processor_settings: Callable[[Workload], Mapping[str, Any]]
    for_vision: tuple[str, ...]
    image_tokens: Callable[[Any, Features], int]
    for_language: tuple[str, ...] = ()
    spacing: Callable[[Features], int] = lambda features: 0

    def configuration(self) -> Any:
        """Its configuration, as transformers has it."""
        import transformers

        return getattr(transformers, self.architecture).config_class(**self.settings)

    def processor(self, workload: Workload, reference: Reference) -> Any:
        """Hugging Face's image processor with the published settings."""
        import transformers

        transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        name = self.processor_class + {"torchvision": "", "pil": "Pil"}[reference]
        return getattr(transformers, name)(**self.processor_settings(workload))

    def prompt(self, config: Any, features: Features) -> dict[str, Any]:
        """The tokens of a prompt with one image, on the CPU: half of the text, what stands for the image, the rest."""
        import torch

        images, other = self.image_tokens(config, features), self.spacing(features)
        before = TEXT_TOKENS // 2
        tokens = torch.arange(images + other + TEXT_TOKENS).remainder_(64).add_(3)[None]
        tokens[0, before : before + images] = config.image_token_id
        kinds = (tokens == config.image_token_id).int()
        made = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        return made | ({"mm_token_type_ids": kinds} if "image_grid_thw" in self.for_language else {})


def _squares(config: Any) -> int:
    """Tokens of one tile of SmolVLM."""
    vision = config.vision_config
    return int((vision.image_size // vision.patch_size) ** 2 // config.scale_factor**2)


def _smolvlm_tokens(config: Any, features: Features) -> int:
    return int(features["pixel_values"].shape[1]) * _squares(config)


def _smolvlm_spacing(features: Features) -> int:
    """Two marks before each tile, one at the end of each row, three around the whole image: `Idefics3Processor`."""
    tiles, rows = int(features["pixel_values"].shape[1]), int(features["rows"][0][0])
    return 2 * (tiles - 1) + rows + 3


def _qwen_tokens(config: Any, features: Features) -> int:
    return int(features["image_grid_thw"].prod()) // config.vision_config.spatial_merge_size**2


def _llava_next_tokens(config: Any, features: Features) -> int:
    """The thumbnail's patches, those of the tiles without padding, and the ends of their rows."""
    from transformers import LlavaNextProcessor

    vision = config.vision_config
    side = vision.image_size // vision.patch_size
    height, width = features["image_sizes"][0].tolist()
    tiled = _llava_next_grid(config, height, width)
    count = LlavaNextProcessor._get_unpadded_features
    unpadded, newlines = count(None, height, width, side, side, *tiled)  # type: ignore[arg-type]
    return side**2 + int(unpadded) + int(newlines)


def _llava_next_grid(config: Any, height: int, width: int) -> tuple[int, int]:
    from transformers.models.llava_next.modeling_llava_next import get_anyres_image_grid_shape

    return get_anyres_image_grid_shape((height, width), config.image_grid_pinpoints, config.vision_config.image_size)  # type: ignore[no-any-return, no-untyped-call]


SMOLVLM = Vlm(
    name="smolvlm-256m",
    title="SmolVLM-256M",
    source="huggingface.co/HuggingFaceTB/SmolVLM-256M-Instruct (config.json, preprocessor_config.json)",
    architecture="Idefics3ForConditionalGeneration",
    settings={
        "image_token_id": 49190,
        "scale_factor": 4,
        "tie_word_embeddings": False,
        "text_config": {
            "model_type": "llama",
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "head_dim": 64,
            "vocab_size": 49280,
            "max_position_embeddings": 8192,
            "rope_theta": 100000,
            "rms_norm_eps": 1e-5,
        },
        "vision_config": {
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "image_size": 512,
            "patch_size": 16,
        },
    },
    processor_class="Idefics3ImageProcessor",
    processor_settings=lambda workload: {
        "size": {"longest_edge": 2048},
        "max_image_size": {"longest_edge": 512},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "return_row_col_info": True,
    },
    for_vision=("pixel_values", "pixel_attention_mask"),
    image_tokens=_smolvlm_tokens,
    spacing=_smolvlm_spacing,
)

QWEN2_VL = Vlm(
    name="qwen2-vl-2b",
    title="Qwen2-VL-2B",
    source="huggingface.co/Qwen/Qwen2-VL-2B-Instruct (config.json, preprocessor_config.json)",
    architecture="Qwen2VLForConditionalGeneration",
    settings={
        "tie_word_embeddings": True,
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
        "vision_config": {
            "depth": 32,
            "embed_dim": 1280,
            "hidden_size": 1536,
            "mlp_ratio": 4,
            "num_heads": 16,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    },
    processor_class="Qwen2VLImageProcessor",
    processor_settings=lambda workload: {
        "size": {"shortest_edge": workload.min_pixels, "longest_edge": workload.max_pixels},
        "image_mean": list(CLIP_MEAN),
        "image_std": list(CLIP_STD),
    },
    for_vision=("pixel_values", "image_grid_thw"),
    for_language=("image_grid_thw",),
    image_tokens=_qwen_tokens,
)

LLAVA_NEXT = Vlm(
    name="llava-next-7b",
    title="LLaVA-NeXT-7B",
    source="huggingface.co/llava-hf/llava-v1.6-mistral-7b-hf (config.json, preprocessor_config.json)",
    architecture="LlavaNextForConditionalGeneration",
    settings={
        "image_token_index": 32000,
        "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
        "text_config": {
            "model_type": "mistral",
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 32064,
            "max_position_embeddings": 32768,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1000000.0,
            "sliding_window": None,
        },
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "image_size": 336,
            "patch_size": 14,
            "projection_dim": 768,
            "vocab_size": 32000,
        },
    },
    processor_class="LlavaNextImageProcessor",
    processor_settings=lambda workload: {
        "size": {"shortest_edge": 336},
        "crop_size": {"height": 336, "width": 336},
        "image_mean": list(CLIP_MEAN),
        "image_std": list(CLIP_STD),
    },
    for_vision=("pixel_values", "image_sizes"),
    image_tokens=_llava_next_tokens,
)

MODELS: Final = {model.name: model for model in (SMOLVLM, QWEN2_VL, LLAVA_NEXT)}
