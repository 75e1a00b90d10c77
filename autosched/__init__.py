"""autosched: write an algorithm once, tune how it is computed, load the fastest schedule for this CPU.

Importing the package costs next to nothing: every public name is imported from its home when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autosched.errors import AutoschedError, AutoschedWarning
    from autosched.hf.accelerate import accelerate
    from autosched.hf.install import install, uninstall
    from autosched.hf.warm import explain, warm
    from autosched.lang import Func, Input, Param, Pipeline, RDom, Var, interpret
    from autosched.records import tuned
    from autosched.runtime import Kernel, compile  # noqa: A004 (it is autosched.compile)
    from autosched.schedule import Schedule
    from autosched.vlm.load import load

__version__ = "0.1.0"

#: Where each public name lives.
_HOMES = {
    "AutoschedError": "autosched.errors",
    "AutoschedWarning": "autosched.errors",
    "Func": "autosched.lang",
    "Input": "autosched.lang",
    "Kernel": "autosched.runtime",
    "Param": "autosched.lang",
    "Pipeline": "autosched.lang",
    "RDom": "autosched.lang",
    "Schedule": "autosched.schedule",
    "Var": "autosched.lang",
    "accelerate": "autosched.hf.accelerate",
    "compile": "autosched.runtime",
    "explain": "autosched.hf.warm",
    "install": "autosched.hf.install",
    "interpret": "autosched.lang",
    "load": "autosched.vlm.load",
    "tuned": "autosched.records",
    "uninstall": "autosched.hf.install",
    "warm": "autosched.hf.warm",
}

__all__ = [
    "AutoschedError",
    "AutoschedWarning",
    "Func",
    "Input",
    "Kernel",
    "Param",
    "Pipeline",
    "RDom",
    "Schedule",
    "Var",
    "__version__",
    "accelerate",
    "compile",
    "explain",
    "install",
    "interpret",
    "load",
    "tuned",
    "uninstall",
    "warm",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'autosched' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
