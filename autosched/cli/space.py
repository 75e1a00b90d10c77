"""`autosched space NAME`: what the tuner may choose."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Annotated

import typer

from autosched.cli.console import out
from autosched.cli.emit import emit
from autosched.cli.options import Json, Name
from autosched.errors import ArgumentError


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
            points=found.count(),
            knobs=knobs,
            constraints=[str(c) for c in found.constraints],
            named={n: dict(p) for n, p in found.named.items()},
            workloads=[{"name": w.name, "summary": w.summary, "tune": w.tune} for w in file.workloads],
            samples=[dict(found.sample(rng)) for _ in range(samples)],
        )
        return
    console.print(str(replace(found, name=name)), soft_wrap=True)
    for title, lines in (
        ("workloads", [f"{w.name}: {w.summary}" + ("" if w.tune else " (when named)") for w in file.workloads]),
        ("samples", [json.dumps(found.sample(rng)) for rng in [random.Random(seed)] for _ in range(samples)]),
    ):
        if lines:
            console.print(f"\n{title}")
            for line in lines:
                console.print(f"  {line}", soft_wrap=True)
