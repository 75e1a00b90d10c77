"""A model with random weights on a device: built, and run in the two steps that come before the first token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from experiments.endtoend.models import Features, Vlm

_BLOCK: Final = 1 << 20
_SPREAD: Final = 0.02


@dataclass(frozen=True)
class Running:
    """A model that can be run.

    Attributes:
        vlm: which.
        model: of transformers, in bf16.
        whole: its language model is there too.
    """

    vlm: Vlm
    model: Any
    whole: bool = True

    def inputs(self, features: Features) -> dict[str, Any]:
        """What `vision` and `language` need beside the pixels, on the model's device."""
        given = self.vlm.prompt(self.model.config, features)
        given |= {name: features[name] for name in (*self.vlm.for_vision[1:], *self.vlm.for_language)}
        return {name: value.to(self.model.device) for name, value in given.items()}

    def vision(self, features: Features, inputs: Mapping[str, Any]) -> Any:
        """The features of the image for the language model; pixels are sent to the device here."""
        import torch

        first, *others = self.vlm.for_vision
        pixels = features[first].to(self.model.device).to(torch.bfloat16)
        with torch.inference_mode():
            return self.model.get_image_features(pixels, **{name: inputs[name] for name in others}, return_dict=True)

    def language(self, seen: Any, inputs: Mapping[str, Any]) -> int:
        """The first token: the prompt through the language model, which keeps its keys and values, and the largest
        logit. Waits for the device.
        """
        import torch

        names = ("input_ids", "attention_mask", "mm_token_type_ids", *self.vlm.for_language)
        given = {name: inputs[name] for name in names if name in inputs}
        with torch.inference_mode():
            made = self.model(**given, mm_encoder_outputs={"image": seen}, use_cache=True, logits_to_keep=1)
            return int(made.logits[0, -1].argmax())

    def wait(self) -> None:
        """Waits for the device."""
        import torch

        if self.model.device.type == "cuda":
            torch.cuda.synchronize()


def start(vlm: Vlm, device: str = "cpu", whole: bool = True, layers: int | None = None) -> Running:
    """Builds a model in bf16 with small random weights.

    Args:
        vlm: which.
        device: where.
        whole: its language model too; otherwise only one layer of it is there, and not run.
        layers: of both transformers, for trying things out; all of them by default.
    """
    import torch
    import transformers
    from transformers import initialization

    config = vlm.configuration()
    if layers is not None:
        config.vision_config.num_hidden_layers = config.text_config.num_hidden_layers = layers
    if not whole:
        config.text_config.num_hidden_layers = 1
    with initialization.no_init_weights(), torch.device(device):
        model = getattr(transformers, vlm.architecture)._from_config(config, dtype=torch.bfloat16)
    model.tie_weights()
    _fill(model)
    return Running(vlm, model.eval(), whole)


def _fill(model: Any) -> None:
    """Matrices get small uniform values, one block of them again and again; scales of norms one and biases nought.

    Activations then stay ordinary numbers, as trained ones are; with what was in memory they could be NaN or denormal,
    which some CPUs take longer for.
    """
    import torch

    block = torch.empty(_BLOCK).uniform_(-_SPREAD, _SPREAD, generator=torch.Generator().manual_seed(0))
    block = block.to(device=model.device, dtype=torch.bfloat16)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            flat = parameter.view(-1)
            if parameter.dim() == 1:
                flat.fill_(float("norm" in name and name.endswith("weight")))
                continue
            for piece in flat.split(_BLOCK):
                piece.copy_(block[: piece.numel()])
