"""Hugging Face: `accelerate` makes drop-ins of image processors that run on autosched's kernels; `install` of all.

May import transformers and torch, but only inside functions. Uses what `autosched.vlm` makes of pixels, and the tables
of `autosched.imaging`; knows of no schedule and no loop.
"""

from autosched.hf.accelerate import accelerate
from autosched.hf.explanation import Explanation
from autosched.hf.install import install, uninstall
from autosched.hf.warm import explain, warm

__all__ = ["Explanation", "accelerate", "explain", "install", "uninstall", "warm"]
