"""Merging is a pure function of the set of records."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from record_data import Make, data

from autosched.records import Record, merge

records = st.builds(
    lambda threads, bucket, trials, rounds, speedup, when: Record.model_validate(
        data(
            key__threads=threads,
            key__bucket={"name": bucket, "measures": {}},
            search__trials=trials,
            search__rounds=rounds,
            times__speedup={"median": speedup, "low": 1.0, "high": 9.0},
            origin__when=f"2026-01-0{when}T00:00:00Z",
        )
    ),
    st.sampled_from([1, 2]),
    st.sampled_from(["a", "b"]),
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from([1.0, 2.0]),
    st.integers(1, 3),
)
groups = st.lists(records, max_size=6)


@given(groups, groups, groups)
@settings(max_examples=60, deadline=None)
def test_order_and_grouping_do_not_matter(a: list[Record], b: list[Record], c: list[Record]) -> None:
    whole = merge(a, b, c)
    assert merge(c, merge(b, a)) == whole
    assert merge(merge(a, b), merge(c, a)) == whole
    assert merge(whole, whole) == whole
    assert {r.key.model_dump_json() for r in whole} == {r.key.model_dump_json() for r in (*a, *b, *c)}
    assert len(whole) == len({r.key.model_dump_json() for r in whole})


def test_what_wins(make: Make) -> None:
    base = make()
    for better in (
        make(search__trials=51, times__speedup={"median": 1.0, "low": 1.0, "high": 1.0}),
        make(losses={"w1": 0.0, "w2": 0.03}, search__rounds=1),
        make(search__rounds=10, origin__when="2025-01-01T00:00:00Z"),
        make(times__speedup={"median": 3.1, "low": 3.0, "high": 3.2}),
        make(origin__when="2026-01-02T03:04:06Z"),
    ):
        assert merge([base], [better]) == merge([better], [base]) == (better,)


def test_order_of_measures_is_not_part_of_the_key(make: Make) -> None:
    swapped = make(key__bucket={"name": "medium", "measures": {"scale": 1, "pixels": 1000000}})
    assert len(merge([make()], [swapped])) == 1
