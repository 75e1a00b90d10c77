"""Search space files: what they mean, and errors that name file, line and key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autosched.errors import SpaceError
from autosched.runtime.cpu import fingerprint
from autosched.schedule import Schedule
from autosched.shipped import shipped
from autosched.tune import space_file
from autosched.tune.space_file import load_space, parse_space

GOOD = """\
schema = 1
summary = "an example"

[knobs.fusion]
choices = ["root", "at"]
default = "at"

[knobs.rows]
choices = [1, 2, 4]
summary = "rows of a block"

[knobs.lanes]
choices = [8, 16]
when = { fusion = "at" }

[[constraints]]
forbid = { fusion = "root", rows = [2, 4] }
why = "it would be the same schedule"

[[constraints]]
when = { rows = 4 }
require = { lanes = 8 }

[[constraints]]
product = ["rows", "lanes"]
at_most = 32

[funcs]
blur = [
  { op = "compute_root", when = { fusion = "root" } },
  { op = "compute_at", func = "out", var = "yo", when = { fusion = "at" } },
  { op = "vectorize", var = "x", lanes = "$lanes", when = { fusion = "at" } },
]

[[funcs.out]]
op = "split"
var = "y"
outer = "yo"
inner = "yi"
factor = "$rows"

[[funcs.out]]
op = "reorder"
vars = ["yo", "yi", "x"]

[points.wide]
lanes = 16
rows = 2

[[workloads]]
name = "w1"
samples = { sizes = [[4, 4]] }

[[workloads]]
name = "w2"
settings = { deep = { x = 1 } }
tune = false
"""


def parse(text: str) -> None:
    parse_space(text, Path("spaces/example.toml"))


def test_good_file() -> None:
    file = parse_space(GOOD, Path("spaces/example.toml"))
    space = file.space
    assert space.name == "example"
    assert list(space.points()) == [
        {"fusion": "root", "rows": 1},
        {"fusion": "at", "rows": 1, "lanes": 8},
        {"fusion": "at", "rows": 1, "lanes": 16},
        {"fusion": "at", "rows": 2, "lanes": 8},
        {"fusion": "at", "rows": 2, "lanes": 16},
        {"fusion": "at", "rows": 4, "lanes": 8},
    ]
    assert space.named == {"wide": {"fusion": "at", "rows": 2, "lanes": 16}}
    split = Schedule().split("out", "y", "yo", "yi", 2).reorder("out", "yo", "yi", "x")
    assert space.schedule(space.named["wide"]) == split.compute_at("blur", "out", "yo").vectorize("blur", "x", 16)
    assert [w.name for w in file.workloads] == ["w1", "w2"]
    assert file.workload("w1").samples == {"sizes": [[4, 4]]} and file.workload("w1").tune
    assert file.workload("w2").settings == {"deep": {"x": 1}} and not file.workload("w2").tune
    with pytest.raises(SpaceError, match="has no workload 'w3'; did you mean w2 or w1"):
        file.workload("w3")


@pytest.mark.parametrize(("vendor", "rows"), [("intel", 4), ("amd", 1)])
def test_a_default_may_depend_on_who_made_the_cpu(vendor: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_file, "fingerprint", lambda: replace(fingerprint(), vendor=vendor))
    text = GOOD.replace("[1, 2, 4]", "[1, 2, 4]\ndefault_on = { intel = 4 }")
    assert parse_space(text, Path("spaces/example.toml")).space.default(None)["rows"] == rows


CHANGES = [
    ("not TOML", ("schema = 1", "schema = = 1"), r"example.toml: it is not TOML: .*line 1"),
    ("no schema", ("schema = 1\n", ""), r"example.toml: schema: it is missing"),
    ("newer schema", ("schema = 1", "schema = 2"), r"example.toml:1: schema: input should be 1, not 2"),
    ("unknown key", ("summary = \"an", "sumary = \"an"), r"example.toml:2: sumary: unknown key"),
    ("unknown key of a knob", ("default = ", "defualt = "), r"example.toml:6: knobs.fusion.defualt: unknown key"),
    ("default", ('default = "at"', 'default = "on"'), r"toml:6: knobs.fusion.default: 'on' is not one of"),
    ("default of a vendor", ('default = "at"', 'default = "at"\ndefault_on = { intel = "on" }'),
     r"toml:7: knobs.fusion.default_on.intel: 'on' is not one of"),
    ("point of another vendor", ('default = "at"', 'default = "at"\ndefault_on = { other = "root" }'),
     r"toml:48: points.wide.lanes: lanes = 16 is not active there"),
    ("default type", ("choices = [8, 16]", "choices = [0, 1]\ndefault = true"),
     r"toml:14: knobs.lanes.default: True is not"),
    ("mixed", ("[1, 2, 4]", '[1, "2", 4]'), r"toml:9: knobs.rows.choices: .* mixes types"),
    ("twice", ("[1, 2, 4]", "[1, 2, 2]"), r"toml:9: knobs.rows.choices: .* has a choice twice"),
    ("no choices", ("[1, 2, 4]", "[]"), r"toml:9: knobs.rows.choices: list should have at least 1 item"),
    ("float", ("[1, 2, 4]", "[1, 2.5]"), r"toml:9: knobs.rows.choices\[1\]: input should be"),
    ("condition on later", ("choices = [1, 2, 4]", "choices = [1, 2, 4]\nwhen = { lanes = 8 }"),
     r"toml:10: knobs.rows.when.lanes: there is no knob 'lanes' \(a knob is known below"),
    ("condition value", ('when = { fusion = "at" }\n\n', 'when = { fusion = "no" }\n\n'),
     r"toml:14: knobs.lanes.when.fusion: 'no' is not a choice of fusion, which has 'root', 'at'"),
    ("constraint kind", ("at_most = 32", "at_least = 32"), r"toml:26: constraints\[2\].at_least: unknown key"),
    ("constraint parts", ("at_most = 32\n", ""), r"toml:24: constraints\[2\]: product is not a kind of constraint"),
    ("constraint knob", ('product = ["rows", "lanes"]', 'product = ["rows", "lane"]'),
     r"toml:25: constraints\[2\].product: there is no knob 'lane' .*did you mean lanes"),
    ("constraint type", ('product = ["rows", "lanes"]', 'product = ["rows", "fusion"]'),
     r"toml:25: constraints\[2\].product: knob fusion is not a number"),
    ("no points", ("forbid = { fusion = \"root\", rows = [2, 4] }", 'forbid = { fusion = ["root", "at"] }'),
     r"toml:16: constraints: they leave no point at all"),
    ("directive", ('op = "split"', 'op = "spilt"'),
     r"toml:36: funcs.out\[0\].op: unknown directive 'spilt'; there are"),
    ("inline directive", ('"compute_root"', '"compute_rot"'), r"toml:30: funcs.blur\[0\].op: unknown directive"),
    ("argument", ('outer = "yo"', 'outr = "yo"'), r"toml:35: funcs.out\[0\]: .*unknown argument outr"),
    ("argument value", ('outer = "yo"', 'outer = "__import__(1)"'), r"toml:35: funcs.out\[0\]: .*outer must be a name"),
    ("missing argument", ('inner = "yi"\n', ""), r"toml:35: funcs.out\[0\]: .*missing argument inner"),
    ("choice for an argument", ("[1, 2, 4]", "[0, 2, 4]"),
     r"funcs.out\[0\]: with rows = 0: split of Func out: factor is 0"),
    ("knob of an argument", ('"$rows"', '"$row"'), r"toml:40: funcs.out\[0\].factor: there is no knob 'row'"),
    ("inactive knob", ('lanes = "$lanes", when = { fusion = "at" }', 'lanes = "$lanes"'),
     r"toml:32: funcs.blur\[2\]: it takes \$lanes, which is not active at every point"),
    ("unused knob", ('factor = "$rows"', "factor = 4"), r"toml:8: knobs.rows: no directive depends on it"),
    ("point", ("lanes = 16", "lanes = 12"), r"toml:\d+: points.wide.lanes: 12 is not a choice of lanes"),
    ("point against a constraint", ("lanes = 16\nrows = 2", "lanes = 16\nrows = 4"),
     r"points.wide.lanes: lanes = 16 breaks"),
    ("point inactive", ("lanes = 16\nrows = 2", 'fusion = "root"\nlanes = 8'),
     r"points.wide.lanes: .* is not active there"),
    ("workload name", ('name = "w1"', 'name = "../w1"'), r"workloads\[0\].name: string should match pattern"),
    ("workload twice", ('name = "w1"', 'name = "w2"'),
     r"toml:\d+: workloads\[1\].name: there are two workloads called 'w2'"),
    ("tune", ("tune = false", 'tune = "no"'), r"toml:\d+: workloads\[1\].tune: input should be a valid boolean"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_errors_name_file_line_and_key(change: tuple[str, str], message: str) -> None:
    old, new = change
    assert GOOD.count(old) >= 1
    with pytest.raises(SpaceError, match=message):
        parse(GOOD.replace(old, new, 1))


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"there is no search space .*none.toml"):
        load_space(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpaceError, match="cannot be read"):
        load_space(tmp_path / "bytes.toml")


def test_a_file_like_another(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(GOOD)
    path = tmp_path / "videos.toml"
    text = 'schema = 1\nlike = "other.toml"\n\n[[workloads]]\nname = "clip"\n'
    file, other = parse_space(text, path), load_space(tmp_path / "other.toml")
    assert file.space.name == "videos" and [w.name for w in file.workloads] == ["clip"]
    assert (file.space.knobs, file.space.templates) == (other.space.knobs, other.space.templates)
    assert file.space.constraints == other.space.constraints and file.space.count() == other.space.count()
    (tmp_path / "second.toml").write_text(text)
    for change, message in {
        ("other.toml", "another.toml"): r"videos.toml:2: like: there is no search space 'another.toml' in",
        ("other.toml", "../other.toml"): r"videos.toml:2: like: there is no search space '../other.toml' in",
        ("other.toml", "second.toml"): r"videos.toml:2: like: second.toml is like another itself",
        ("[[workloads]]", "[knobs.rows]\nchoices = [1]\n[[workloads]]"): r"videos.toml: knobs: a file with `like = "
        '"other.toml"` takes its knobs from other.toml; remove these',
    }.items():
        with pytest.raises(SpaceError, match=message):
            parse_space(text.replace(*change), path)


def test_shipped_spaces_are_valid() -> None:
    for path in shipped("search_spaces").glob("*.toml"):
        file = load_space(path)
        assert file.space.count() > 1 and file.workloads
