"""Normalisation by arithmetic: which forms give the bits of the table, and that the proof sees where one does not."""

from __future__ import annotations

import numpy as np
import pytest

from autosched.imaging.byte_table import normalize_table
from autosched.imaging.normalize import FORMS, Constants, Form, agrees, constants, normalized
from autosched.lang import Func, Pipeline, cast, interpret, u8, variables

CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
SCALE = 1 / 255


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("flavour", ["torchvision", "pillow"])
@pytest.mark.parametrize(("mean", "std"), [CLIP, HALF], ids=["clip", "half"])
def test_published_settings_need_no_table(mean: tuple, std: tuple, flavour: str, form: Form) -> None:  # type: ignore[type-arg]
    table = normalize_table(mean, std, SCALE, True, True, flavour)  # type: ignore[arg-type]
    assert agrees(table, mean, std, SCALE, flavour, form)  # type: ignore[arg-type]


def test_one_other_bit_is_seen() -> None:
    table = normalize_table(*CLIP, SCALE, True, True, "torchvision").copy()
    table[2, 200] = np.nextafter(table[2, 200], np.float32(9))
    assert not any(agrees(table, *CLIP, SCALE, "torchvision", form) for form in FORMS)


def test_the_inverse_form_is_not_always_a_division() -> None:
    """Where the inverse is not finite, for one; the proof must then refuse it."""
    c, b = variables("c b")
    mean, std = (0.0, 0.0, 0.0), (1e-41, 1.0, 1.0)
    proof = Func("proof")
    proof[c, b] = normalized(cast(u8, b), c, Constants(), "pillow", "division")
    pipeline = Pipeline(proof)
    arrays = {k: v for k, v in constants(mean, std, SCALE, "pillow").items() if k in pipeline.inputs}
    table = interpret(pipeline, (3, 256), arrays)
    assert agrees(table, mean, std, SCALE, "pillow", "division")
    assert not agrees(table, mean, std, SCALE, "pillow", "inverse")
