"""Things by name, which register themselves: implementations, families, experiments.

To add one, write a file in the package of its kind and put the file's name in the package's `MODULES`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from autosched.errors import ArgumentError


class Named(Protocol):
    """What can be registered."""

    @property
    def name(self) -> str:
        """As on the command line and in results."""


T = TypeVar("T", bound=Named)


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name, in the order of their modules. Modules are imported at the first look.

    A missing name raises ArgumentError with the near ones.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._known: dict[str, T] = {}
        self._loaded = False

    def add(self, thing: T) -> T:
        """Registers `thing`, and returns it. Raises ArgumentError where another one has its name."""
        if self._known.setdefault(thing.name, thing) is not thing:
            raise ArgumentError(f"two {self.kind}s are called {thing.name!r}; choose another name")
        return thing

    def __getitem__(self, name: str) -> T:
        self._load()
        if name in self._known:
            return self._known[name]
        near = difflib.get_close_matches(name, self._known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self._known) or 'none'}."
        raise ArgumentError(f"there is no {self.kind} called {name!r}; {hint}")

    def get(self, name: str, default: Any = None) -> Any:
        """The thing called `name`, or `default`."""
        self._load()
        return self._known.get(name, default)

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(self._known)

    def __len__(self) -> int:
        self._load()
        return len(self._known)

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True
            for module in import_module(self._package).MODULES:
                import_module(f"{self._package}.{module}")
