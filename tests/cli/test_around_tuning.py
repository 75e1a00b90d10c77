"""The commands around a search, on a small kernel: merge, space, ablate, report."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from command import NAME, Command, png, record_file

from autosched.records import read
from autosched.schedule import Schedule


def test_merge(autosched: Command, places: Path) -> None:
    """From other machines and older versions; twice is as good as once, and a broken file changes nothing."""
    for threads in ("1", "2"):
        autosched("tune", NAME, "--trials", "3", "-t", threads, "--out", str(places / f"node{threads}"))
    old = json.loads(record_file(places, "node1").read_text())
    for record in old["records"]:
        del record["machine"]
    record_file(places, "node1").write_text(json.dumps({**old, "schema": 1}))
    both = [str(places / "node1"), str(record_file(places, "node2"))]
    said = autosched("merge", *both, "--out", str(places / "all"))
    assert said.status == 0, said.err
    assert said.out.splitlines() == [f"written to {record_file(places, 'all')}", "2 records from 2 files"]
    assert sorted(r.key.threads for r in read(record_file(places, "all"))) == [1, 2]
    before = record_file(places, "all").read_bytes()
    autosched("merge", *reversed(both), "--out", str(places / "all"))
    assert record_file(places, "all").read_bytes() == before

    record_file(places, "node2").write_text("{}")
    said = autosched("merge", *both)
    assert said.status == 2 and "cannot be merged: it is not a file of tuned records" in said.err
    assert "`autosched tune blur-test` writes it anew" in said.err and not record_file(places).exists()


def test_space(autosched: Command, places: Path) -> None:
    said = autosched("space", NAME, "--samples", "2")
    assert said.status == 0, said.err
    assert said.out.startswith("blur-test: 24 points of 3 knobs, space ")
    lines = said.out.splitlines()
    assert "  rows: root* at inline" in lines
    assert "  not (rows is inline and block is 16)" in lines
    assert '  wide: {"rows": "at", "block": 8, "lanes": 32}' in lines
    points = [json.loads(line) for line in lines[lines.index("samples") + 1 :]]
    assert len(points) == 2 and all(point.keys() == {"rows", "block", "lanes"} for point in points)
    assert autosched("space", NAME, "--seed", "1").out != autosched("space", NAME).out


def test_without_a_space_file(autosched: Command, places: Path) -> None:
    """The space is derived from the algorithm, and tuned on images of the user's."""
    (places / "search_spaces" / "blur-test.toml").unlink()
    said = autosched("space", NAME, "--samples", "1")
    assert said.status == 0 and "  rows_at: inline* root strip tile row sliding" in said.out.splitlines()
    assert "has no workload; name some images with --images DIR" in autosched("tune", NAME).err
    (places / "pictures").mkdir()
    (places / "pictures" / "0.png").write_bytes(png())
    said = autosched("tune", NAME, "--images", str(places / "pictures"), "--trials", "5", "-t", "1")
    assert said.status == 0, said.err
    assert "5 schedules timed" in said.out and len(read(record_file(places))) == 1


def test_ablate(autosched: Command, places: Path) -> None:
    """Every directive of the tuned schedule, every other choice of every knob, and importances after a search."""
    out = places / "ablation"
    said = autosched("ablate", NAME, "--time-budget", "100ms", "-t", "1", "--out", str(out))
    assert said.status == 0, said.err
    assert "schedule: built-in default" in said.out and "share" not in said.out
    rows = list(csv.DictReader((out / "blur-test-small-1.csv").open()))
    assert {r["part"] for r in rows} == {"one-at-a-time"}  # the default of this family has no directives
    assert {r["what"] for r in rows} == {
        "rows = at", "rows = inline", "block = 8", "block = 16", "lanes = 16", "lanes = 32",
    }  # fmt: skip
    assert all(r["kind"] == "ok" and float(r["low"]) <= float(r["ratio"]) <= float(r["high"]) for r in rows)
    assert (out / "blur-test-small-1.png").read_bytes().startswith(b"\x89PNG")

    autosched("tune", NAME, "--trials", "22", "-t", "1", "--sampler", "random")
    (record,) = read(record_file(places))
    said = autosched("ablate", NAME, "--time-budget", "100ms", "-t", "1", "--out", str(out))
    assert "schedule: exact" in said.out and "share" in said.out
    rows = list(csv.DictReader((out / "blur-test-small-1.csv").open()))
    left_out = [r for r in rows if r["part"] == "leave-one-out"]
    assert len(left_out) == sum(map(len, record.schedule.funcs.values()))
    assert {r["what"] for r in rows if r["part"] == "importance"} <= {"rows", "block", "lanes"}

    said = autosched("ablate", NAME, "-k", "lanes", "--time-budget", "50ms", "-t", "1", "--out", str(out))
    rows = list(csv.DictReader((out / "blur-test-small-1.csv").open()))
    assert {r["what"] for r in rows if r["part"] != "importance"} == {"lanes = 16", "lanes = 32"}
    said = autosched("ablate", NAME, "-k", "lane", "--out", str(out))
    assert said.status == 2 and "has no knob 'lane'; it has block, lanes, rows" in said.err


def test_report(autosched: Command, places: Path) -> None:
    """One page without links to anything: what was found, how, and the code."""
    said = autosched("report", NAME, "-t", "1")
    assert said.status == 2 and "`autosched tune blur-test -w small -t 1` does it" in said.err
    autosched("tune", NAME, "--trials", "20", "-t", "1", "--sampler", "random")
    (record,) = read(record_file(places))
    path = places / "page.html"
    said = autosched("report", NAME, "-t", "1", "--out", str(path), "--ablation", str(places))
    assert said.status == 0, said.err
    text = path.read_text()
    assert "<h1>blur-test, small, 1 thread</h1>" in text and f"{record.times.speedup.median:.2f}" in text
    for part in ("answered by: exact", "best so far", "<h2>Importance of", "def stage_", "autosched ablate blur-test"):
        assert part in text, part
    assert "src=" not in text and "<script" not in text and "<link" not in text
    assert text.count("<svg") == 1
    autosched("ablate", NAME, "-t", "1", "-k", "lanes", "--time-budget", "50ms", "--out", str(places))
    autosched("report", NAME, "-t", "1", "--out", str(path), "--ablation", str(places))
    assert path.read_text().count("<svg") == 2
    (places / "blur-test-small-1.csv").write_text("a,b\n1,2\n")
    said = autosched("report", NAME, "-t", "1", "--out", str(path), "--ablation", str(places))
    assert said.status == 2 and "is not a table of `autosched ablate`" in said.err


def test_matrix(autosched: Command, places: Path) -> None:
    """Each bucket's schedule and the default on each workload, and how few would do."""
    arguments = ("-w", "small", "-w", "large", "-t", "1")
    autosched("tune", NAME, *arguments, "--trials", "6")
    records = read(record_file(places))
    said = autosched("matrix", NAME, *arguments, "--time-budget", "100ms")
    assert said.status == 0, said.err
    lines = said.out.splitlines()
    labels = {line.split("  ")[0] for line in lines[1:] if "(+" in line}
    assert labels <= {"default", "tuned for small", "tuned for large"} and "default" in labels
    assert len(labels) == len({r.schedule for r in records} | {Schedule()})
    assert lines[0].split() == ["schedule", "small,", "ms", "large,", "ms"]
    assert any("within 3 % of the best of each workload" in line for line in lines)
    last = " ".join(line for line in lines if " for small" in line or " for large" in line or ", large" in line)
    assert "small" in last and "large" in last
    said = autosched("matrix", NAME, "--within", "3")
    assert said.status == 2 and "--within is 3.0; it must be at least 0 and less than 1, 0.03 for 3 %" in said.err
