"""`FILE.py:NAME`: a pipeline in a Python file of the user's, for the commands a kernel like those that are registered.

NAME is a Pipeline, whose workloads are shapes of its output (`-w 1080x1920`) on random Inputs and whose space is
derived; or a Task, which brings its own workload, space and schedules; or a function without arguments that returns one
of them.
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from autosched.errors import ArgumentError, AutoschedError
from autosched.lang import Pipeline
from autosched.lang.func import Func
from autosched.schedule import Schedule
from autosched.tune import SpaceFile, Task, WorkloadSpec, derive, random_workload
from autosched.vlm.registry import KernelFamily, register
from autosched.workload import Bucket, Workload


@dataclass(frozen=True)
class OwnFile(SpaceFile):
    """The space of a pipeline of the user's. Where `output` is set, its shapes are the workloads."""

    output: Func | None = None

    @property
    def example(self) -> str:
        """How a workload is named."""
        if self.output is None:
            return f"-w {self.workloads[0].name}"
        free = sum(arg.name not in self.output.bounds for arg in self.output.args)
        usual = [640, 480, *[1] * (free - 2)][free - 1 :: -1]
        return "-w " + "x".join(str(self.output.bounds.get(arg.name) or usual.pop(0)) for arg in self.output.args)

    def chosen(self, names: Sequence[str], images: Path | None) -> list[WorkloadSpec]:
        """The workloads of these names, or the Task's."""
        if images is not None:
            raise ArgumentError(f"--images {images} are for registered kernels; a Task has the arrays of its calls")
        if self.output is None:
            return [self.workload(name) for name in dict.fromkeys(names)] or list(self.workloads)
        shown = f"{self.output.name}[{', '.join(arg.name for arg in self.output.args)}]"
        if not names:
            raise ArgumentError(f"say for which shape of {shown}: {self.example}; or name a Task, which has a workload")
        for name in names:
            if not re.fullmatch(r"[1-9]\d{0,8}(x[1-9]\d{0,8})*", name) or name.count("x") != self.output.ndim - 1:
                raise ArgumentError(f"-w {name!r} is no shape of {shown}; write it as in {self.example}")
        shapes = {name: tuple(map(int, name.split("x"))) for name in names}
        return [WorkloadSpec(name, samples={"shape": shape}) for name, shape in shapes.items()]


@dataclass(frozen=True, kw_only=True)
class OwnFamily(KernelFamily):
    """A kernel of the user's, called FILE.py:NAME, with its space."""

    file: OwnFile


def is_own(name: str) -> bool:
    """Whether `name` is of a pipeline in a file."""
    return name.rpartition(":")[0].endswith(".py") or name.endswith(".py")


def absolute(name: str) -> str:
    """The same name for processes that work in other directories."""
    return str(Path(name).absolute()) if is_own(name) else name


def make_known(name: str) -> str:
    """Where `name` is FILE.py:NAME, read the file and register what it says. Returns the name.

    The file runs as a module: what it prints goes to standard error, and what is under ``if __name__ == "__main__":``
    does not run. Raises ArgumentError, with file and line, where it cannot be run or has no such pipeline.
    """
    if is_own(name):
        register(_family(name, _found(name)), anew=True)
    return name


def _family(name: str, found: Pipeline | Task) -> OwnFamily:
    if isinstance(found, Task):
        task, file = found, OwnFile(found.space, (WorkloadSpec(found.workload.name),))
        return OwnFamily(
            name=name,
            summary="",
            pipeline=lambda: task.pipeline,
            schedules={label: _for_all(schedule) for label, schedule in {**task.seeds, **task.schedules}.items()},
            specimens=lambda _: [task.workload],
            workload=lambda made, _: _only(made),
            buckets=(task.bucket or Bucket(task.workload.name, task.workload.measures),),
            file=file,
        )
    pipeline, space = found, derive(found)
    return OwnFamily(
        name=name,
        summary="",
        pipeline=lambda: pipeline,
        schedules={"default": _for_all(space.schedule(space.default()))},
        specimens=lambda samples: [random_workload(pipeline, samples["shape"])],
        workload=lambda made, _: _only(made),
        file=OwnFile(space, (), pipeline.output),
    )


def _for_all(schedule: Schedule) -> Callable[[Bucket], Schedule]:
    """The same schedule for every bucket."""
    return lambda _: schedule


def _only(workloads: Sequence[Workload]) -> Workload:
    (workload,) = workloads
    return workload


def _found(name: str) -> Pipeline | Task:
    """What a name stands for."""
    file, _, wanted = name.rpartition(":") if not name.endswith(".py") else (name, "", "")
    path = Path(file)
    if not path.is_file():
        raise ArgumentError(f"there is no file {file}; give FILE.py:NAME")
    module = _run(path)
    known = [n for n, value in vars(module).items() if isinstance(value, (Pipeline, Task))]
    there = f"it has {', '.join(f'{file}:{n}' for n in known) or 'no Pipeline and no Task'}"
    if not wanted:
        raise ArgumentError(f"say which pipeline of {file}; {there}")
    if not hasattr(module, wanted):
        near = difflib.get_close_matches(wanted, vars(module), n=1)
        raise ArgumentError(f"{file} has no {wanted}; {f'did you mean {file}:{near[0]}?' if near else there}")
    found = getattr(module, wanted)
    if inspect.isfunction(found):
        try:
            inspect.signature(found).bind()
        except TypeError:
            raise ArgumentError(
                f"{name} takes arguments; name a function without any that returns a Pipeline or a Task"
            ) from None
        found = _blaming(path, found)
    if not isinstance(found, (Pipeline, Task)):
        hint = f"; write Pipeline({wanted})" if isinstance(found, Func) else f"; {there}"
        raise ArgumentError(f"{name} is neither a Pipeline nor a Task but a {type(found).__name__}{hint}")
    return found


def _run(path: Path) -> ModuleType:
    """The file as a module, beside whose modules it finds those that it imports."""
    spec = importlib.util.spec_from_file_location(f"autosched_own_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    folder = str(path.absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    sys.modules[spec.name] = module  # dataclasses of the file look it up
    _blaming(path, lambda: spec.loader.exec_module(module))
    return module


def _blaming(path: Path, work: Any) -> Any:
    """What `work` returns. What it raises is said in a line with its place in the file."""
    try:
        with redirect_stdout(sys.stderr):
            return work()
    except (Exception, SystemExit) as error:
        places = traceback.extract_tb(error.__traceback__)
        frames = [place.lineno for place in places if Path(place.filename) == path.absolute()]
        line = error.lineno if isinstance(error, SyntaxError) else frames[-1] if frames else None
        said = str(error) if isinstance(error, AutoschedError) else f"{type(error).__name__}: {error}"
        raise ArgumentError(f"{path}{f':{line}' if line else ''}: {said}") from error
