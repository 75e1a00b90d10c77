"""Machine code that is kept has a key of all the code that it was made from."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import autosched
from autosched.codegen import cache

PACKAGE = Path(autosched.__file__).parent
#: Files that nothing is compiled from: what ``cache=True`` means, and what operations mean in numpy.
NOT_COMPILED = {PACKAGE / "codegen" / "stored.py", PACKAGE / "codegen" / "simd" / "twins.py"}


def imported(file: Path) -> set[Path]:
    """The files of this package that one takes something from when it is imported."""
    names: set[str] = set()
    for stmt in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(stmt, ast.Import):
            names |= {alias.name for alias in stmt.names}
        elif isinstance(stmt, ast.ImportFrom):
            names |= {str(stmt.module), *(f"{stmt.module}.{alias.name}" for alias in stmt.names)}
    paths = {PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py") for name in names}
    return {path for path in paths if path.exists()}


def test_what_compiled_functions_are_made_of_is_in_the_key() -> None:
    """All that is imported where functions are compiled whose key is not of their own source alone."""
    sources = set(cache.operations())
    functions = {
        file
        for file in PACKAGE.glob("codegen/*.py")
        if any(line.startswith(("@njit", "@cfunc")) for line in file.read_text(encoding="utf-8").splitlines())
    }
    assert {file.stem for file in functions} == {"entry", "support", "team"}
    in_codegen = {file for file in sources | functions if PACKAGE / "codegen" in file.parents}
    missing = {
        f"{file.name} imports {other.relative_to(PACKAGE)}"
        for file in in_codegen - NOT_COMPILED
        for other in imported(file) - sources - NOT_COMPILED
    }
    assert not missing


def test_another_nan_is_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    halves, usual, before = PACKAGE / "lang" / "halves.py", Path.read_bytes, cache.environment_key()
    monkeypatch.setattr(Path, "read_bytes", lambda self: usual(self) + b"#" * (self == halves))
    cache.environment_key.cache_clear()
    changed = cache.environment_key()
    monkeypatch.undo()
    cache.environment_key.cache_clear()
    assert changed != before == cache.environment_key()
