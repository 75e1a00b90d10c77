"""Search space files: TOML to a Space and its workloads, with errors that name file, line and key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from autosched.errors import ScheduleError, SpaceError
from autosched.runtime.cpu import fingerprint
from autosched.schedule.directives import DIRECTIVES
from autosched.tune.constraints import KINDS, Condition, Constraint, Point, Value
from autosched.tune.space import Knob, Ref, Space, Template


@dataclass(frozen=True)
class WorkloadSpec:
    """A workload of the file. `samples` and `settings` go to the kernel family as they are.

    `tune` says whether a plain `autosched tune` includes it; others are tuned when named.
    """

    name: str
    summary: str = ""
    samples: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    tune: bool = True


@dataclass(frozen=True)
class SpaceFile:
    """The contents of a file."""

    space: Space
    workloads: tuple[WorkloadSpec, ...]

    def workload(self, name: str) -> WorkloadSpec:
        """The workload called `name`. Raises SpaceError, with near names, where there is none."""
        known = {w.name: w for w in self.workloads}
        if name not in known:
            near = difflib.get_close_matches(name, known, n=2, cutoff=0.4)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known) or 'none'}"
            raise SpaceError(f"search space {self.space.name} has no workload {name!r}; {hint}")
        return known[name]


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


_Value = StrictBool | StrictInt | StrictStr
_Condition = dict[str, Annotated[list[_Value], BeforeValidator(_one_or_more), Field(min_length=1)]]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Knob(_Model):
    choices: Annotated[list[_Value], Field(min_length=1)]
    default: _Value | None = None
    default_on: dict[str, _Value] = {}
    when: _Condition = {}
    summary: str = ""


class _Constraint(_Model):
    forbid: _Condition | None = None
    when: _Condition | None = None
    require: _Condition | None = None
    product: Annotated[list[str], Field(min_length=1)] | None = None
    at_most: StrictInt | None = None
    knob: str | None = None
    multiple_of: str | None = None
    why: str = ""


class _Workload(_Model):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    summary: str = ""
    samples: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    tune: StrictBool = True


class _File(_Model):
    schema_: Annotated[Literal[1], Field(alias="schema")]
    summary: str = ""
    like: str = ""
    knobs: dict[str, _Knob] = {}
    constraints: list[_Constraint] = []
    funcs: dict[str, list[dict[str, Any]]] = {}
    points: dict[str, dict[str, _Value]] = {}
    workloads: list[_Workload] = []


def load_space(path: Path | str) -> SpaceFile:
    """The space in a file. Raises SpaceError, naming file, line and key, where it is not valid."""
    where = Path(path)
    return parse_space(_text(where), where)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpaceError(f"there is no search space {path}; write one, or name an existing file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(f"{path} cannot be read: {error}") from None


def parse_space(text: str, path: Path) -> SpaceFile:
    """The space in the text of a file; `path` is for messages, and its stem the name of the space."""
    return _Reader(text, path).read()


class _Reader:
    """The text of one file on its way to a Space."""

    def __init__(self, text: str, path: Path) -> None:
        self.text = text
        self.path = path

    def fail(self, key: Iterable[str | int], why: str) -> SpaceError:
        parts = tuple(key)
        line = line_of(self.text, parts)
        shown = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).lstrip(".")
        place = f"{self.path}:{line}" if line else str(self.path)
        return SpaceError(f"{place}: {shown + ': ' if shown else ''}{why}")

    def read(self) -> SpaceFile:
        file = self.file()
        space = self.space_like(file) if file.like else self.space(file)
        names = [w.name for w in file.workloads]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise self.fail(("workloads", i, "name"), f"there are two workloads called {name!r}")
        return SpaceFile(space, tuple(WorkloadSpec(**w.model_dump()) for w in file.workloads))

    def file(self) -> _File:
        try:
            data = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise SpaceError(f"{self.path}: it is not TOML: {error}") from None
        try:
            return _File.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            loc = tuple(p for p in first["loc"] if not (isinstance(p, str) and p in ("bool", "int", "str")))
            raise self.fail(loc, _plain(first)) from None

    def space_like(self, file: _File) -> Space:
        """The space of another file beside this one, which has workloads of its own and nothing else."""
        for key in ("knobs", "constraints", "funcs", "points"):
            if getattr(file, key):
                raise self.fail(
                    (key,), f'a file with `like = "{file.like}"` takes its {key} from {file.like}; remove these'
                )
        path = self.path.parent / file.like
        if Path(file.like).name != file.like or not path.is_file():
            raise self.fail(("like",), f"there is no search space {file.like!r} in {self.path.parent}")
        reader = _Reader(_text(path), path)
        other = reader.file()
        if other.like:
            raise self.fail(("like",), f"{file.like} is like another itself; name that one")
        return replace(reader.space(other), name=self.path.stem)

    def space(self, file: _File) -> Space:
        here = fingerprint().vendor
        knobs = self.knobs(file, here)
        constraints = tuple(self.constraint(i, c, knobs) for i, c in enumerate(file.constraints))
        templates = tuple(
            self.template(func, i, item, knobs) for func, items in file.funcs.items() for i, item in enumerate(items)
        )
        space = Space(self.path.stem, tuple(knobs.values()), constraints, templates)
        if space.count() == 0:
            raise self.fail(("constraints",), "they leave no point at all")
        self.check_use(space)
        for vendor in sorted({v for k in file.knobs.values() for v in k.default_on}):  # an error there is one here
            self.points(file, replace(space, knobs=tuple(self.knobs(file, vendor).values())))
        return replace(space, named=self.points(file, space))

    def points(self, file: _File, space: Space) -> dict[str, Point]:
        return {name: self.point(name, point, space) for name, point in file.points.items()}

    def knobs(self, file: _File, vendor: str) -> dict[str, Knob]:
        made: dict[str, Knob] = {}
        for name, k in file.knobs.items():
            key = ("knobs", name)
            if not name.isidentifier():
                raise self.fail(key, f"{name!r} cannot be a name; use letters, digits and underscores")
            if len({type(c) for c in k.choices}) > 1:
                raise self.fail((*key, "choices"), f"{k.choices} mixes types; use numbers, or strings, or booleans")
            if len(set(k.choices)) < len(k.choices):
                raise self.fail((*key, "choices"), f"{k.choices} has a choice twice")
            default = k.choices[0] if k.default is None else k.default
            for place, value in ((("default",), default), *((("default_on", v), x) for v, x in k.default_on.items())):
                if value not in k.choices or type(value) is not type(k.choices[0]):
                    raise self.fail((*key, *place), f"{value!r} is not one of {k.choices}")
            default = k.default_on.get(vendor, default)
            made[name] = Knob(name, tuple(k.choices), default, self.condition(k.when, made, (*key, "when")), k.summary)
        return made

    def condition(self, data: Mapping[str, list[Value]], knobs: Mapping[str, Knob], key: tuple[Any, ...]) -> Condition:
        terms = []
        for name, values in data.items():
            knob = self.known(name, knobs, (*key, name))
            choices = ", ".join(map(repr, knob.choices))
            for value in values:
                if value not in knob.choices or type(value) is not type(knob.choices[0]):
                    raise self.fail((*key, name), f"{value!r} is not a choice of {name}, which has {choices}")
            terms.append((name, tuple(values)))
        return Condition(tuple(terms))

    def known(self, name: str, knobs: Mapping[str, Knob], key: tuple[Any, ...]) -> Knob:
        if name not in knobs:
            near = difflib.get_close_matches(name, knobs, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(knobs) or 'none'}"
            raise self.fail(key, f"there is no knob {name!r} (a knob is known below its own table); {hint}")
        return knobs[name]

    def constraint(self, i: int, data: _Constraint, knobs: Mapping[str, Knob]) -> Constraint:
        key = ("constraints", i)
        given = {name: value for name, value in data if value is not None and name != "why"}
        kind = next((k for k in KINDS if set(k.keys) == set(given)), None)
        if kind is None:
            known = "; ".join(" with ".join(k.keys) for k in KINDS)
            raise self.fail(key, f"{', '.join(given) or 'nothing'} is not a kind of constraint; there are: {known}")
        made: dict[str, Any] = {}
        for f in fields(kind):
            value = given[f.name]
            if isinstance(value, dict):
                made[f.name] = self.condition(value, knobs, (*key, f.name))
            elif isinstance(value, int):
                made[f.name] = value
            else:
                names = value if isinstance(value, list) else [value]
                for name in names:
                    if not self.known(name, knobs, (*key, f.name)).ordered:
                        raise self.fail((*key, f.name), f"knob {name} is not a number")
                made[f.name] = tuple(names) if isinstance(value, list) else value
        result: Constraint = kind(**made)
        return result

    def template(self, func: str, i: int, item: dict[str, Any], knobs: Mapping[str, Knob]) -> Template:
        key = ("funcs", func, i)
        if item.get("op") not in DIRECTIVES:
            raise self.fail((*key, "op"), f"unknown directive {item.get('op')!r}; there are {', '.join(DIRECTIVES)}")
        when_data = item.get("when", {})
        if not isinstance(when_data, dict):
            raise self.fail((*key, "when"), f"{when_data!r} is not a table of knobs and their values")
        when = self.condition({n: _one_or_more(v) for n, v in when_data.items()}, knobs, (*key, "when"))
        arguments: list[tuple[str, Any]] = []
        for name, value in item.items():
            if name in ("op", "when"):
                continue
            if isinstance(value, str) and value.startswith("$"):
                self.known(value[1:], knobs, (*key, name))
                arguments.append((name, Ref(value[1:])))
            else:
                arguments.append((name, tuple(value) if isinstance(value, list) else value))
        template = Template(func, item["op"], tuple(arguments), when)
        allowed = dict(when.terms)
        choices = {name: [c for c in knobs[name].choices if c in allowed.get(name, (c,))] for name in template.knobs}
        first: Point = {name: values[0] for name, values in choices.items()}
        for name in template.knobs or ("",):
            for choice in choices[name] if name else ("",):
                try:
                    template.fill({**first, name: choice})
                except ScheduleError as error:
                    at = f"with {name} = {choice!r}: " if name else ""
                    raise self.fail(key, at + str(error)) from None
        return template

    def check_use(self, space: Space) -> None:
        """Every knob decides something, and is active wherever a directive takes its value."""
        used = {name for t in space.templates for name in (*t.knobs, *t.when.knobs)}
        used |= {name for k in space.knobs for name in k.when.knobs if k.name in used}
        for knob in space.knobs:
            if knob.name not in used:
                raise self.fail(("knobs", knob.name), "no directive depends on it")
        seen: dict[str, int] = {}
        for t in space.templates:
            i = seen[t.func] = seen.get(t.func, -1) + 1
            for name in t.knobs:
                if space.possible(t.when, _Inactive(name)):
                    raise self.fail(
                        ("funcs", t.func, i),
                        f"it takes ${name}, which is not active at every point where the directive is; "
                        "give the directive the knob's own `when`",
                    )

    def point(self, name: str, data: Mapping[str, Value], space: Space) -> Point:
        key = ("points", name)
        for knob, value in data.items():
            self.condition({knob: [value]}, {k.name: k for k in space.knobs}, key)
        made = space.nearest(data)
        for knob, value in data.items():
            if made.get(knob) != value:
                why = "is not active there" if knob not in made else "breaks a constraint"
                raise self.fail((*key, knob), f"{knob} = {value!r} {why}")
        return made


@dataclass(frozen=True)
class _Inactive:
    knob: str

    @property
    def knobs(self) -> tuple[str, ...]:
        return (self.knob,)

    def holds(self, point: Point) -> bool:
        return self.knob not in point


def _plain(error: Any) -> str:
    """A message of pydantic in this project's words where it speaks of its own."""
    if error["type"] == "extra_forbidden":
        return "unknown key"
    if error["type"] == "missing":
        return "it is missing"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, not {error['input']!r}"


def line_of(text: str, key: tuple[str | int, ...]) -> int | None:
    """The line (from 1) where a key path is written: its own, or that of the table around it; None where unclear."""
    lines = text.splitlines()
    best: int | None = None
    first, last = 0, len(lines)
    path: list[str] = []
    for at, part in enumerate(key):
        if isinstance(part, int):
            continue
        path.append(part)
        number = key[at + 1] if at + 1 < len(key) and isinstance(key[at + 1], int) else None
        header = re.compile(r"\s*\[{1,2}\s*" + r"\s*\.\s*".join(_spelled(p) for p in path) + r"\s*\]{1,2}")
        headers = [i for i, line in enumerate(lines) if header.match(line)]
        if headers:
            index = number if isinstance(number, int) and number < len(headers) else 0
            first = headers[index]
            after = (i for i in range(first + 1, len(lines)) if re.match(r"\s*\[", lines[i]) and "=" not in lines[i])
            last = next(after, len(lines))
            best = first
            continue
        assignment = re.compile(r"(?:^|[\s{,.])" + _spelled(part) + r"\s*=")
        found = next((i for i in range(first, last) if assignment.search(lines[i])), None)
        if found is not None:
            best = first = found
            if isinstance(number, int):
                items = [i for i in range(found, last) if "{" in lines[i]]
                best = first = items[number] if number < len(items) else found
    return None if best is None else best + 1


def _spelled(name: str) -> str:
    return f"[\"']?{re.escape(name)}[\"']?"
