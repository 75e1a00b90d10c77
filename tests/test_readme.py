"""The README's examples run as they are written, one after the other, and its commands exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autosched.vlm import registry

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_it_starts_with_the_two_commands() -> None:
    first = re.search(r"```\n(.*?)```", README, re.DOTALL)
    assert first is not None
    assert [line.split("#")[0].strip() for line in first.group(1).splitlines()] == ["make tune", "make test"]
    assert README.index("make tune") < 40
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    assert "\ntune:" in makefile and "\ntest:" in makefile


@pytest.mark.skipif("not __import__('importlib').util.find_spec('torchvision')", reason="the example's backend")
def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (name,) = re.findall(r"in `(\w+\.toml)`", README)
    (space,) = blocks("toml")
    (tmp_path / name).write_text(space)
    scope: dict[str, Any] = {}
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), scope)
    assert scope["fast"].autosched_explain().accelerated
    assert (
        scope["pixels"].tobytes() == scope["processor"](scope["image"], return_tensors="np")["pixel_values"].tobytes()
    )
    assert scope["patches"].size == scope["pixels"].size
    photo, blurred = scope["photo"], scope["blurred"]
    assert blurred[0, 0] == photo[:3, :3].astype(int).sum() // 9
    assert scope["result"].record.search.trials == 8
    directives = sum(map(len, scope["result"].schedule.funcs.values()))
    changes = scope["ablate"](scope["task"], scope["result"].schedule, 0.1, knobs=())
    assert scope["row"].part == "one-at-a-time" and len(changes) == directives


def test_commands_on_a_file_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autosched.cli.main import run
    from autosched.vlm import registry

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    for variable in ("AUTOSCHED_TUNED_DIR", "AUTOSCHED_STATE_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    (tmp_path / "blur.toml").write_text(blocks("toml")[0])
    algorithm, search = (next(b for b in blocks("python") if word in b) for word in ("Pipeline(blur", "task = Task("))
    (tmp_path / "blur.py").write_text(algorithm + search.partition("print(space)")[0])
    lines = re.findall(r"^autosched (tune blur\.py:[^#\n]*)", README, re.MULTILINE)
    assert len(lines) == 2
    try:
        for line in lines:
            assert run([*line.split(), "--trials", "2", "-t", "1"]) == 0
    finally:  # other tests look at all kernels that are known
        for name in ("blur.py:pipeline", "blur.py:task"):
            registry._families.pop(name, None)
    assert len(list(tmp_path.glob("AUTOSCHED_TUNED_DIR/*/blur.json"))) == 1


def test_ways_out_of_what_halide_has() -> None:
    """Definitions in the table compute what it says they do, and what it says is refused or missing is."""
    from autosched import Func, Input, Pipeline, RDom, Schedule, lang
    from autosched import compile as compile_kernel
    from autosched.errors import LanguageError, ScheduleError
    from autosched.schedule.directives import DIRECTIVES

    _, _, section = README.partition("## What Halide has and this has not\n")
    section = section.partition("\n## ")[0]
    image, line = lang.Input("image", lang.u8, 2), Input("line", lang.u32, 1)
    scope: dict[str, Any] = {**vars(lang), "image": image, "line": line}
    scope |= {name: Func(name) for name in ("hist", "sums", "both", "edge")}
    scope |= dict(zip("yxbc", lang.variables("y x b c"), strict=True))
    scope |= {"r": RDom(y=image.extent(0), x=image.extent(1)), "k": RDom(k=line.extent(0))}
    definitions = re.findall(r"`(\w+\[[^`]* = [^`]+|\w+\.bound\([^`]*)`", section)
    assert len(definitions) == 5
    for definition in definitions:
        exec(definition, scope)

    rng = np.random.default_rng(0)
    photo, row = rng.integers(0, 256, (9, 7), np.uint8), rng.integers(0, 9, 30, np.uint32)

    def run(name: str, shape: tuple[int, ...], **given: Any) -> Any:
        return compile_kernel(Pipeline(scope[name], name), Schedule())(shape=shape, **given)

    assert np.array_equal(run("hist", (256,), image=photo), np.bincount(photo.ravel(), minlength=256))
    assert np.array_equal(run("sums", (30,), line=row), np.cumsum(row))
    assert np.array_equal(run("both", (2, 9, 7), image=photo), np.stack([photo, 255 - photo]))
    assert np.array_equal(run("edge", (9, 7), image=photo), np.pad(photo, ((1, 0), (0, 0)), "edge")[:-1])

    with pytest.raises(LanguageError, match="hist is defined twice"):
        scope["hist"][scope["b"]] = 0
    with pytest.raises(LanguageError, match="use constants, Params and extents"):
        RDom(k=(0, scope["x"]))
    with pytest.raises(LanguageError, match="has one output, not 2"):
        Pipeline([scope["hist"], scope["sums"]])  # type: ignore[arg-type]
    floats, total = Input("floats", lang.f32, 1), Func("total")
    total[scope["x"]] = lang.sum_over(scope["k"], floats[scope["k"].k])
    Schedule().vectorize("sums", "k", 8).check(Pipeline(scope["sums"]))
    with pytest.raises(ScheduleError, match="the order of a sum of f32 is part of its value"):
        Schedule().vectorize("total", "k", 8).check(Pipeline(total))
    has = re.findall(r"`(exp|exp2|log|log2|power|sqrt|fma|reinterpret|fold_over|argmax_over|argmin_over)`", section)
    assert len(has) == 11 and all(hasattr(lang, name) for name in has)
    assert "`compute_with`, `async`, `memoize`" in section
    assert not DIRECTIVES.keys() & {"compute_with", "async", "memoize", "rfactor", "gpu_blocks", "gpu_tile"}
    assert "vectorize" in DIRECTIVES and not any(hasattr(lang, name) for name in ("sin", "cos", "tan"))


def test_command_lines_exist() -> None:
    from autosched.cli.main import app

    known = {command.name for command in app.registered_commands}
    groups = {
        group.name: {command.name for command in group.typer_instance.registered_commands}
        for group in app.registered_groups
        if group.typer_instance is not None
    }
    lines = re.findall(r"^autosched (\w+) ?([\w.-]*)", README, re.MULTILINE)
    assert len(lines) >= 5
    for command, name in lines:
        if command in groups:
            assert name in groups[command]
            continue
        assert command in known
        assert not name or name.endswith(".py") or registry.get(name).name == name
