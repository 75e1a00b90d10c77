"""Whether what kernels stand for is transformers' own code, and not what somebody put in the place of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter, itemgetter
from types import BuiltinFunctionType, CodeType, FunctionType
from typing import Any, Final

#: The packages whose functions transformers itself has in its modules.
_PUBLISHED: Final = frozenset({"transformers", "huggingface_hub", "torch", "torchvision", "copy", "functools"})
_CACHED: Final = type(functools.lru_cache(maxsize=1)(len))


class Unchanged:
    """The functions that run in transformers from one method on: methods, and what their modules call by name.

    Code is also replaced later, and put back. So methods, and the functions of the class's own module, are compared in
    every call, which takes less than a microsecond, and a dozen where caches are cold. Functions of other modules are
    looked at once.
    """

    __slots__ = ("_known", "_original", "_shadowed", "_start", "_without")

    def __init__(self, original: type, start: str, shadowed: Iterable[str], without: Iterable[str] = ()) -> None:
        """`shadowed` are the names that the drop-in's class has itself, whose originals count; those in `without` are
        not followed.
        """
        self._original, self._start = original, start
        self._shadowed, self._without = frozenset(shadowed), frozenset(without)
        self._known: tuple[list[tuple[Any, Callable[[Any], Any]]], list[Any], str | None] | None = None

    def changed(self, cls: type) -> str | None:
        """The name of a function that is not transformers' own for a drop-in's class; None where all are."""
        known = self._known
        if known is not None:  # in every call: few steps of Python
            reads, values, name = known
            try:
                if [read(cls if owner is None else owner) for owner, read in reads] == values:
                    return name
            except (AttributeError, KeyError):  # one of them is gone
                pass
        found = _Followed(cls, self._original, self._shadowed, self._without)
        found.follow(self._start)
        reads = found.reads()
        self._known = reads, [read(cls if owner is None else owner) for owner, read in reads], found.changed
        return found.changed


class _Followed:
    """What was found on the way."""

    def __init__(self, cls: type, original: type, shadowed: frozenset[str], without: frozenset[str]) -> None:
        self.cls, self.original, self.shadowed = cls, original, shadowed
        self.changed: str | None = None
        self.seen = set(without)
        #: Names by what they are read from: None is the class of a call.
        self.attributes: dict[type | None, set[str]] = {}
        self.globals: dict[int, tuple[dict[str, Any], set[str]]] = {}

    def reads(self) -> list[tuple[Any, Callable[[Any], Any]]]:
        """How what is compared in every call is read again."""
        attributes = [(owner, attrgetter(*sorted(names))) for owner, names in self.attributes.items()]
        home = self.original.__module__
        own = [(found, names) for found, names in self.globals.values() if found["__name__"] == home]
        return [*attributes, *((found, itemgetter(*sorted(names))) for found, names in own)]

    def follow(self, name: str) -> None:
        """A method of the class, with those that it calls, and those of bases that it extends."""
        if name in self.seen:
            return
        self.seen.add(name)
        shadowed = name in self.shadowed
        bases = list((self.original if shadowed else self.cls).__mro__)
        asked: type | None = self.original if shadowed else None
        while True:
            at = next((i for i, base in enumerate(bases) if name in vars(base)), None)
            if at is None or not _is_method(method := vars(bases[at])[name]):
                return
            self.attributes.setdefault(asked, set()).add(name)
            extends = False
            for function in self._layers(name, method):
                extends = extends or "super" in function.__code__.co_names
                self._calls(function)
            bases = bases[at + 1 :]
            if not extends or not bases:
                return
            asked = bases[0]

    def _layers(self, name: str, method: Any) -> Iterator[FunctionType]:
        """The function, and what its decorators wrap; nothing of a function that is not transformers' own."""
        function = getattr(method, "__func__", method)
        while function is not None:
            if type(function) is FunctionType:
                if _package(function) != "transformers":
                    self.changed = self.changed or name
                    return
                yield function
            elif type(function) is not _CACHED:
                self.changed = self.changed or name
                return
            function = getattr(function, "__wrapped__", None)

    def _calls(self, function: FunctionType) -> None:
        known = function.__globals__
        for name in _names(function.__code__):
            value = known.get(name)
            if callable(value) and not isinstance(value, (type, BuiltinFunctionType)):
                self.globals.setdefault(id(known), (known, set()))[1].add(name)
                plain = type(value) is _CACHED or (type(value) is FunctionType and _package(value) in _PUBLISHED)
                if not plain:
                    self.changed = self.changed or name
            self.follow(name)


def _is_method(value: Any) -> bool:
    return isinstance(value, (staticmethod, classmethod)) or (callable(value) and not isinstance(value, type))


def _package(function: FunctionType) -> str:
    """Where a function was written, which a decorator cannot hide."""
    return str(function.__globals__.get("__name__")).partition(".")[0]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
