"""What arguments of directives may be: a field of a directive is annotated with what checks its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

from autosched.lang.checks import is_name


class Argument(Protocol):
    """Says what is wrong with a value, in words that follow the argument's name; None where nothing is."""

    def problem(self, value: object) -> str | None: ...


@dataclass(frozen=True)
class Whole:
    """An integer from `least` to `most`; `beyond` is what to do where it is more, if that says more than the range."""

    least: int | None = None
    most: int | None = None
    beyond: str = ""

    def problem(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be an integer, not {value!r}"
        if self.most is not None and value > self.most and self.beyond:
            return f"is {value}; {self.beyond}"
        if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
            return f"is {value}; it must be {self.least}..{self.most}"
        return None


@dataclass(frozen=True)
class PowerOfTwo(Whole):
    """A power of two from `least` to `most`."""

    def problem(self, value: object) -> str | None:
        if (found := super().problem(value)) is not None:
            return found
        if isinstance(value, int) and value & (value - 1):
            return f"is {value}; it must be a power of two from {self.least} to {self.most}"
        return None


@dataclass(frozen=True)
class OneOf:
    """One of some words."""

    choices: tuple[str, ...]

    def problem(self, value: object) -> str | None:
        return None if value in self.choices else f"is {value!r}; it must be one of {', '.join(self.choices)}"


class _Name:
    """A name of a Func, an Input, a Param, a coordinate or a loop; whether it is there, the pipeline says."""

    def problem(self, value: object) -> str | None:
        if isinstance(value, str) and value.isidentifier() and value.isascii():
            return None
        return f"must be a name, not {value!r}"


class _LoopName(_Name):
    """A name of a loop as directives make them."""

    def problem(self, value: object) -> str | None:
        if (found := super().problem(value)) is not None:
            return found
        if not is_name(value):
            return f"is {value!r}; names of loops have letters, digits and single underscores between them"
        return None


class _Names:
    """Names, each once."""

    def problem(self, value: object) -> str | None:
        if not (isinstance(value, tuple) and value and all(isinstance(v, str) for v in value)):
            return f"must be names, not {value!r}"
        return f"names a loop twice: {', '.join(value)}" if len(set(value)) != len(value) else None


Name = Annotated[str, _Name()]
LoopName = Annotated[str, _LoopName()]
Names = Annotated[tuple[str, ...], _Names()]
