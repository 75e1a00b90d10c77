"""The package as a whole: cheap to import, every public name where it says, data where it is looked for."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import autosched
from autosched import shipped as shipped_module
from autosched.shipped import checkout, shipped

PACKAGE = Path(autosched.__file__).parent


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=env)
    return set(ran.stdout.split())


def test_import_costs_almost_nothing() -> None:
    loaded = modules_after("import autosched")
    assert not loaded & {"numpy", "numba", "PIL", "optuna", "pydantic", "torch", "transformers", "typer", "rich"}
    assert {m for m in loaded if m.startswith("autosched")} == {"autosched"}


def test_a_user_pays_for_what_is_used() -> None:
    heavy = {"optuna", "pandas", "matplotlib", "torch", "transformers"}
    assert not modules_after("from autosched import Func, Schedule") & {"numba", "pydantic", "PIL", *heavy}
    assert not modules_after("from autosched import compile") & heavy
    assert not modules_after("from autosched import load") & heavy
    assert not modules_after("import autosched.cli.main") & {"numba", "pydantic", *heavy}


EXAMPLES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_docstrings(name: str) -> None:
    ran = doctest.testmod(import_module(name))
    assert ran.attempted and not ran.failed


def test_public_names() -> None:
    assert sorted(autosched.__all__) == sorted(["__version__", *autosched._HOMES])
    for name in autosched.__all__:
        assert getattr(autosched, name) is not None
        assert name in dir(autosched)
    with pytest.raises(AttributeError, match="module 'autosched' has no attribute 'complie'"):
        autosched.complie  # noqa: B018


def test_version_is_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", autosched.__version__)
    root = checkout()
    assert root is not None
    assert f"## {autosched.__version__}" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_data_of_a_checkout() -> None:
    root = Path(autosched.__file__).parents[1]
    assert checkout() == root
    assert shipped("search_spaces") == root / "search_spaces" and shipped("search_spaces").is_dir()
    assert shipped("tuned") == root / "tuned"


def test_data_of_a_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shipped_module, "_PACKAGE", tmp_path / "site-packages" / "autosched")
    assert checkout() is None
    assert shipped("tuned") == tmp_path / "site-packages" / "autosched" / "_data" / "tuned"
