"""How Numba compiles kernels: without the passes that do nothing for generated code, and typing each kind of call once.

Both only make compiling shorter. Generated code has neither closures nor array expressions, and calls the same few
operations on the same few types thousands of times; Numba looks for each call's overload anew, several times.
"""

from __future__ import annotations

from typing import Any, Final

from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import InlineOverloads, NopythonRewrites, NopythonTypeInference
from numba.core.untyped_passes import (
    GenericRewrites,
    InlineClosureLikes,
    InlineInlinables,
    LiteralUnroll,
    MakeFunctionToJitFunction,
    RewriteDynamicRaises,
    WithLifting,
)

#: Passes that look for what generated code does not have.
_NEEDLESS: Final = frozenset(
    {
        GenericRewrites,
        InlineClosureLikes,
        InlineInlinables,
        InlineOverloads,
        LiteralUnroll,
        MakeFunctionToJitFunction,
        NopythonRewrites,
        RewriteDynamicRaises,
        WithLifting,
    }
)


class KernelCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's pipeline for the functions of a generated module: ``njit(pipeline_class=KernelCompiler)``."""

    def define_pipelines(self) -> list[PassManager]:
        """One pipeline: the usual one but for what is said above."""
        made = PassManager("kernel")
        for each, description in DefaultPassBuilder.define_nopython_pipeline(self.state).passes:
            if each not in _NEEDLESS:
                made.add_pass(TypeInference if each is NopythonTypeInference else each, description)
        made.finalize()
        return [made]


@register_pass(mutates_CFG=True, analysis_only=False)
class TypeInference(NopythonTypeInference):  # type: ignore[misc]
    """Numba's own, with calls that are resolved once."""

    _name = "kernel_type_inference"

    def run_pass(self, state: Any) -> bool:
        """Types one function."""
        usual = state.typingctx
        state.typingctx = _Remembering(usual)
        try:
            changed: bool = super().run_pass(state)
        finally:
            state.typingctx = usual
        return changed


class _Remembering:
    """A typing context that knows the signatures of calls which it has resolved before."""

    def __init__(self, context: Any) -> None:
        self._context = context
        # Functions are told apart by identity, for Numba writes down in one what it finds; kept, so that ids stay.
        self._known: dict[Any, tuple[Any, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """The signature of a call; raises Numba's errors where there is none."""
        key = id(func), args, tuple(sorted(kws.items()))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = func, self._context.resolve_function_type(func, args, kws)
        return found[1]
