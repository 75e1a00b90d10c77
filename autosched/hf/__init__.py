"""Hugging Face: `accelerate` makes drop-ins of image processors that run on autosched's kernels; `install` of all.

May import transformers and torch, but only inside functions; nothing below `autosched.vlm` is used directly.
"""

from autosched.hf.accelerate import accelerate
from autosched.hf.explanation import Explanation
from autosched.hf.install import install, uninstall

__all__ = ["Explanation", "accelerate", "install", "uninstall"]
