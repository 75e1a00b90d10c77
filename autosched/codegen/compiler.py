"""How Numba compiles kernels: by the few of its passes that generated code needs.

All of it only makes compiling shorter. Generated code has neither closures nor array expressions, no variable has two
types, and nothing in it is counted by references.
"""

from __future__ import annotations

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.lowering import Lower
from numba.core.transforms import canonicalize_cfg
from numba.core.typed_passes import NativeLowering, NoPythonBackend, NopythonTypeInference
from numba.core.untyped_passes import FixupArgs, IRProcessing, TranslateByteCode


class KernelCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's pipeline for the functions of a generated module: ``njit(pipeline_class=KernelCompiler)``."""

    def define_pipelines(self) -> list[PassManager]:
        """One pipeline: the usual one but for what is said above."""
        self.state.flags.no_cfunc_wrapper = True  # only Python calls a stage
        made = PassManager("kernel")
        for each in (TranslateByteCode, FixupArgs, Blocks, TypeInference, Lowering, NoPythonBackend):
            made.add_pass(each, each.__name__)
        made.finalize()
        return [made]


@register_pass(mutates_CFG=True, analysis_only=False)
class Blocks(IRProcessing):  # type: ignore[misc]
    """Numba's own, without the lifetimes of variables."""

    _name = "kernel_blocks"

    def run_pass(self, state: Any) -> bool:
        """Simplifies the control flow of one function."""
        state.func_ir.blocks = canonicalize_cfg(state.func_ir.blocks)
        return True


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


class _Lower(Lower):  # type: ignore[misc]
    """Numba's own, which looks up each kind of binary operation once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._operations: dict[Any, Any] = {}

    def lower_binop(self, resty: Any, expr: Any, op: Any) -> Any:
        """The value of a binary operation."""
        signature = self.fndesc.calltypes[expr]
        key = op, signature.args
        if key not in self._operations:
            function = self.context.typing_context.resolve_value_type(op)
            called = function.get_call_type(self.context.typing_context, signature.args, {})
            self._operations[key] = self.context.get_function(function, called)
        values = [
            self.context.cast(self.builder, self.loadvar(operand.name), self.typeof(operand.name), wanted)
            for operand, wanted in zip((expr.lhs, expr.rhs), signature.args, strict=True)
        ]
        made = self._operations[key](self.builder, values)
        return self.context.cast(self.builder, made, signature.return_type, resty)


@register_pass(mutates_CFG=True, analysis_only=False)
class Lowering(NativeLowering):  # type: ignore[misc]
    """Numba's own, optimized once."""

    _name = "kernel_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        """What lowers statements."""
        return _Lower

    def run_pass(self, state: Any) -> bool:
        """Lowers one function."""
        state.library = _Library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        state.type_annotation = None
        changed: bool = super().run_pass(state)
        return changed


class _Library(JITCodeLibrary):  # type: ignore[misc]
    """Machine code of a kernel.

    Numba optimizes every function, then the module cheaply so that it can find counted references which cancel, then
    the module in full. There are none here, and the last alone gives code as fast.
    """

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)
