"""Hugging Face: `accelerate` makes drop-ins of image processors that run on autosched's kernels.

May import transformers and torch, but only inside functions; nothing below `autosched.vlm` is used directly.
"""

from autosched.hf.accelerate import accelerate
from autosched.hf.explanation import Explanation

__all__ = ["Explanation", "accelerate"]
