"""The README's examples run as they are written, one after the other, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

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
        assert not name or registry.get(name).name == name
