"""The part of an accelerated image processor that does not depend on its model."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, ClassVar

from autosched.hf.explanation import Explanation
from autosched.hf.resolved import Resolved
from autosched.hf.unchanged import Unchanged
from autosched.lang import Type, f32


class _ThreadLocal(threading.local):
    explanation: Explanation | None = None
    recording: Any = None
    asked: tuple[str | None, Any] | None = None


@dataclass(slots=True)
class DropInState:
    """The state of a drop-in beyond its Hugging Face attributes.

    Attributes:
        threads: its thread limit.
        dtype: the type of its pixel values.
        local: per thread, what the latest call did and what the present one is about.
        resolved: the resolved arguments of calls that give nothing but ``return_tensors``, by that.
    """

    threads: int | None = None
    dtype: Type = f32
    local: _ThreadLocal = field(default_factory=_ThreadLocal)
    resolved: dict[str | None, Resolved] = field(default_factory=dict)


class DropIn:
    """Mixin placed before a Hugging Face image processor class; see `autosched.hf.accelerate`.

    Its state lives in a slot, so that ``vars(processor)``, from which transformers saves and prints a processor, holds
    the original's attributes and nothing else.
    """

    __slots__ = ("_autosched_slot",)

    _autosched_slot: DropInState

    autosched_original_class: ClassVar[type]
    """The Hugging Face class that this class was made from."""
    _autosched_replaced: ClassVar[frozenset[str]]
    """The names of its methods that the kernels replace."""
    _autosched_computing: ClassVar[Unchanged]
    """The computing parts of transformers, which the kernels replace."""
    _autosched_resolving: ClassVar[Unchanged]
    """All that a call runs in transformers, which remembered arguments replace too."""

    def autosched_explain(self) -> Explanation | None:
        """Says what computed the pixels of the latest call in this thread; None before the first."""
        return self._autosched_state.local.explanation

    @property
    def _autosched_state(self) -> DropInState:
        try:
            return self._autosched_slot
        except AttributeError:  # made by the class's own constructor, as from_pretrained does
            made = DropInState()
            object.__setattr__(self, "_autosched_slot", made)  # some classes refuse to set attributes
            return made

    def _autosched_record(self, explanation: Explanation) -> None:
        self._autosched_state.local.explanation = explanation

    def __reduce_ex__(self, protocol: Any) -> Any:
        """The parts of pickles and copies: the original's, by its class's own hooks, and `restored`."""
        from autosched.hf.accelerate import restored

        original: object = object.__new__(self.autosched_original_class)
        object.__setattr__(original, "__dict__", vars(self))
        reduced = original.__reduce_ex__(protocol)
        if isinstance(reduced, str):  # the name of a global
            return reduced
        made, arguments, *state = reduced
        return restored, (self._autosched_state.threads, self._autosched_state.dtype, made, arguments), *state
