"""The names that `autosched.load` and the command line know, and what stands behind each: a kernel family."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError
from autosched.lang import HALVES, Pipeline, Type, f32
from autosched.schedule import Schedule
from autosched.vlm.preparation import Preparation
from autosched.workload import ANY, Bucket, Workload

#: A function that does a whole job once, the way its users would.
Job = Callable[[], object]
#: Computes what a model gets of images, an array each, under settings and on so many threads.
Compute: TypeAlias = Callable[[Sequence[Any], Mapping[str, Any], int], list[npt.NDArray[np.generic]]]


@dataclass(frozen=True)
class KernelFamily:
    """A pipeline with its schedules and all that is needed to tune it and to time it.

    Attributes:
        name: as users write it, "qwen2.5-vl".
        summary: one line of what it computes.
        pipeline: makes the algorithm.
        schedules: by name, in the order they are shown, each for a bucket; "default" is what runs where nothing is
            tuned.
        specimens: makes samples (images) from the `samples` table of a workload in the search space.
        workload: the calls for samples under settings. The settings are those of `settings`, changed by a workload's
            table in the search space.
        settings: the defaults that `workload` and `compute` are given.
        compute: what `autosched.load` calls with images of any sizes. None where the calls of `workload` are all.
        buckets: the regions of workloads that are tuned on their own, the most common first.
        space: file in search_spaces/, `<name>.toml` where it is empty.
        peers: other kernels of the same job, by name: given samples and settings, a Job.
        processors: image processors of Hugging Face that compute the same, by backend: given settings, a processor.
            What a peer or a processor needs and is not installed raises ImportError.
        dtype: the type of its values.
        rounded: makes the same family with values of a 16-bit type; None where there is none.
    """

    name: str
    summary: str
    pipeline: Callable[[], Pipeline]
    schedules: Mapping[str, Callable[[Bucket], Schedule]]
    specimens: Callable[[Mapping[str, Any]], Sequence[Any]]
    workload: Callable[[Sequence[Any], Mapping[str, Any]], Workload]
    settings: Mapping[str, Any] = field(default_factory=dict)
    compute: Compute | None = None
    buckets: tuple[Bucket, ...] = (ANY,)
    space: str = ""
    peers: Mapping[str, Callable[[Sequence[Any], Mapping[str, Any]], Job]] = field(default_factory=dict)
    processors: Mapping[str, Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict)
    dtype: Type = f32
    rounded: Callable[[Type], KernelFamily] | None = None

    def __post_init__(self) -> None:
        if "default" not in self.schedules:
            raise ArgumentError(f"kernel family {self.name}: its schedules {list(self.schedules)} need a 'default'")
        if not self.buckets:
            raise ArgumentError(f"kernel family {self.name}: it needs at least one bucket")

    @property
    def space_file(self) -> str:
        """The name of its file in search_spaces/."""
        return self.space or f"{self.name}.toml"


#: The module that registers each name when it is imported.
_HOMES: dict[str, str] = {f"{name}-video": "autosched.vlm.video" for name in ("qwen2-vl", "qwen2.5-vl", "qwen3-vl")} | {
    name + suffix: f"autosched.vlm.{module}"
    for module, known in {
        "qwen_vl": ("qwen2-vl", "qwen2.5-vl", "qwen3-vl"),
        "fixed": ("llava-1.5", "siglip"),
        "internvl": ("internvl3",),
        "anyres": ("llava-next", "llava-onevision"),
        "pixtral": ("pixtral", "mistral3"),
        "gemma3": ("gemma3",),
        "glm": ("glm-4v", "glm-4.6v"),
        "idefics3": ("idefics3", "smolvlm2"),
        "siglip2": ("siglip2",),
    }.items()
    for name in known
    for suffix in ("", "-pil")
}

_families: dict[str, KernelFamily] = {}


def name_of(name: str, preparation: Preparation) -> str:
    """What a family is called: a model's `name`, the backend unless it is torchvision, the type unless it is f32."""
    backend = "" if preparation.reference == "torchvision" else "-pil"
    return f"{name}{backend}" if preparation.dtype == f32 else f"{name}{backend}-{preparation.dtype}"


def register(family: KernelFamily, *, anew: bool = False) -> KernelFamily:
    """Make `family` known by its name, with `anew` also where another one is. Returns it."""
    if anew:
        _families.pop(family.name, None)
    known = _families.setdefault(family.name, family)
    if known is not family:
        raise ArgumentError(f"two kernel families are called {family.name!r}; choose another name")
    return family


def names() -> list[str]:
    """All names, sorted, those with values of 16 bits excepted: a name and "-bf16" or "-f16"."""
    return sorted({*_HOMES, *(name for name, family in _families.items() if not family.dtype.is_half)})


def in_type(family: KernelFamily, dtype: Type) -> KernelFamily:
    """The family with values of another type. Raises ArgumentError where it has none."""
    if dtype == family.dtype:
        return family
    if family.rounded is None:
        raise ArgumentError(f"{family.name} has {family.dtype} values only, not {dtype}")
    return family.rounded(dtype)


def users(pipeline: str) -> list[str]:
    """The names of the families whose pipeline is called so, as files of records are: one tuned, all are."""
    base, _, suffix = pipeline.rpartition("-")
    if suffix in HALVES:
        return [f"{name}-{suffix}" for name in users(base) if get(name).rounded is not None]
    for module in sorted({*_HOMES.values()}):
        import_module(module)
    known = [name for name in dict.fromkeys((*_HOMES, *_families)) if name in _families]
    return [name for name in known if _families[name].pipeline().name == pipeline]


def get(name: str) -> KernelFamily:
    """The family called `name`, or the first whose pipeline is, as files of records are called.

    A name may end with a 16-bit type of values: "qwen2.5-vl-bf16". Raises ArgumentError, with near names, where there
    is none.
    """
    if name not in _families and name in _HOMES:
        import_module(_HOMES[name])
    if name in _families:
        return _families[name]
    base, _, suffix = name.rpartition("-")
    if suffix in HALVES:
        made = in_type(get(base), HALVES[suffix])
        return _families.setdefault(made.name, made)
    if using := users(name):
        return get(using[0])
    near = difflib.get_close_matches(name.lower(), names(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names()) or 'none'}."
    raise ArgumentError(f"there is no kernel called {name!r}; {hint} `autosched list` shows them all")
