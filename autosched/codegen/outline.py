"""Outlines: what stays of a kernel once it is lowered and printed, its source and what the runtime needs for a call.

An outline is plain data, so that it is kept beside the compiled code: a process that finds one does not lower anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from autosched.codegen.host import function, host_reads, reads_inputs
from autosched.codegen.plan import plan
from autosched.codegen.printer import argument_slots, print_kernel
from autosched.errors import CompileError
from autosched.lower.demands import Exclusion, PackedTable
from autosched.lower.lower import Lowered, arguments
from autosched.lower.names import Growth
from autosched.lower.stages import Stage


@dataclass(frozen=True)
class HostFunction:
    """A function of sizes, printed as Python (see `codegen.host`), and the names of the sizes in order."""

    name: str
    text: str
    sizes: tuple[str, ...]

    def compiled(self, of: str) -> Callable[..., Any]:
        """The function itself; `of` is for tracebacks."""
        return function(self.text, self.name, of)


@dataclass(frozen=True)
class StageOutline:
    """A stage: the Func that it computes, and for each input that it reads which rows an iteration reads.

    That is None where it cannot be told before the stage runs.
    """

    func: str
    parallel: bool
    reads: dict[str, HostFunction | None]


@dataclass(frozen=True)
class RootOutline:
    """A Func that is stored whole: bytes of an element, coordinates in memory, outermost first."""

    func: str
    itemsize: int
    storage: tuple[int, ...]


@dataclass(frozen=True)
class WindowOutline:
    """A requirement of a permute (`lower.demands.WindowRequirement`); the plan returns how wide the window is."""

    width: int
    excludes: Exclusion


@dataclass(frozen=True)
class Outline:
    """A kernel without its loops.

    Attributes:
        source: the generated module, with a function a stage.
        slots: the place of every argument of any stage in the array whose address stages take.
        plan: from sizes to what is named in `plan_outputs`: regions, extents, iterations, requirements.
        growths: what the plan takes beside sizes: how much tables grow.
        required: of how many dimensions of each array the plan returns what is read.
        statuses: what is wrong where a stage returns 1, 2, ...
    """

    source: str
    slots: dict[str, int]
    plan: HostFunction
    plan_outputs: tuple[str, ...]
    growths: tuple[Growth, ...]
    stages: tuple[StageOutline, ...]
    roots: tuple[RootOutline, ...]
    windows: tuple[WindowOutline, ...]
    packs: tuple[PackedTable, ...]
    required: dict[str, int]
    statuses: tuple[str, ...]

    @property
    def readable(self) -> str:
        """All that was generated, for people: the module, and the plan, which Numba does not compile."""
        return f"{self.source}\n\n{self.plan.text}\n"

    def to_json(self) -> str:
        """The outline as JSON text."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Outline:
        """Parse the output of `to_json`. Anything else is not validated and raises whatever Python raises."""
        data = json.loads(text)
        return cls(
            source=data["source"],
            slots=data["slots"],
            plan=_host_function(data["plan"]),
            plan_outputs=tuple(data["plan_outputs"]),
            growths=tuple(Growth(**g) for g in data["growths"]),
            stages=tuple(
                StageOutline(s["func"], s["parallel"], {n: r and _host_function(r) for n, r in s["reads"].items()})
                for s in data["stages"]
            ),
            roots=tuple(RootOutline(r["func"], r["itemsize"], tuple(r["storage"])) for r in data["roots"]),
            windows=tuple(WindowOutline(w["width"], Exclusion(**w["excludes"])) for w in data["windows"]),
            packs=tuple(PackedTable(**p) for p in data["packs"]),
            required=data["required"],
            statuses=tuple(data["statuses"]),
        )


def _host_function(data: dict[str, Any]) -> HostFunction:
    return HostFunction(data["name"], data["text"], tuple(data["sizes"]))


def outline(lowered: Lowered) -> Outline:
    """Print a kernel and keep what a call needs."""
    inputs, of_call = lowered.pipeline.inputs, plan(lowered)
    return Outline(
        source=print_kernel(lowered),
        slots=argument_slots(lowered),
        plan=HostFunction("plan", of_call.text(), of_call.sizes),
        plan_outputs=of_call.outputs,
        growths=tuple(g for g in lowered.growths if g.name in of_call.sizes),
        stages=tuple(
            StageOutline(s.func, s.parallel, {n: _reads(s, n) for n in arguments(s.body) if n in inputs})
            for s in lowered.stages
        ),
        roots=tuple(RootOutline(r.name, r.elem.bytes, r.storage) for r in lowered.roots),
        windows=tuple(WindowOutline(w.width, w.excludes) for w in lowered.windows),
        packs=lowered.packs,
        required={name: len(box) for name, box in lowered.required.items()},
        statuses=lowered.statuses,
    )


def _reads(stage: Stage, source: str) -> HostFunction | None:
    if source not in stage.reads:
        return None
    try:
        return HostFunction("reads", host_reads(stage, source), tuple(reads_inputs(stage, source)))
    except CompileError:
        return None
