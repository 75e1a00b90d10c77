"""The number of threads that torch uses in this process."""

from __future__ import annotations


def limit_torch(threads: int) -> None:
    """Sets it, where torch is installed."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(threads)
