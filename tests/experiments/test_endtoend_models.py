"""Models, prompts and their work agree with transformers and with torch's own count."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from small_models import small

from experiments.endtoend.flops import work
from experiments.endtoend.models import MODELS, QWEN2_VL, SMOLVLM, TEXT_TOKENS, Features, Vlm
from experiments.endtoend.running import start
from experiments.workloads import WORKLOADS

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
for package in ("torchvision", "skimage.data", "sklearn.datasets"):
    pytest.importorskip(package)
if int(transformers.__version__.split(".")[0]) < 5:
    pytest.skip("the models' classes are those of transformers 5", allow_module_level=True)


def features_of(vlm: Vlm, workload: str = "640x480") -> Features:
    chosen = replace(WORKLOADS[workload], max_pixels=40 * 28 * 28) if vlm.name == QWEN2_VL.name else WORKLOADS[workload]
    return dict(vlm.processor(chosen, "torchvision")(chosen.images(), return_tensors="pt"))


@pytest.mark.parametrize(
    ("name", "workload"),
    [
        ("smolvlm-256m", "640x480"),
        ("qwen2-vl-2b", "640x480"),
        ("llava-next-7b", "640x480"),
        ("llava-next-7b", "1920x1080"),
    ],
)
def test_work_is_what_torch_counts(name: str, workload: str) -> None:
    """The model itself refuses a prompt with another number of image tokens than it has features."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    vlm = small(MODELS[name])
    running = start(vlm)
    features = features_of(vlm, workload)
    inputs = running.inputs(features)
    with sdpa_kernel(SDPBackend.MATH):  # torch does not count what the fused attention of CPUs does
        with FlopCounterMode(display=False) as vision:
            seen = running.vision(features, inputs)
        with FlopCounterMode(display=False) as language:
            running.language(seen, inputs)
    expected = work(vlm, running.model.config, features)
    assert (vision.get_total_flops(), language.get_total_flops()) == (expected.vision, expected.language)


@pytest.mark.parametrize("workload", ["1920x1080", "w1"])
def test_smolvlm_has_the_marks_that_its_processor_writes(workload: str) -> None:
    features = features_of(SMOLVLM, workload)
    config = SMOLVLM.configuration()
    marks = {"fake_image_token": "<fake>", "image_token": "<image>", "global_image_tag": "<global-img>"}
    processor = SimpleNamespace(**marks, image_seq_len=64)
    text = transformers.Idefics3Processor.replace_image_token(processor, features, 0)
    tokens = re.findall(r"<[^>]*>|\n+", text)
    assert tokens.count("<image>") == SMOLVLM.image_tokens(config, features)
    assert len(tokens) - tokens.count("<image>") == SMOLVLM.spacing(features)
    assert len(tokens) + TEXT_TOKENS == SMOLVLM.prompt(config, features)["input_ids"].shape[1]


@pytest.mark.parametrize(
    ("name", "parameters"),
    # What the published files of weights hold; Qwen2-VL's index says 4417971200 bytes of bf16.
    [("smolvlm-256m", 256484928), ("qwen2-vl-2b", 2208985600), ("llava-next-7b", 7566747648)],
)
def test_settings_are_the_published_ones(name: str, parameters: int) -> None:
    config = MODELS[name].configuration()
    with torch.device("meta"):
        model = getattr(transformers, MODELS[name].architecture)(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    known = work(MODELS[name], config, features_of(MODELS[name]))
    matrices = (known.vision_bytes + known.language_bytes) // 2
    assert 0.85 * parameters < matrices <= parameters, "the matrices that are read are nearly all there is"
