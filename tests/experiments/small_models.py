"""The vision-language models made small, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from experiments.endtoend.models import LLAVA_NEXT, QWEN2_VL, SMOLVLM, Vlm

#: What makes each architecture small, and its tiles too; every number that the count takes differs from the others.
SMALL: dict[str, dict[str, Any]] = {
    SMOLVLM.name: {
        "text_config": {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 6,
                        "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 49280},
        "vision_config": {"hidden_size": 32, "intermediate_size": 56, "num_hidden_layers": 3, "num_attention_heads": 4,
                          "image_size": 128},
    },
    QWEN2_VL.name: {
        "hidden_size": 64, "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "vision_config": {"depth": 3, "embed_dim": 32, "hidden_size": 64, "num_heads": 2},
    },
    LLAVA_NEXT.name: {
        "text_config": {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 6,
                        "num_key_value_heads": 2, "vocab_size": 32064},
        "vision_config": {"hidden_size": 32, "intermediate_size": 56, "num_hidden_layers": 3, "num_attention_heads": 4},
    },
}  # fmt: skip


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    nested = {name: merged(settings[name], value) for name, value in changes.items() if isinstance(value, Mapping)}
    return {**settings, **changes, **nested}


def small(vlm: Vlm) -> Vlm:
    changed = replace(vlm, settings=merged(vlm.settings, SMALL[vlm.name]))
    if vlm is SMOLVLM:
        tiles = {"size": {"longest_edge": 512}, "max_image_size": {"longest_edge": 128}}
        changed = replace(changed, processor_settings=lambda w: {**vlm.processor_settings(w), **tiles})
    return changed
