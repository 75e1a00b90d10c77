"""The number of threads that torch uses in this process."""

from __future__ import annotations


def limit_torch(threads: int) -> None:
    """Sets it, where torch is installed."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(threads)


_ELEMENTS = 1 << 20


def use_torch(threads: int) -> None:
    """Sets it and has torch use them, where it is installed: helpers that come or go do so now and in no later call."""
    try:
        import torch
    except ImportError:
        return
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
        torch.zeros(_ELEMENTS).add_(1)
