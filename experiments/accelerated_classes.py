"""A pytest plugin: transformers' classes that have a drop-in are replaced by it, constructors included.

`python -m pytest -p experiments.accelerated_classes`. More than `autosched.install` does, which changes only what is
loaded: test-suites build most of their processors by constructors. At the end it says how often kernels computed.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from typing import Any

import autosched
from autosched.hf.accelerate import drop_in_class
from autosched.hf.drop_in import DropIn
from autosched.hf.explanation import Explanation
from autosched.hf.registry import supported

_paths: Counter[str] = Counter()


def pytest_configure(config: Any) -> None:
    """Replaces the classes before any test is collected."""
    import transformers

    record = DropIn._autosched_record

    def counted(self: DropIn, explanation: Explanation) -> None:
        _paths[explanation.path] += 1
        record(self, explanation)

    DropIn._autosched_record = counted  # type: ignore[method-assign]
    autosched.install()
    bases = {"TorchvisionBackend", "PilBackend"} if transformers.__version__ >= "5" else {"BaseImageProcessorFast"}
    for support in supported():
        try:
            module = importlib.import_module(support.module)
            original = getattr(module, support.name)
        except (ImportError, AttributeError):  # of the other generation
            continue
        names = {base.__name__ for base in original.__mro__}
        if support.base not in names or (support.base == "BaseImageProcessor" and names & bases):
            continue
        made = drop_in_class(original)
        package = sys.modules[support.module.rpartition(".")[0]]
        for place in (module, package, transformers):
            setattr(place, support.name, made)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line that `experiments.huggingface_tests` reads."""
    terminalreporter.write_line(f"autosched: {_paths['kernels']} by kernels, {_paths['huggingface']} by Hugging Face")
