"""`autosched experiment`: what there is, what is refused, and that a wheel says what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

import autosched as package
from autosched.cli.main import run


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = run(["experiment", *arguments])
    captured = capsys.readouterr()
    return status, " ".join((captured.out + captured.err).split())


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    status, said = say(capsys, "list")
    assert status == 0 and "runtime" in said and "families: qwen2.5-vl" in said and "w4" in said


def test_without_a_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["experiment"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Usage: autosched experiment ") and captured.out.count("\n") > 5
    assert "Run the studies of a checkout" in captured.out and captured.err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "runtimes"), "there is no experiment called 'runtimes'; did you mean runtime"),
        (("run", "runtime", "--family", "qwen"), "there is no family called 'qwen'"),
        (("run", "runtime", "-w", "w9"), "there is no workload called 'w9'"),
        (("run", "runtime", "-i", "pil"), "there is no implementation called 'pil'"),
        (("run", "runtime", "--budget", "soon"), "--budget 'soon' is not a duration"),
        (("run", "runtime", "-t", "0"), "--threads is 0"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    pytest.importorskip("transformers")
    status, said = say(capsys, *arguments)
    assert status == 2 and message in said


def test_a_wheel_says_that_a_checkout_is_needed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(package, "__file__", str(tmp_path / "site-packages" / "autosched" / "__init__.py"))
    status, said = say(capsys, "list")
    assert status == 2 and "the experiments are not in the wheel; clone the repository" in said


def test_figures_of_a_folder_without_tables(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    status, said = say(capsys, "plot", "memory", "--results", str(tmp_path), "--out", str(tmp_path))
    way_out = f"`autosched experiment run memory --results {tmp_path}` makes it"
    assert status == 2 and f"no table of memory; {way_out}" in said
    from experiments.experiment import table

    table("memory", quick=True, folder=tmp_path).write_text("")
    status, said = say(capsys, "plot", "memory", "--results", str(tmp_path), "--out", str(tmp_path))
    assert status == 2 and f"a table of --quick alone of memory; {way_out}" in said
    from experiments.command import plot

    plot(["memory"], tmp_path, tmp_path, what_there_is=True)
    assert "not drawn" in capsys.readouterr().out and not list(tmp_path.glob("*.png"))
