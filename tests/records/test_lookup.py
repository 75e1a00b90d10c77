"""The ladder: what every field of the key does, and what the explanation says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from record_data import Make

from autosched.records import Located, Record, lookup
from autosched.schedule import Schedule


def located(*records: Record) -> list[Located]:
    return [Located(r, Path("tuned/x.json")) for r in records]


#: A change of each field of the key, and the rung that the record then answers on.
FIELDS: list[tuple[str, Any, str]] = [
    ("key__algorithm", "b" * 64, "built-in default"),
    ("key__autosched", "0.2.0", "same CPU class"),
    ("key__cpu__architecture", "aarch64", "built-in default"),
    ("key__cpu__vendor", "intel", "same instruction set"),
    ("key__cpu__family", 26, "same instruction set"),
    ("key__cpu__model", 18, "same instruction set"),
    ("key__cpu__features", ["avx2"], "built-in default"),
    ("key__cpu__features", ["avx512vbmi", "avx512vnni", "avx2"], "same instruction set"),
    ("key__cpu__l1d", 49152, "same CPU class"),
    ("key__cpu__l2", 2 << 20, "same CPU class"),
    ("key__cpu__l3", 16 << 20, "same CPU class"),
    ("key__threads", 4, "same CPU class"),
    ("key__bucket__name", "large", "same CPU class"),
    ("key__bucket__measures", {"pixels": 2e6, "scale": 1.0}, "same CPU class"),
    ("key__bucket__measures", {"pixels": 1e6, "scale": 2.1}, "built-in default"),
    ("key__bucket__measures", {"other": 1.0}, "built-in default"),
]


@pytest.mark.parametrize(("field", "value", "rung"), FIELDS, ids=[f[0] + "=" + str(f[1])[:12] for f in FIELDS])
def test_every_field_of_the_key_counts(make: Make, field: str, value: Any, rung: str) -> None:
    answer = lookup(make().key, located(make(**{field: value})))
    assert answer.rung == rung
    assert (answer.schedule is None) == (rung == "built-in default")
    assert not answer.steps[0].answered and answer.steps[0].why


OTHERS = [
    ("schedule", Schedule().to_data()),
    ("search__trials", 1),
    ("search__space", "other"),
    ("search__workload", "other"),
    ("times__noise", 0.5),
    ("origin__numba", "0.69"),
    ("machine", {"cpus": 4, "load": 3.0}),
    ("losses", {"w1": 0.0, "w2": 0.02}),
    ("search__conditions", "cold-source"),
    ("search__rounds", 1),
    ("search__seconds", 1.0),
    ("search__kernel", "siglip"),
    ("times__schedule__median", 7.0),
    ("times__default__median", 7.0),
    ("times__speedup__median", 7.0),
    ("origin__python", "3.13.0"),
    ("origin__llvmlite", "0.51.0"),
    ("origin__when", "2020-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("field", "value"), OTHERS, ids=[f[0] for f in OTHERS])
def test_nothing_else_counts(make: Make, field: str, value: Any) -> None:
    answer = lookup(make().key, located(make(**{field: value})))
    assert answer.rung == "exact"
    assert [s.answered for s in answer.steps] == [True]


def test_all_fields_are_tested() -> None:
    from autosched.records.model import BucketKey, CpuKey, Key, Origin, Search, Times

    tested = {f[0].split("__")[-1] for f in FIELDS}
    others = {f[0].split("__")[0] for f in OTHERS}
    assert others == {*Record.model_fields} - {"key"}
    assert {f[0].split("__")[1] for f in OTHERS if "__" in f[0]} == {
        *Search.model_fields, *Times.model_fields, *Origin.model_fields
    }  # fmt: skip
    assert tested == ({*Key.model_fields, *CpuKey.model_fields, *BucketKey.model_fields} - {"cpu", "bucket"})


def test_no_other_bucket_is_near_where_the_default_is_one_for_the_bucket(make: Make) -> None:
    near = make(key__bucket={"name": "x", "measures": {"pixels": 1.5e6, "scale": 1.0}})
    wanted = make(key__bucket={"name": "w", "measures": {"pixels": 1.4e6, "scale": 1.0}}, key__threads=1)
    answer = lookup(wanted.key, located(near), by_bucket=True)
    assert answer.rung == "built-in default" and "nearest record: bucket is x, wanted w" in answer.explain()
    assert lookup(wanted.key, located(near)).rung == "same CPU class"
    threads = make(key__bucket={"name": "w", "measures": {"pixels": 1.4e6, "scale": 1.0}}, key__threads=4)
    found = lookup(wanted.key, located(near, threads), by_bucket=True).located
    assert found is not None and found.record == threads


def test_nearest_bucket_then_threads(make: Make) -> None:
    near = make(key__bucket={"name": "x", "measures": {"pixels": 1.5e6, "scale": 1.0}}, key__threads=1)
    less = make(key__bucket={"name": "y", "measures": {"pixels": 2.7e6, "scale": 1.0}})
    far = make(key__bucket={"name": "f", "measures": {"pixels": 9e6, "scale": 0.5}})
    unknown = make(key__bucket={"name": "z", "measures": {}})
    wanted = make(key__bucket={"name": "w", "measures": {"pixels": 1.4e6, "scale": 1.0}}).key
    for order in ([near, less, far, unknown], [unknown, far, less, near]):
        found = lookup(wanted, located(*order)).located
        assert found is not None and found.record == near
    answer = lookup(wanted, located(far, unknown))
    assert answer.rung == "built-in default" and "nearest record: bucket is f, wanted w" in answer.explain()
    four = make(key__threads=4)
    found = lookup(make(key__threads=5).key, located(make(key__threads=1), four, make(key__threads=16))).located
    assert found is not None and found.record == four


def test_own_directory_is_preferred_among_equals(make: Make) -> None:
    shipped = Located(make(search__trials=1000), Path("shipped.json"), place=1)
    own = Located(make(search__trials=10), Path("own.json"), place=0)
    assert lookup(make().key, [shipped, own]).located == own


def test_illegal_schedule_is_passed_over(make: Make) -> None:
    good, bad = make(key__threads=4), make()
    wrong = {bad.schedule: "there is no loop y"}
    good = make(key__threads=4, schedule=Schedule().to_data())
    answer = lookup(bad.key, located(bad, good), lambda s: wrong.get(s))
    assert answer.rung == "same CPU class" and answer.schedule == Schedule()
    assert "there is no loop y" in answer.explain()
    assert lookup(bad.key, located(bad), lambda s: wrong.get(s)).rung == "built-in default"


def test_explanation_names_rung_file_and_field(make: Make) -> None:
    text = lookup(make().key, located(make(key__threads=2))).explain()
    assert text.splitlines() == [
        "answered by: same CPU class (tuned/x.json)",
        "  exact:                 no, nearest record: threads is 2, wanted 8",
        "  same CPU class:        yes, threads is 2, wanted 8",
    ]
    nothing = lookup(make().key, []).explain()
    assert nothing.startswith("answered by: built-in default\n")
    assert nothing.count("there are no records of this pipeline") == 3
    assert lookup(make().key, [], passed_over=1).explain().count("no, 1 file of its records was passed over") == 3
    assert (
        "2 files of its records were passed over (see the warning)" in lookup(make().key, [], passed_over=2).explain()
    )
    other = lookup(make().key, located(make(key__algorithm="b" * 64))).explain()
    assert "algorithm is bbbbbbbbbbbb, wanted aaaaaaaaaaaa" in other
