"""`autosched space NAME`: what the tuner may choose."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Annotated

import typer

from autosched.cli.console import out
from autosched.cli.emit import emit
from autosched.cli.options import Json, Name
from autosched.errors import ArgumentError

if TYPE_CHECKING:
    from autosched.tune.constraints import Point
    from autosched.tune.space import Knob


def space(
    name: Name,
    samples: Annotated[int, typer.Option("--samples", help="Show so many points, drawn by chance.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Draw others.")] = 0,
    as_json: Json = False,
) -> None:
    """Show the knobs of a kernel's search space, its constraints, how many points they leave, and some of them."""
    from autosched.cli.samples import space_of
    from autosched.vlm.registry import get

    if samples < 0:
        raise ArgumentError(f"--samples is {samples}; it must be at least 0")
    file = space_of(get(name))
    found = file.space
    console = out()
    count = found.count()
    if as_json:
        rng = random.Random(seed)
        knobs = [
            {"name": k.name, "choices": k.choices, "default": k.default, "when": str(k.when), "summary": k.summary}
            for k in found.knobs
        ]
        emit(
            "space",
            kernel=name,
            identity=found.identity,
            points=count,
            knobs=knobs,
            constraints=[str(c) for c in found.constraints],
            named={n: dict(p) for n, p in found.named.items()},
            workloads=[{"name": w.name, "summary": w.summary, "tune": w.tune} for w in file.workloads],
            samples=[dict(found.sample(rng)) for _ in range(samples)],
        )
        return
    size = f"{count}" if count < 10**7 else f"{count:.3g}"
    console.print(f"{name}: {size} points of {len(found.knobs)} knobs, space {found.identity}")
    for title, lines in (
        ("knobs (* is the default)", [line for knob in found.knobs for line in _knob(knob)]),
        ("constraints", [str(c) for c in found.constraints]),
        ("named points, tried first", [f"{n}: {_shown(p)}" for n, p in found.named.items()]),
        ("workloads", [f"{w.name}: {w.summary}" + ("" if w.tune else " (when named)") for w in file.workloads]),
        ("samples", [_shown(found.sample(rng)) for rng in [random.Random(seed)] for _ in range(samples)]),
    ):
        if lines:
            console.print(f"\n{title}")
            for line in lines:
                console.print(f"  {line}", soft_wrap=True)


def _knob(knob: Knob) -> list[str]:
    choices = " ".join(f"{c}{'*' * (c == knob.default)}" for c in knob.choices)
    active = f", where {knob.when}" if knob.when.terms else ""
    return [f"{knob.name}: {choices}{active}", *([f"    {knob.summary}"] if knob.summary else [])]


def _shown(point: Point) -> str:
    return json.dumps(dict(point))
