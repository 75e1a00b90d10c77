"""`autosched ablate NAME`: what each part of the tuned schedule, and each choice of each knob, is worth."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autosched.cli.console import err, out, table, warn
from autosched.cli.options import Images, Name, Threads, duration, thread_count
from autosched.errors import ArgumentError, TuneError

if TYPE_CHECKING:
    from autosched.cli.samples import Sampled
    from autosched.tune import Method, Space
    from autosched.tune.ablation import AblationRow
    from autosched.vlm.load import Tuned
    from autosched.vlm.registry import KernelFamily


def ablate(
    name: Name,
    knob: Annotated[
        list[str] | None,
        typer.Option("--knob", "-k", help="Only this knob; may be repeated. [default: all]", show_default=False),
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Option("--workload", "-w", help="On this workload. [default: the first one]", show_default=False),
    ] = None,
    images: Images = None,
    threads: Threads = None,
    time_budget: Annotated[str, typer.Option("--time-budget", help="How long to time, beside compiling.")] = "30s",
    out_dir: Annotated[Path, typer.Option("--out", help="Write the table and the plot to this directory.")] = Path(
        "ablation"
    ),
) -> None:
    """Leave each directive out of the tuned schedule, and change each knob of the default; all timed interleaved.

    Writes a table (CSV) and a plot (PNG), with the importance of knobs where the kernel was tuned on this machine.
    """
    from autosched.cli.samples import choose, sample, space_of
    from autosched.shipped import file_stem
    from autosched.tune import Method
    from autosched.vlm.load import load
    from autosched.vlm.registry import get

    seconds = duration(time_budget, "--time-budget")
    count = thread_count(threads)
    if out_dir.exists() and not out_dir.is_dir():
        raise ArgumentError(f"--out {out_dir} is not a directory; name another one")
    family = get(name)
    file = space_of(family)
    known = {k.name for k in file.space.knobs}
    for wanted in knob or ():
        if wanted not in known:
            raise ArgumentError(f"{name} has no knob {wanted!r}; it has {', '.join(sorted(known))}")
    (spec, *_) = choose(file, workload or [], images)
    sampled = sample(family, spec, images)
    tuned = load(name, bucket=sampled.bucket.name, threads=count)
    rows = measured(tuned, sampled, file.space, knob or (), seconds)
    rows += importances(family, file.space, sampled, count, Method())
    stem = file_stem(f"{name}-{sampled.workload.name}-{count}")
    _show(rows, f"{name}, {sampled.workload.name}, schedule: {tuned.answer.rung}")
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        write_table(rows, out_dir / f"{stem}.csv")
        figure(rows, stem).savefig(out_dir / f"{stem}.png", dpi=150)
    except OSError as error:
        raise ArgumentError(f"--out {out_dir} cannot be written: {error.strerror or error}") from None
    out().print(f"written to {out_dir / stem}.csv and .png", soft_wrap=True)


def measured(tuned: Tuned, sampled: Sampled, space: Space, knobs: Sequence[str], seconds: float) -> list[AblationRow]:
    """Both ablations, in a worker process. Raises TuneError where a baseline cannot be timed."""
    from autosched.tune import Task
    from autosched.tune import ablate as measure

    default = tuned.family.schedules["default"](tuned.bucket)
    task = Task(tuned.pipeline, space, sampled.workload, {"default": default}, tuned.bucket)
    schedule = None if knobs else tuned.schedule
    with err().status("checking") as status:
        return measure(task, schedule, seconds, knobs=knobs or None, threads=tuned.threads, report=status.update)


def importances(
    family: KernelFamily, space: Space, sampled: Sampled, threads: int, method: Method
) -> list[AblationRow]:
    """Importances in the study of earlier searches; none where there is no study, or where a tuner works on it."""
    from autosched.cli.samples import busy
    from autosched.records import key_here
    from autosched.tune import Task
    from autosched.tune.ablation import AblationRow
    from autosched.tune.measure import Estimate
    from autosched.tune.place import BusyError
    from autosched.tune.study import read_study
    from autosched.tune.task import study_name

    pipeline = family.pipeline()
    schedules = {label: make(sampled.bucket) for label, make in family.schedules.items()}
    task = Task(pipeline, space, sampled.workload, schedules, sampled.bucket)
    key = key_here(pipeline, sampled.bucket, threads)
    try:
        found = read_study(pipeline.name, study_name(task, key, method.regime), space).importances
    except BusyError:
        warn(f"importances are left out: {busy(f'{family.name}, {sampled.workload.name}')}")
        return []
    except TuneError as error:
        warn(f"importances are left out: {error}")
        return []
    return [AblationRow("importance", knob, Estimate(share, share, share)) for knob, share in found.items()]


def write_table(rows: Sequence[AblationRow], path: Path) -> None:
    """A row a change."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["part", "what", "ratio", "low", "high", "kind"])
        for row in rows:
            r = row.ratio
            numbers = ["", "", ""] if r is None else [f"{r.median:.4f}", f"{r.low:.4f}", f"{r.high:.4f}"]
            writer.writerow([row.part, row.what, *numbers, row.kind])


def read_table(path: Path) -> list[AblationRow]:
    """The rows that `write_table` wrote; none where there is no file."""
    from autosched.tune.ablation import AblationRow
    from autosched.tune.measure import Estimate

    if not path.exists():
        return []
    try:
        with path.open(newline="") as file:
            return [
                AblationRow(
                    r["part"],  # type: ignore[arg-type]
                    r["what"],
                    Estimate(float(r["ratio"]), float(r["low"]), float(r["high"])) if r["ratio"] else None,
                    r["kind"],
                )
                for r in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        raise ArgumentError(f"{path} is not a table of `autosched ablate`; delete it, or name another place") from None


def figure(rows: Sequence[AblationRow], title: str) -> Any:
    """Bars with intervals: how many times longer than the baseline; importances as shares."""
    from matplotlib.figure import Figure

    parts = list(dict.fromkeys(r.part for r in rows))
    shown = {p: sorted((r for r in rows if r.part == p and r.ratio), key=lambda r: r.ratio.median) for p in parts}  # type: ignore[union-attr]
    heights = [max(len(shown[p]), 1) for p in parts]
    made = Figure(figsize=(9, 1.2 + 0.24 * sum(heights) + 0.5 * len(parts)), layout="constrained")
    made.suptitle(title)
    grid = made.subplots(max(len(parts), 1), 1, squeeze=False, height_ratios=heights or None)
    for axes, part in zip(grid[:, 0], parts, strict=False):
        base = 0.0 if part == "importance" else 1.0
        for i, row in enumerate(shown[part]):
            assert row.ratio is not None
            r = row.ratio
            axes.barh(i, r.median - base, left=base, color="#0072B2" if r.median >= base else "#D55E00")
            axes.plot([r.low, r.high], [i, i], color="#222222", linewidth=1)
        axes.axvline(base, color="#222222", linewidth=0.8)
        axes.set_yticks(range(len(shown[part])), [row.what for row in shown[part]], fontsize=7)
        said = "share of the variation that the knob explains" if part == "importance" else "time over the baseline's"
        axes.set_title(f"{part}: {said}", fontsize=9, loc="left")
    return made


def _show(rows: Sequence[AblationRow], title: str) -> None:
    console = out()
    console.print(title)
    for part, column in (
        ("leave-one-out", "time without it"), ("one-at-a-time", "time at the default with it"), ("importance", "share"),
    ):  # fmt: skip
        here = [r for r in rows if r.part == part]
        if here:
            made = table(part, column, numbers=1)
            for row in sorted(here, key=lambda r: -r.ratio.median if r.ratio else 0.0):
                r = row.ratio
                if r is None:
                    text = row.kind
                elif part == "importance":
                    text = f"{100 * r.median:.0f} %"
                elif row.kind == "same code":
                    text = row.kind
                else:
                    text = f"{r.median:.2f} [{r.low:.2f}, {r.high:.2f}]"
                made.add_row(row.what, text)
            console.print(made)
