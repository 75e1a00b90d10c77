"""The commands on a small kernel: what they print, write and read."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import blur_family
import numpy as np
import pytest
from command import NAME, Command, png, record_file
from PIL import Image

from autosched import hf
from autosched.cache import cache_directory
from autosched.cli.image_folder import ImageFolder
from autosched.cli.options import duration
from autosched.errors import ArgumentError
from autosched.lang import Pipeline
from autosched.records import read
from autosched.vlm import registry


def test_help_and_version(autosched: Command) -> None:
    for arguments in ([], ["--help"]):
        said = autosched(*arguments)
        assert said.status == 0 and "Usage: autosched" in said.out
        assert all(name in said.out for name in ("tune", "list", "show", "bench", "explain", "space", "merge"))
    assert autosched("--version").out.startswith("autosched 0.")
    assert "--time-budget" in autosched("tune", "--help").out


def test_tune_then_look_at_it(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = autosched("list")
    assert said.status == 0 and NAME in said.out and "built-in default" in said.out and "3x3 box blur" in said.out

    assert "`autosched tune blur-test` makes a record" in autosched("explain", NAME, "--bucket", "small").out

    said = autosched("tune", NAME, "--trials", "4", "--threads", "1")
    assert said.status == 0, said.err
    assert "bucket small, small: 4 schedules timed" in said.out and " *" in said.out
    assert "times the default's speed" in said.out and "noise" in said.out
    (record,) = read(record_file(places))
    assert str(record_file(places)) in said.out
    assert record.key.bucket.name == "small" and record.search.workload == "small" and record.search.trials == 4

    assert record.machine is not None and record.search.conditions == "warm"
    said = autosched("tune", NAME, "--trials", "5", "--threads", "1", "--preset", "standard", "--sampler", "random")
    assert "5 schedules timed (4 before)" in said.out
    (record,) = read(record_file(places))
    assert record.search.trials == 5

    said = autosched("explain", NAME, "--threads", "1")
    assert "answered by: exact" in said.out and str(record_file(places)) in said.out
    assert "bucket is small, wanted large" in said.out and "falls in this bucket" in said.out
    large = autosched("explain", NAME, "--bucket", "large", "-t", "1").out
    assert "no usual workload falls in this bucket; `autosched tune blur-test --images DIR` with images of" in large
    assert "exact" in autosched("explain", NAME, "--bucket", "small", "-t", "1").out
    assert "threads is 1, wanted 2" in autosched("explain", NAME, "--bucket", "small", "-t", "2").out

    other = dataclasses.replace(blur_family.FAMILY, name="blur-other")
    assert record.search.kernel == NAME and "tuned with" not in said.out
    monkeypatch.setattr(registry, "_families", {NAME: blur_family.FAMILY, "blur-other": other})
    assert f"  tuned with {NAME}, recorded 20" in autosched("explain", "blur-other", "--bucket", "small", "-t", "1").out

    said = autosched("show", NAME, "--threads", "1", "--level", "json")
    assert json.loads(said.out) == json.loads(json.dumps(record.schedule.to_data()))


def test_tune_workloads_images_and_out(autosched: Command, places: Path) -> None:
    said = autosched(
        "tune", NAME, "-w", "small", "-w", "large", "--trials", "3", "-t", "1", "--out", str(places / "other")
    )
    assert said.status == 0, said.err
    assert sorted(r.key.bucket.name for r in read(record_file(places, "other"))) == ["large", "small"]
    assert not (places / "tuned").exists()
    pictures = places / "pictures"
    pictures.mkdir()
    for i in range(2):
        noise = np.random.default_rng(i).integers(0, 256, (30, 41, 3), np.uint8)
        Image.fromarray(noise).save(pictures / f"{i}.png")
    (pictures / "notes.txt").write_text("not an image")
    said = autosched("tune", NAME, "--images", str(pictures), "--trials", "3", "-t", "1")
    label = ImageFolder.read(pictures).label
    assert said.status == 0 and f"bucket small, {label}:" in said.out and label.startswith("images-pictures-")
    assert said.err.splitlines()[0] == f"2 images of {pictures}; skipped, for they are no images: notes.txt"
    assert [r.search.workload for r in read(record_file(places))] == [label]


def test_a_less_rigorous_search_is_recorded_when_that_is_asked_for(autosched: Command, places: Path) -> None:
    pictures = places / "pictures"
    pictures.mkdir()
    (pictures / "0.png").write_bytes(png())
    autosched("tune", NAME, "-w", "small", "--trials", "5", "-t", "1")
    before = record_file(places).read_bytes()
    again = ("tune", NAME, "--images", str(pictures), "--trials", "3", "-t", "1")
    said = autosched(*again)
    assert said.status == 0 and "written to" not in said.out and record_file(places).read_bytes() == before
    last = said.out.splitlines()[-1]
    assert last.startswith("kept the record of small (5 schedules, ") and "this search (3 schedules, " in last
    assert last.endswith("was less rigorous; --replace writes it")
    said = autosched(*again, "--replace")
    assert said.status == 0 and said.out.endswith(f"written to {record_file(places)}\n")
    (record,) = read(record_file(places))
    assert record.search.workload.startswith("images-pictures") and record.search.trials == 3


def test_what_is_tuned_is_said_of_buckets(autosched: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """By `list` of how many, by `show` of the one that it takes."""
    monkeypatch.setenv("AUTOSCHED_NUM_THREADS", "1")
    assert autosched("show", NAME).err == "blur-test, bucket small, 1 thread: built-in default\n"
    autosched("tune", NAME, "-w", "large", "--trials", "3")
    assert re.search(r"^blur-test +tuned for 1 of 2 buckets  ", autosched("list").out, re.MULTILINE)
    said = autosched("show", NAME)
    note = "blur-test, bucket small, 1 thread: built-in default; tuned are also large, which --bucket shows\n"
    assert said.err == note and "bucket" not in said.out
    assert autosched("show", NAME, "--bucket", "large").err == "blur-test, bucket large, 1 thread: exact\n"
    assert autosched("show", NAME, "-s", "v1").err == ""


def test_what_makes_times_uncertain_is_warned_of(autosched: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """More threads than CPUs before the search; that nothing was searched for when it is over."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    said = autosched("tune", NAME, "--trials", "1", "--threads", "2")
    first = "warning: 2 threads will share 1 CPUs, and their times be uncertain; --threads 1 has one for each"
    assert said.status == 0 and said.err.splitlines()[0] == first
    assert said.err.count("2 threads") == 1  # once
    assert "the search was over before any schedule but the built-in ones" in said.err
    said = autosched("tune", NAME, "--trials", "5", "--threads", "1")
    assert "will share" not in said.err and "the search was over" not in said.err


def test_show(autosched: Command, places: Path) -> None:
    assert "vectorized x_vi x16" in autosched("show", NAME, "--schedule", "v3").out
    assert "produce rows:" in autosched("show", NAME, "-s", "v1").out
    assert "produce rows:" not in autosched("show", NAME).out
    assert "def stage_" in autosched("show", NAME, "-s", "v3", "--level", "source").out
    assert re.search(r"^define .*stage_blur", autosched("show", NAME, "-s", "v3", "-l", "llvm").out, re.MULTILINE)
    assert ".section" in autosched("show", NAME, "-s", "v3", "-l", "asm").out
    text = autosched("show", NAME, "-s", "v3", "-l", "json").out
    (places / "mine.json").write_text(text)
    assert autosched("show", NAME, "-s", str(places / "mine.json"), "-l", "json").out == text


def test_bench(autosched: Command) -> None:
    said = autosched("bench", NAME, "--time-budget", "50ms", "-t", "1")
    assert said.status == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("blur-test, small, bucket small, 1 thread,") and "built-in default" in lines[0]
    rows = {line.split()[0]: line for line in lines[2:]}
    assert "times as fast as default" in lines[1]
    assert rows.keys() == {"default", "v1", "v3", "numpy", "nothing"}
    assert "1.00 [1.00, 1.00]" in rows["default"] and "nothing is not installed" in rows["nothing"]
    autosched("tune", NAME, "--trials", "3", "-t", "1")
    said = autosched("bench", NAME, "--time-budget", "50ms", "-t", "1")
    assert "schedule here: exact" in said.out and any(line.startswith("tuned ") for line in said.out.splitlines())


def test_bench_of_processors(autosched: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that is installed is timed against its drop-in; one that is not is named."""
    calls: list[tuple[int, str]] = []

    def processor(settings: object) -> object:
        def process(images: list[object], return_tensors: str) -> None:
            calls.append((len(images), return_tensors))

        return process

    def missing(settings: object) -> object:
        raise ImportError("No module named 'torchvision'", name="torchvision")

    monkeypatch.setattr(hf, "accelerate", lambda p, threads, dtype: p)
    changed = dataclasses.replace(blur_family.FAMILY, processors={"pil": processor, "torchvision": missing})
    monkeypatch.setattr(registry, "_families", {NAME: changed})
    said = autosched("bench", NAME, "--time-budget", "10ms", "-t", "1")
    assert said.status == 0, said.err
    assert "times as fast as transformers, pil" in said.out and "accelerated, pil" in said.out
    assert said.out.count("torchvision is not installed") == 2
    assert set(calls) == {(1, calls[0][1])}


def test_broken_records_are_warned_of_and_repaired(autosched: Command, places: Path) -> None:
    path = record_file(places)
    path.parent.mkdir(parents=True)
    path.write_text('{"BLOCK_SIZE_M": 64}')
    said = autosched("list")
    assert said.status == 0 and said.err.count("warning:") == 1
    assert str(path) in said.err and "`autosched tune blur-test` writes it anew" in said.err
    said = autosched("explain", NAME, "--bucket", "small", "-t", "1")
    assert "no, 1 file of its records was passed over (see the warning)" in said.out
    assert "there are no records" not in said.out
    said = autosched("tune", NAME, "--trials", "3", "-t", "1")
    assert said.status == 0 and len(read(path)) == 1
    assert path.with_name("blur-test.json.broken").read_text() == '{"BLOCK_SIZE_M": 64}'
    assert autosched("list").err == ""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["ctrl-c", "batch system", "lost terminal"]
)
def test_ctrl_c_and_resume(autosched: Command, places: Path, number: signal.Signals) -> None:
    """A real signal in the middle of a search: status 130, one line, and the next run goes on."""
    program = tuning(places, "--trials", "24", "--time-budget", "10m", "-t", "1")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, env=env)
    database = places / "state" / "studies" / "blur-test.db"
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and trials_in(database) < 5 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    last = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(last) == 1 and "stopped after" in last[0] and "the same command goes on from there" in last[0]
    assert "Traceback" not in err and not record_file(places).exists()
    said = autosched("tune", NAME, "--trials", "7", "-t", "1")
    assert said.status == 0 and " before)" in said.out


def tuning(places: Path, *options: str) -> str:
    """A program that tunes the small kernel, as the console script does."""
    return (
        "import signal, sys\n"
        # tests that run in the background inherit a SIGINT that is ignored
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.path.insert(0, {str(Path(__file__).parent.parent)!r})\n"
        "from pathlib import Path\n"
        "import blur_family\n"
        "from autosched.cli import samples\n"
        "from autosched.cli.main import main\n"
        "from autosched.vlm import registry\n"
        f"samples.shipped = lambda folder: Path({str(places)!r}) / folder\n"
        "registry.register(blur_family.FAMILY)\n"
        f"sys.argv = ['autosched', 'tune', 'blur-test', *{options!r}]\n"
        "main()\n"
    )


@pytest.mark.parametrize("lost", ["a closed pipe", "a full disk"])
def test_a_search_outlasts_its_output(places: Path, lost: str) -> None:
    """Nobody reads what it says, and it records what it finds all the same, for every workload."""
    program = tuning(places, "-w", "small", "-w", "large", "--trials", "3", "-t", "1")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    if lost == "a closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open("/dev/full", os.O_WRONLY)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=writer, env=env, check=False)
    os.close(writer)
    assert done.returncode == 0
    assert sorted(r.key.bucket.name for r in read(record_file(places))) == ["large", "small"]


def trials_in(database: Path) -> int:
    import sqlite3

    if not database.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return int(connection.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()[0])
    except sqlite3.Error:
        return 0


BAD: list[tuple[str, list[str], str]] = [
    ("unknown kernel", ["tune", "blur-tset"], "there is no kernel called 'blur-tset'; did you mean blur-test?"),
    ("unknown kernel to show", ["show", "blurtest"], "did you mean blur-test?"),
    ("far from any name", ["explain", "zzzzzzzz"], "there are blur-test. `autosched list` shows them all"),
    ("unknown command", ["frobnicate"], "No such command 'frobnicate'; `autosched --help`"),
    ("near a command", ["lst"], "No such command 'lst'. Did you mean 'list'? `autosched --help` says what there is"),
    ("unknown option", ["tune", NAME, "--bogus"], "No such option: --bogus"),
    ("where to look", ["tune", NAME, "--bogus"], "`autosched tune --help` says what there is"),
    ("no name", ["tune"], "Missing argument 'name'"),
    ("zero trials", ["tune", NAME, "--trials", "0"], "--trials is 0; it must be at least 1"),
    ("trials", ["tune", NAME, "--trials", "many"], "Invalid value for '--trials'"),
    ("budget", ["tune", NAME, "--time-budget", "soon"], "'soon' is not a duration; write 90, 60s, 5m or 1h30m"),
    ("preset", ["tune", NAME, "--preset", "slow"], "'slow' is not one of 'quick', 'standard', 'thorough'"),
    ("sampler", ["tune", NAME, "--sampler", "x"], "'x' is not one of 'tpe', 'random', 'gp', 'nsga2', 'brute'"),
    ("regime", ["tune", NAME, "--regime", "hot"], "'hot' is not one of 'warm', 'cold-source', 'fresh-output'"),
    ("zero budget", ["tune", NAME, "--time-budget", "0s"], "it must be more than 0"),
    ("negative budget", ["tune", NAME, "--time-budget=-5s"], "is not a duration"),
    ("zero threads", ["tune", NAME, "--threads", "0"], "--threads is 0; it must be at least 1"),
    ("workload", ["tune", NAME, "--workload", "smal"], "has no workload 'smal'; did you mean small?"),
    ("storage", ["tune", NAME, "--storage", "foo"], "storage 'foo' is not a URL"),
    ("out of ablate", ["ablate", NAME, "--out", "{}/search_spaces/blur-test.toml"], "is not a directory; name another"),
    ("no directory", ["tune", NAME, "--images", "{}/none"], "none does not exist; name a directory with images"),
    ("a file", ["tune", NAME, "--images", "{}/search_spaces/blur-test.toml"], "is not a directory"),
    ("no images", ["bench", NAME, "--images", "{}/search_spaces"], "has no images; put some there"),
    ("both", ["tune", NAME, "--images", "{}/cut", "-w", "small"], "leave one of the two out, or name one workload"),
    ("both in bench", ["bench", NAME, "--images", "{}/cut", "-w", "small"], "--workload small says nothing of"),
    ("truncated", ["tune", NAME, "--images", "{}/cut"], "cut.png cannot be decoded:"),
    ("not an image", ["tune", NAME, "--images", "{}/fake"], "fake.jpg cannot be decoded:"),
    ("out is a file", ["tune", NAME, "--out", "{}/file"], "file: File exists; choose another place with --out DIR"),
    ("out in a file", ["tune", NAME, "--out", "{}/file/x"], "Not a directory; choose another place with --out DIR"),
    ("nothing to merge", ["merge", "{}/none"], "none does not exist; name files of records, or directories"),
    ("no records", ["merge", "{}/search_spaces"], "search_spaces has no files of records (*.json)"),
    ("samples", ["space", NAME, "--samples", "-1"], "--samples is -1; it must be at least 0"),
    ("bucket", ["show", NAME, "--bucket", "huge"], "has no bucket 'huge'; it has small, large"),
    ("level", ["show", NAME, "--level", "ast"], "'ast' is not one of 'loops', 'source', 'llvm', 'asm'"),
    ("near bucket", ["show", NAME, "--bucket", "smal"], "no bucket 'smal'; did you mean small? It has small, large"),
    ("schedule", ["show", NAME, "--schedule", "v9"], "has no schedule 'v9'; there are default, v1, v3, tuned"),
    ("schedule file", ["show", NAME, "--schedule", "{}/none.json"], "none.json cannot be read: No such file"),
    ("schedule text", ["show", NAME, "--schedule", "{}/search_spaces/blur-test.toml"], "the schedule is not JSON"),
    ("whose text", ["show", NAME, "-s", "{}/search_spaces/blur-test.toml"], "toml cannot be read: the schedule"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_mistakes_are_one_line(autosched: Command, places: Path, arguments: list[str], message: str) -> None:
    (places / "file").write_text("")
    for folder, name, data in (("cut", "cut.png", png()[:200]), ("fake", "fake.jpg", b"no image at all")):
        (places / folder).mkdir()
        (places / folder / name).write_bytes(data)
    said = autosched(*(a.format(places) for a in arguments))
    assert said.status == 2
    assert said.err.startswith("error: ") and said.err.count("\n") == 1 and message in said.err
    assert said.out == "" and "Value error" not in said.err


def test_a_newer_file_of_records_is_seen_before_the_search(autosched: Command, places: Path) -> None:
    file = record_file(places)
    file.parent.mkdir(parents=True)
    newer = json.dumps({"schema": 99, "pipeline": NAME, "records": []})
    file.write_text(newer)
    said = autosched("tune", NAME, "--trials", "3")
    assert said.status == 2 and said.out == "" and "written by a newer autosched" in said.err
    assert not (places / "state").exists() and file.read_text() == newer


def test_a_workload_named_twice_is_tuned_once(autosched: Command) -> None:
    said = autosched("tune", NAME, "-w", "small", "-w", "small", "--trials", "3")
    assert said.status == 0 and said.out.count("written to") == 1


def test_tables_in_a_pipe_are_whole(autosched: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no terminal says how wide it is, or it is narrow, no number loses digits."""
    monkeypatch.delenv("COLUMNS")
    wide = autosched("tune", NAME, "--trials", "3").out
    assert any(line.split()[-4:-1] and "default" in line and line.count("[") == 1 for line in wide.splitlines())
    monkeypatch.setenv("COLUMNS", "80")
    narrow = autosched("tune", NAME, "--trials", "3").out
    assert re.search(r"^default .* 1\.00 \[1\.00, 1\.00\] ", narrow, re.MULTILINE)
    assert max(map(len, narrow.splitlines()[1:-2])) <= 80


def test_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "autosched", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("autosched ")


def test_unusable_state_directory(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (places / "file").write_text("")
    monkeypatch.setenv("AUTOSCHED_STATE_DIR", str(places / "file"))
    said = autosched("tune", NAME, "--trials", "3")
    assert said.status == 2 and "studies cannot be kept in" in said.err and "AUTOSCHED_STATE_DIR" in said.err


def test_unusable_cache_directory(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said in one line; kernels are compiled anew and everything else goes on."""
    (places / "file").write_text("")
    monkeypatch.setenv("AUTOSCHED_CACHE_DIR", str(places / "file"))
    fresh = dataclasses.replace(  # not a kernel that this process has compiled
        blur_family.FAMILY, pipeline=lambda: Pipeline(blur_family.pipeline().output, "uncached")
    )
    monkeypatch.setattr(registry, "_families", {NAME: fresh})
    cache_directory.cache_clear()
    try:
        said = autosched("bench", NAME, "--time-budget", "10ms", "-t", "1")
    finally:
        cache_directory.cache_clear()
    assert said.status == 0 and said.err.count("warning:") == 1 and said.err.count("\n") == 1
    assert "file/kernels cannot be written" in said.err and "set AUTOSCHED_CACHE_DIR" in said.err


def test_bad_space_file(autosched: Command, places: Path) -> None:
    path = places / "search_spaces" / "blur-test.toml"
    path.write_text(blur_family.SPACE.replace('"compute_root"', '"compute_rot"'))
    said = autosched("tune", NAME)
    assert said.status == 2 and f"{path}:18: funcs.rows[0].op: unknown directive 'compute_rot'" in said.err


def test_closed_pipe() -> None:
    """`autosched show ... | head` ends quietly."""
    command = f"{sys.executable} -c 'from autosched.cli.main import main; main()' list | head -c 1"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env=env)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("60s", 60),
        ("2m", 120),
        ("1h30m", 5400),
        ("1.5m", 90),
        ("250ms", 0.25),
        (" 5min ", 300),
        ("1H", 3600),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text, "--x") == seconds


@pytest.mark.parametrize("text", ["", "s", "5x", "5 s", "m5", "-1s", "1e3", "nan", "inf", "0", "9" * 30])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ArgumentError, match="--x"):
        duration(text, "--x")
