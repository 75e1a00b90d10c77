"""The keys under which kernels are found again in the cache, and their outlines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, astuple
from functools import cache
from pathlib import Path

from autosched.cache import cache_directory, keep, kept, key, versions
from autosched.codegen.outline import Outline
from autosched.lang.fingerprint import fingerprint
from autosched.lang.func import Pipeline
from autosched.lower.lower import Layout
from autosched.schedule.schedule import Schedule

_PACKAGE = Path(__file__).parents[1]
#: Where the code is that decides what a pipeline is lowered to, and its source.
_COMPILER = ("lang", "schedule", "lower", "codegen")


@cache
def environment_key() -> str:
    """What besides its source decides the machine code of a kernel: versions, the CPU, and the operations' own code."""
    from autosched.codegen.simd.target import features

    return _digest((versions(), *sorted(features())), operations())


def operations() -> list[Path]:
    """The code of operations, and all that it takes constants from."""
    here, lang = _PACKAGE / "codegen", _PACKAGE / "lang"
    return [*here.glob("simd/*.py"), here / "compiler.py", here / "support.py", lang / "bits.py", lang / "halves.py"]


@cache
def compiler_key() -> str:
    """What besides pipeline, schedule and layout decides how a kernel is lowered and printed: the compiler's code."""
    return _digest((), (file for part in _COMPILER for file in (_PACKAGE / part).rglob("*.py")))


def _digest(words: Iterable[str], files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for word in words:
        digest.update(word.encode())
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def outlined(pipeline: Pipeline, schedule: Schedule, layout: Layout, make: Callable[[], Outline]) -> Outline:
    """The outline of a kernel that an earlier process kept, or what `make` makes, which is kept from now on."""
    path = cache_directory() / f"autosched_outline_{_outline_key(pipeline, schedule, layout)}.json"
    body = kept(path)
    if body is not None:
        return Outline.from_json(body.decode())
    made = make()
    keep(path, made.to_json().encode())
    return made


def _outline_key(pipeline: Pipeline, schedule: Schedule, layout: Layout) -> str:
    strides = {name: sorted(of.items()) for name, of in sorted(layout.strides.items())}
    target = {**asdict(layout.target), "excluded": sorted(map(astuple, layout.target.excluded))}
    what = [pipeline.name, schedule.to_data(), strides, sorted(layout.params.items()), target]
    return key(environment_key(), compiler_key(), fingerprint(pipeline), json.dumps(what))
