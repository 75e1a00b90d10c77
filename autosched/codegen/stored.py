"""Kernels and the functions of codegen/ are kept in the cache; this says what decides their code."""

from __future__ import annotations

from typing import Final

from autosched.cache import key
from autosched.codegen.cache import environment_key
from autosched.compiled import source_key, store

#: Modules of kernels are called so, and the key of all that decides their code.
KERNEL: Final = "autosched_kernel_"

store(KERNEL, lambda module: environment_key())
store("autosched.codegen.", lambda module: key(environment_key(), source_key(module)))
