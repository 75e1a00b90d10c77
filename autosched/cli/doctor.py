"""`autosched doctor`: what this machine and this installation are to autosched, and what is wrong with them."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

import typer

from autosched.cli.console import amount, out, table
from autosched.cli.emit import emit
from autosched.cli.options import Json

#: Packages whose version matters; all but the first may be missing.
PACKAGES = ("numba", "transformers", "torch", "torchvision", "pillow")
GROUPS = ("vllm.general_plugins", "sglang.srt.plugins")


@dataclass(frozen=True)
class Finding:
    """A fact, and what is wrong with it and what to do; empty where nothing is."""

    what: str
    value: str
    problem: str = ""


def doctor(json: Json = False) -> None:
    """Look at the CPU, the directories, the records and the packages. Exit status 1 where something is wrong."""
    findings = [*_cpu(), *_directories(), *_records(), *_packages()]
    wrong = sum(bool(finding.problem) for finding in findings)
    if json:
        emit("doctor", problems=wrong, findings=findings)
    else:
        rows = table("", "", "")
        for finding in findings:
            rows.add_row(finding.what, finding.value, f"WRONG: {finding.problem}" if finding.problem else "")
        out().print(rows)
        out().print(f"{wrong} problem{'s' * (wrong != 1)}" if wrong else "nothing is wrong")
    if wrong:
        raise typer.Exit(1)


def _cpu() -> Iterator[Finding]:
    from autosched.errors import AutoschedError
    from autosched.runtime.cpu import fingerprint
    from autosched.threads import default_threads
    from autosched.tune.machine import snapshot

    cpu = fingerprint()
    caches = ", ".join(f"{name} {size >> 10} KiB" for name, size in (("L1", cpu.l1d), ("L2", cpu.l2), ("L3", cpu.l3)))
    yield Finding("CPU", f"{cpu.cpu_class}; {caches}")
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        threads, problem = str(default_threads()), ""
    except AutoschedError as error:
        threads, problem = "-", str(error)
    yield Finding("threads", f"{threads}; this process may use {allowed} of {os.cpu_count()} CPUs", problem)
    quota = _quota()
    if quota is not None:
        few = threads.isdecimal() and int(threads) > max(quota, 1)
        said = f"more threads than that wait for each other; set AUTOSCHED_NUM_THREADS={max(1, int(quota))}"
        yield Finding("control group", f"{quota:g} CPUs", said if few else "")
    now = snapshot()
    yield Finding("load", f"{now.load:.1f}, frequency governor {now.governor or 'unknown'}")


def _quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> float | None:
    """CPUs that the control group may use at a time; None where it does not say."""
    try:
        limit, period = file.read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        return None


def _directories() -> Iterator[Finding]:
    import platformdirs

    from autosched.shipped import VARIABLE, shipped, user_directory
    from autosched.tune.place import state_directory

    cache = Path(os.environ.get("AUTOSCHED_CACHE_DIR") or platformdirs.user_cache_dir("autosched"))
    for what, path, variable in (
        ("records", user_directory(), VARIABLE),
        ("searches", state_directory(), "AUTOSCHED_STATE_DIR"),
        ("compiled kernels", cache, "AUTOSCHED_CACHE_DIR"),
    ):
        given = bool(os.environ.get(variable))
        value = f"{path} ({variable})" if given else str(path)
        problem = ""
        if not path.is_dir():
            value += ", does not exist"
            if given and what == "records":
                problem = f"no records are read from there; mend {variable}, or make the directory"
        elif not os.access(path, os.W_OK | os.X_OK):
            problem = f"it cannot be written; set {variable} to a directory of your own"
        elif what == "compiled kernels":
            value += f", {amount(sum(file.stat().st_size for file in path.rglob('*') if file.is_file()))}"
        yield Finding(what, value, problem)
    if shipped("tuned") != user_directory():
        yield Finding("records that come with autosched", str(shipped("tuned")))


def _records() -> Iterator[Finding]:
    from autosched.records.store import parse
    from autosched.runtime.cpu import fingerprint
    from autosched.shipped import tuned_directories

    for directory in tuned_directories():
        here, others = 0, set()
        for path in sorted(directory.glob("*/*.json")):
            try:
                problem = parse(path.read_text(encoding="utf-8", errors="replace")).problem
            except OSError as error:
                problem = f"it cannot be read ({error.strerror})"
            if problem:
                yield Finding("file of records", str(path), problem)
            elif path.parent.name == fingerprint().cpu_class:
                here += 1
            else:
                others.add(path.parent.name)
        if directory.is_dir():
            more = f"; for other CPUs: {', '.join(sorted(others))}" if others else ""
            yield Finding("files of records", f"{here} for this CPU in {directory}{more}")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for group in GROUPS:
            found = any(point.name == "autosched" for point in entry_points(group=group))
            yield Finding(f"entry point {group}", "registered" if found else "not registered")
    yield Finding("sbatch", shutil.which("sbatch") or "not found")
