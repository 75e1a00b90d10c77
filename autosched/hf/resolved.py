"""The arguments of calls as transformers resolves and validates them, remembered, and what a family reads from them.

Resolving takes transformers longer than a kernel takes a small image, and its result depends on nothing but the
arguments and the attributes of the processor. Calls that give nothing but the type of their result come again and
again.
"""

from __future__ import annotations

import copy
import marshal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from autosched.hf.explanation import Explanation
    from autosched.hf.family import Family, Replayed

_PLAIN: Final = frozenset({type(None), bool, int, float, str})
#: Of marshal: the last one in which equal values have equal bytes, whatever else refers to them.
_FORMAT: Final = 2


@dataclass(slots=True)
class Resolved:
    """The resolved arguments of a call, and the attributes of the processor that they came from.

    Attributes:
        values: the arguments.
        names: the names of the processor's attributes.
        plain: reads those that are in none of the following.
        written: these values, and those of `records` as dicts, as `marshal` writes them: with the types of all that is
            in them.
        records: the names and types of those that are dataclasses, such as sizes.
        members: the names and values of those that are members of an enum.
        texts: the names and values of those that are lists of strings.
        family: the settings that were read from the arguments; None before the first call that has read them.
        seen: the sizes of images of calls for one image, each with the number of threads.
        replays: how such calls are computed again; None where they are not.
    """

    values: dict[str, Any]
    names: list[str]
    plain: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    written: bytes
    records: list[tuple[str, type]]
    members: list[tuple[str, Enum]]
    texts: list[tuple[str, list[str]]]
    family: Family | None = None
    seen: set[tuple[tuple[int, int], int]] = field(default_factory=set)
    replays: dict[tuple[tuple[int, int], int], tuple[Replayed, Explanation] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any], attributes: Mapping[str, Any]) -> Resolved | None:
        """Copies, so that what changes later is seen; None where there are attributes of other types."""
        try:
            items = attributes.items()
            records = [(name, type(v)) for name, v in items if is_dataclass(v) and hasattr(v, "__dict__")]
            members = [(name, value) for name, value in items if isinstance(value, Enum)]
            texts = [(name, list(v)) for name, v in items if type(v) is list and {*map(type, v)} == {str}]
            others = {name for name, _ in (*records, *members, *texts)}
            rest = [name for name in attributes if name not in others]
            plain = itemgetter(*rest, rest[0]) if rest else _none  # twice: of one name, it would make no tuple
            current = [*plain(attributes), *(vars(attributes[name]) for name, _ in records)]
            if not _is_plain(current):
                return None
            written = marshal.dumps(current, _FORMAT)
            return cls(copy.deepcopy(dict(values)), [*attributes], plain, written, records, members, texts)
        except Exception:  # whatever the methods of values raise; a list that holds itself
            return None

    def holds(self, attributes: Mapping[str, Any]) -> bool:
        """Whether the processor still has these attributes, in the same order and of the same types."""
        try:  # in every call: few steps of Python
            if [*attributes] != self.names:
                return False
            for name, member in self.members:
                if attributes[name] is not member:
                    return False
            for name, texts in self.texts:
                if attributes[name] != texts:
                    return False
            current = [*self.plain(attributes)]
            for name, kind in self.records:
                record = attributes[name]
                if type(record) is not kind:
                    return False
                current.append(vars(record))
            return marshal.dumps(current, _FORMAT) == self.written
        except Exception:  # as in `of`
            return False


def _none(attributes: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of no attributes."""
    return ()


def _is_plain(value: Any) -> bool:
    """Whether a value is made of what `marshal` tells apart; it writes arrays and their numbers as bytes."""
    kind = type(value)
    if kind in (list, tuple):
        return all(map(_is_plain, value))
    if kind is dict:
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return kind in _PLAIN
