"""A pytest plugin for `experiments.huggingface_tests`: random inputs are the same in every run.

`python -m pytest -p experiments.fixed_seeds`. transformers is imported here, before a checkout's conftest puts its own
sources in front of the installed ones.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import transformers


def pytest_runtest_setup(item: Any) -> None:
    """Seeds every generator before each test."""
    random.seed(0)
    np.random.seed(0)
    try:
        import torch
    except ImportError:
        return
    torch.manual_seed(0)


def pytest_report_header(config: Any) -> str:
    """What is tested."""
    return f"transformers {transformers.__version__} of {transformers.__file__}"
