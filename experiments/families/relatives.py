"""The other models that have drop-ins, with the settings of their published checkpoints; see `studies/families.py`.

They are measured together there, so they have no workloads of their own here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from autosched.vlm import registry
from autosched.vlm.preparation import Reference
from experiments.family import FAMILIES, Family
from experiments.implementation import NotAvailableError
from experiments.workloads import Workload

#: As Gemma 3's checkpoints have them; the processor has no defaults of these.
_PAN_AND_SCAN: Final = {
    "do_pan_and_scan": True,
    "pan_and_scan_min_crop_size": 256,
    "pan_and_scan_max_num_crops": 4,
    "pan_and_scan_min_ratio_to_activate": 1.2,
}
#: Name in autosched's registry, title, arguments of a call.
_KNOWN: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("qwen3-vl", "Qwen3-VL", {}),
    ("glm-4v", "GLM-4.1V", {}),
    ("glm-4.6v", "GLM-4.6V", {}),
    ("llava-1.5", "LLaVA-1.5 (CLIP of 336 pixels)", {}),
    ("llava-onevision", "LLaVA-OneVision", {}),
    ("pixtral", "Pixtral", {}),
    ("mistral3", "Mistral Small 3.1", {}),
    ("gemma3", "Gemma 3", {}),
    ("gemma3-pan-and-scan", "Gemma 3, pan and scan", _PAN_AND_SCAN),
    ("idefics3", "Idefics3", {}),
    ("smolvlm2", "SmolVLM2", {}),
    ("siglip", "SigLIP", {}),
    ("siglip2", "SigLIP 2", {}),
)


def _published(kernel: str, workload: Workload, reference: Reference) -> Any:
    known = registry.get(kernel)
    try:
        return known.processors[reference](known.settings)
    except (ImportError, AttributeError) as error:
        raise NotAvailableError(f"transformers' processor cannot be made: {error}") from error


for _name, _title, _arguments in _KNOWN:
    FAMILIES.add(
        Family(
            _name,
            _title,
            partial(_published, _name.removesuffix("-pan-and-scan")),
            implementations=("hf-torchvision", "hf-pil", "autosched", "autosched-pil"),
            workloads=(),
            arguments=_arguments,
        )
    )
