"""The commands around a search, on a small kernel: merge, space, ablate, report."""

from __future__ import annotations

import csv
import errno
import json
import shutil
from pathlib import Path

import blur_family
import pytest
from command import NAME, Command, png, record_file
from filelock import FileLock

from autosched.cli import searches
from autosched.cli.image_folder import ImageFolder
from autosched.records import key_here, read
from autosched.schedule import Schedule
from autosched.tune.matrix_file import kept
from autosched.vlm.load import load


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
    (places / "passwd.json").write_text("{}")
    said = autosched("merge", str(places / "passwd.json"))
    assert said.status == 2 and said.err.rstrip().endswith("'records'); leave it out")


def test_merging_says_what_is_kept(autosched: Command, places: Path) -> None:
    """The record that wins over another with its key, and that a file has everything already."""
    for trials, out in (("4", "long"), ("3", "short")):
        autosched("tune", NAME, "--trials", trials, "-t", "1", "--out", str(places / out))
        shutil.rmtree(places / "state")
    long, short, to = record_file(places, "long"), record_file(places, "short"), record_file(places, "all")
    autosched("merge", str(long), "--out", str(places / "all"))
    before = to.read_bytes()
    said = autosched("merge", str(short), "--out", str(places / "all"))
    kept, unchanged, _ = said.out.splitlines()
    assert (
        kept.startswith("kept for bucket small, 1 thread: small (4 schedules, ")
        and f" from {to}, not small (3 " in kept
    )
    assert kept.endswith(f"from {short}") and unchanged == f"nothing is new to {to}" and to.read_bytes() == before
    said = autosched("merge", str(short), str(long), "--out", str(places / "other"))
    kept, written, _ = said.out.splitlines()
    assert f" from {long}, not small (3 schedules" in kept and written == f"written to {record_file(places, 'other')}"


def test_merging_a_directory_takes_its_records_alone(autosched: Command, places: Path) -> None:
    """What else is in it is skipped and named; a file that is named has to be one of records."""
    autosched("tune", NAME, "--trials", "3", "-t", "1", "--out", str(places / "node"))
    others = [places / "node" / name for name in ("broken.json", "kernels/outline.json", "list.json")]
    (places / "node" / "kernels").mkdir()
    for path, text in zip(others, ("{", '{"schema": 1}', "[]"), strict=True):
        path.write_text(text)
    to = record_file(places, "all")
    said = autosched("merge", str(places / "node"), "--out", str(places / "all"), "--dry-run")
    assert said.out.splitlines() == [f"would be written to {to}", "1 record from 1 file"] and not to.parent.exists()
    said = autosched("merge", str(places / "node"), "--out", str(places / "all"))
    assert (
        said.status == 0 and said.err == f"skipped, for they are no files of records: {', '.join(map(str, others))}\n"
    )
    assert said.out.splitlines() == [f"written to {to}", "1 record from 1 file"] and len(read(to)) == 1
    said = autosched("merge", str(places / "node"), str(others[0]))
    assert said.status == 2 and "broken.json cannot be merged: it is not JSON" in said.err
    record_file(places, "node").unlink()
    said = autosched("merge", str(places / "node"))
    assert said.status == 2 and "node has no files of records (*.json); skipped were 3 other files" in said.err


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
    assert said.out == f"written to {path}; it is of small, -w makes one of large\n"
    named = autosched("report", NAME, "-t", "1", "-w", "small", "--out", str(path))
    assert named.out == f"written to {path}\n"
    text = path.read_text()
    assert "<h1>blur-test, small, 1 thread</h1>" in text and f"{record.times.speedup.median:.2f}" in text
    for part in ("answered by: exact", "best so far", ">Importance of knobs</h2>", "def stage_", "autosched ablate"):
        assert part in text, part
    assert "src=" not in text and "<script" not in text and "<link" not in text
    assert text.count("<svg") == 2 and "<code>autosched tune blur-test</code> on several workloads makes it" in text
    assert "no schedule that was timed" in text.lower() and "trial" in text[text.index("Time and memory") :]
    autosched("ablate", NAME, "-t", "1", "-k", "lanes", "--time-budget", "50ms", "--out", str(places))
    autosched("report", NAME, "-t", "1", "--out", str(path), "--ablation", str(places))
    assert path.read_text().count("<svg") == 3
    (places / "blur-test-small-1.csv").write_text("a,b\n1,2\n")
    said = autosched("report", NAME, "-t", "1", "--out", str(path), "--ablation", str(places))
    assert said.status == 2 and "is not a table of `autosched ablate`" in said.err


def test_a_report_of_a_search_whose_record_is_another_ones(
    autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said of either names its workload; a page that cannot be written whole leaves the old one."""
    pictures = places / "pictures"
    pictures.mkdir()
    (pictures / "0.png").write_bytes(png())
    said = autosched("report", NAME, "-t", "1", "--images", str(pictures))
    assert f"`autosched tune blur-test --images {pictures} -t 1` does it" in said.err
    autosched("tune", NAME, "--trials", "5", "-t", "1")
    autosched("tune", NAME, "--images", str(pictures), "--trials", "3", "-t", "1")
    page = places / "page.html"
    arguments = ("report", NAME, "-t", "1", "--images", str(pictures), "--out", str(page))
    assert autosched(*arguments).status == 0
    text = page.read_text()
    label = ImageFolder.read(pictures).label
    assert " ms</b> per item of small, " in text and f"the search on {label} timed 3 schedules" in text
    assert "<td>small: 5 schedules tried, " in text

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    said = autosched(*arguments)
    assert said.status == 2 and f"--out {page} cannot be written: No space left on device" in said.err
    assert page.read_text() == text


def test_another_search_is_named_as_its_user_does(autosched: Command, places: Path) -> None:
    autosched("tune", NAME, "--trials", "3", "-t", "1")
    (lock,) = (places / "state" / "studies").glob(".*.lock")
    with FileLock(lock):
        for command in ("tune", "report"):
            said = autosched(command, NAME, "-t", "1")
            assert said.status == 2
            assert "error: another `autosched tune` works on blur-test, small; wait for it, or end it\n" in said.err
        said = autosched("ablate", NAME, "-t", "1", "-k", "lanes", "--time-budget", "50ms", "--out", str(places))
        assert "importances are left out: another `autosched tune` works on blur-test, small" in said.err


def test_time_and_memory(autosched: Command, places: Path) -> None:
    """nsga2 has a study of its own; what it trades is printed with the final, and in the report."""
    said = autosched("tune", NAME, "--trials", "16", "-t", "1", "--sampler", "nsga2", "--seed", "1")
    assert said.status == 0, said.err
    (line,) = [line for line in said.out.splitlines() if line.startswith("no other is faster and needs less memory: ")]
    rows = {line.split("  ")[0].removesuffix(" *"): line for line in said.out.splitlines() if "[" in line}
    traded = line.partition(": ")[2].split("; ")
    assert set(traded) <= rows.keys() and any(" 0" in rows[label] for label in traded)  # some need none
    page = places / "page.html"
    said = autosched("report", NAME, "-t", "1", "--out", str(page), "--ablation", str(places))
    assert said.status == 0, said.err
    text = page.read_text()
    section = text[text.index('">Time and memory</h2>') : text.index('">Importance of knobs</h2>')]
    assert "<svg" in section and "as JSON" in section and "time over the default" in section


def test_several_workloads(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the searches the best of each are timed on all workloads, and what serves all of them is recorded."""
    monkeypatch.setattr(searches, "COMPARE_SECONDS", 0.1)
    arguments = ("-w", "small", "-w", "large", "-t", "1")
    said = autosched("tune", NAME, *arguments, "--trials", "8")
    assert said.status == 0, said.err
    assert "blur-test, all workloads:" in said.out and "within 3 % of the best of each workload" in said.out
    records = {r.key.bucket.name: r for r in read(record_file(places))}
    assert records.keys() == {"small", "large"}
    for bucket, record in records.items():
        assert record.losses is not None and record.losses.keys() == {bucket}
        assert record.search.workload == bucket and record.search.trials == 8 and record.search.rounds >= 7
        assert record.losses[bucket] <= 0.03
    loaded = {bucket: load(NAME, bucket=bucket, threads=1) for bucket in records}
    found = kept("blur-test", key_here(blur_family.pipeline(), loaded["small"].bucket, 1))
    assert found is not None and found.serves.keys() == records.keys()
    for bucket, tuned in loaded.items():
        assert tuned.answer.rung == "exact" and tuned.schedule == records[bucket].schedule
        assert tuned.schedule == found.matrix.schedules[found.serves[bucket]]
    assert len({r.schedule for r in records.values()}) == len(found.kept)
    for row in found.matrix.rows.values():
        assert len(row.times) >= 2 and row.default in row.times

    page = places / "page.html"
    autosched("report", NAME, "-t", "1", "--out", str(page), "--ablation", str(places))
    text = page.read_text()
    assert 'class="served"' in text and "slower than the best of each workload by" in text
    assert all(label in text for label in found.schedules)


def test_workloads_of_one_bucket(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They get one record together, with the trials of both and what it loses on each."""
    monkeypatch.setattr(searches, "COMPARE_SECONDS", 0.1)
    path = places / "search_spaces" / "blur-test.toml"
    path.write_text(path.read_text() + '\n[[workloads]]\nname = "tiny"\nsamples = { sizes = [[30, 40]] }\n')
    said = autosched("tune", NAME, "--trials", "6", "-t", "1")
    assert said.status == 0, said.err
    (record,) = read(record_file(places))
    assert record.key.bucket.name == "small" and record.search.trials == 12
    assert record.losses is not None and record.losses.keys() == {"small", "tiny"}
    assert record.search.workload in record.losses and " for small (small, tiny)" in said.out


def test_matrix(autosched: Command, places: Path) -> None:
    """Each bucket's schedule and the default on each workload, how few would do, and records of those."""
    arguments = ("-w", "small", "-w", "large", "-t", "1")
    for workload in ("small", "large"):
        autosched("tune", NAME, "-w", workload, "-t", "1", "--trials", "6")
    records = read(record_file(places))
    assert all(r.losses is None for r in records)
    said = autosched("matrix", NAME, *arguments, "--time-budget", "100ms", "--write")
    assert said.status == 0, said.err
    assert "written to" in said.out
    written = {r.key.bucket.name: r for r in read(record_file(places))}
    assert all(r.losses is not None and r.search.trials == 6 for r in written.values())
    kept_before = {r.schedule for r in records} | {Schedule()}
    assert {r.schedule for r in written.values()} <= kept_before
    said = autosched("matrix", NAME, *arguments, "--time-budget", "100ms")
    assert said.status == 0 and "written" not in said.out
    records = read(record_file(places))
    lines = said.out.splitlines()
    labels = {line.split("  ")[0] for line in lines[1:] if "(+" in line}
    assert labels <= {"default", "tuned for small", "tuned for large"} and "default" in labels
    assert len(labels) == len({r.schedule for r in records} | {Schedule()})
    assert lines[0].split() == ["schedule", "small,", "ms", "large,", "ms"]
    assert any("within 3 % of the best of each workload" in line for line in lines)
    key = key_here(blur_family.pipeline(), blur_family.FAMILY.buckets[0], 1)
    shown = kept("blur-test", key)
    autosched("matrix", NAME, "-w", "small", "-t", "1", "--time-budget", "100ms")
    assert kept("blur-test", key) == shown and shown is not None and shown.rows.keys() == {"small", "large"}
    last = " ".join(line for line in lines if " for small (small)" in line or "large (large)" in line)
    assert "small" in last and "large" in last
    said = autosched("matrix", NAME, "-t", "3", "--write", "--time-budget", "100ms")
    assert said.status == 2 and "has no record of this machine to write to; `autosched tune blur-test`" in said.err
    pictures = places / "pictures"
    pictures.mkdir()
    (pictures / "0.png").write_bytes(png())
    autosched("tune", NAME, "--images", str(pictures), "-t", "1", "--trials", "9")
    said = autosched("matrix", NAME, *arguments, "--time-budget", "100ms", "--write")
    label = ImageFolder.read(pictures).label
    assert f"record of bucket small stays as it is: it was tuned on {label}, which this" in said.err
    assert label in {r.search.workload for r in read(record_file(places))}
    said = autosched("matrix", NAME, "-w", "small", "-t", "1", "--time-budget", "100ms", "--write")
    assert said.status == 2 and "no record is of the workloads of this matrix alone" in said.err
    said = autosched("matrix", NAME, "--within", "3")
    assert said.status == 2 and "--within is 3.0; it must be at least 0 and less than 1, 0.03 for 3 %" in said.err
