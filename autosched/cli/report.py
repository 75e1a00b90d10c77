"""`autosched report NAME`: one HTML page that needs nothing else: how the search went, and what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autosched.cli.console import amount, out
from autosched.cli.options import Images, Name, Regime, Threads, thread_count
from autosched.errors import ArgumentError
from autosched.files import write_whole
from autosched.threads import counted

if TYPE_CHECKING:
    from autosched.records import Key
    from autosched.tune import Trial
    from autosched.vlm.load import Tuned


def report(
    name: Name,
    workload: Annotated[
        list[str] | None,
        typer.Option("--workload", "-w", help="Of this workload. [default: the first one]", show_default=False),
    ] = None,
    images: Images = None,
    threads: Threads = None,
    regime: Regime = "warm",
    ablation: Annotated[
        Path, typer.Option("--ablation", help="Where `autosched ablate` wrote its tables, if it did.")
    ] = Path("ablation"),
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The page. [default: NAME-WORKLOAD.html]", show_default=False)
    ] = None,
) -> None:
    """Write a page about a search on this machine: the schedule, all workloads, history, trade-offs, importances,
    ablation, loop nest and source.
    """
    from autosched.cli.page import folded, page, pre
    from autosched.cli.samples import busy, choose, sample, space_of
    from autosched.records import key_here
    from autosched.shipped import file_stem
    from autosched.tune import Method, Task
    from autosched.tune.place import BusyError
    from autosched.tune.study import read_study
    from autosched.tune.task import study_name
    from autosched.vlm.load import load
    from autosched.vlm.registry import get

    count = thread_count(threads)
    family = get(name)
    file = space_of(family)
    (spec, *_) = choose(file, workload or [], images)
    sampled = sample(family, spec, images)
    tuned = load(name, bucket=sampled.bucket.name, threads=count)
    schedules = {label: make(sampled.bucket) for label, make in family.schedules.items()}
    task = Task(tuned.pipeline, file.space, sampled.workload, schedules, sampled.bucket)
    key = key_here(tuned.pipeline, sampled.bucket, count)
    study = study_name(task, key, Method(regime=regime).regime)
    try:
        read = {s: read_study(tuned.pipeline.name, study, file.space, s) for s in ("tpe", "nsga2")}
    except BusyError:
        raise BusyError(busy(f"{name}, {sampled.workload.name}")) from None
    one, two = read["tpe"], read["nsga2"]
    trials = one.trials or two.trials
    if not trials:
        which = f"-w {sampled.workload.name}" if images is None else f"--images {images}"
        raise ArgumentError(
            f"{name} was not tuned on {sampled.workload.name} with {count} threads here; "
            f"`autosched tune {name} {which} -t {count}` does it"
        )
    stem = file_stem(f"{name}-{sampled.workload.name}")
    parts = [
        ("The schedule that this machine uses", _answer(tuned)),
        ("All workloads", _matrix(tuned, key)),
        ("History", _history(trials)),
        ("Time and memory", _trade_offs(two.trials or one.trials)),
        ("Importance of knobs", _importances(one.importances or two.importances)),
        ("Ablation", _ablation(ablation / f"{stem}-{count}.csv", name)),
        ("Loop nest", pre(tuned.schedule.show(tuned.pipeline))),
        ("Schedule", folded("as JSON", pre(tuned.schedule.to_json()))),
        ("Generated source", folded("as Numba compiles it", pre(tuned.schedule.show(tuned.pipeline, "source")))),
    ]
    title = f"{name}, {sampled.workload.name}, {counted(count)}"
    path = out_file or Path(f"{stem}.html")
    made = page(title, _facts(tuned, trials, sampled.workload.name), parts)
    try:
        write_whole(path, made.encode(), durable=True)
    except OSError as error:
        raise ArgumentError(f"--out {path} cannot be written: {error.strerror or error}") from None
    others = [w.name for w in file.workloads if w.name != spec.name] if not workload and images is None else []
    rest = f"; it is of {spec.name}, -w makes one of {', '.join(others)}" if others else ""
    out().print(f"written to {path}{rest}", soft_wrap=True)


def _facts(tuned: Tuned, trials: Sequence[Trial], workload: str) -> str:
    """The result in a line: of the record that answers, which may be of another search than the `trials`."""
    timed = sum(t.outcome.kind in ("ok", "slow") for t in trials)
    rest = escape(f"bucket {tuned.bucket.name}; the search on {workload} timed {timed} schedules")
    if tuned.answer.located is None:
        return f"The built-in default is used; {rest}."
    times, of = tuned.answer.located.record.times, escape(tuned.answer.located.record.search.workload)
    gain = f"{times.speedup.median:.2f} [{times.speedup.low:.2f}, {times.speedup.high:.2f}]"
    return f"<b>{times.schedule.median:.4g} ms</b> per item of {of}, <b>{gain}</b> times the default's speed; {rest}."


def _answer(tuned: Tuned) -> str:
    from autosched.cli.page import pre, table

    explained = pre(tuned.explain(), wrap=True)
    if tuned.answer.located is None:
        return explained
    record = tuned.answer.located.record
    times, search = record.times, record.search
    rows = [
        ("time", f"{times.schedule.median:.4g} ms per item [{times.schedule.low:.4g}, {times.schedule.high:.4g}]"),
        ("speed over the default", f"{times.speedup.median:.2f} [{times.speedup.low:.2f}, {times.speedup.high:.2f}]"),
        ("noise of the default against itself", f"{100 * times.noise:.1f} %"),
        (
            "search of the record",
            f"{search.workload}: {search.trials} schedules tried, {search.rounds} rounds, "
            f"{search.seconds:.0f} s, {search.conditions}",
        ),
        ("made", f"{record.origin.when:%Y-%m-%d}, Python {record.origin.python}, Numba {record.origin.numba}"),
    ]
    if record.losses is not None:
        lost = ", ".join(f"{workload} {100 * loss:.1f} %" for workload, loss in record.losses.items())
        rows.append(("slower than the best of each workload by", lost))
    if record.machine is not None:
        m = record.machine
        shown = {"CPUs": m.cpus, "governor": m.governor, "MHz": m.mhz, "busy with others": m.load, "steal": m.steal}
        rows.append(("machine", ", ".join(f"{k} {v}" for k, v in shown.items() if v is not None)))
    return explained + table(rows)


def _matrix(tuned: Tuned, key: Key) -> str:
    from autosched.cli.page import grid, text
    from autosched.tune.matrix_file import kept

    found = kept(tuned.pipeline.name, key)
    if found is None:
        return text(
            f"`autosched tune {tuned.family.name}` on several workloads makes it, or `autosched matrix --write`."
        )
    number = len(found.kept)
    said = (
        f"Measured on {found.when:%Y-%m-%d} ({found.conditions}): each schedule in interleaved rounds with all others, "
        "its median and how much longer than the best of the workload it takes. "
        f"{number} schedule{'s' * (number > 1)} serve{'s' * (number == 1)} the buckets of these workloads (framed), at "
        f"worst {100 * found.worst:.1f} % slower than the best."
    )
    return text(said) + grid(found.matrix, found.cover)


def _history(trials: Sequence[Trial]) -> str:
    from autosched.cli.charts import history
    from autosched.cli.page import svg, table

    counts = Counter(t.outcome.kind for t in trials)
    example = {t.outcome.kind: t.outcome.message for t in reversed(trials) if t.outcome.message}
    rows = [(kind, str(n), example.get(kind, "")[:160]) for kind, n in counts.most_common()]
    return svg(history(trials)) + table(rows, ("outcome", "trials", "for example"))


def _trade_offs(trials: Sequence[Trial]) -> str:
    from autosched.cli.charts import trade_offs
    from autosched.cli.page import folded, pre, svg, table, text
    from autosched.tune.study import not_beaten

    front = not_beaten(trials)
    said = (
        "Memory is what a run needs beyond inputs and outputs: Funcs that are stored whole, packed tables, and what "
        "all threads hold inside the loops. No schedule that was timed is both faster and smaller than one of these:"
    )
    rows = [(t.label, f"{t.outcome.ratio or 0:.3f}", amount(t.outcome.memory)) for t in front]
    shown = "".join(folded(f"{t.label} as JSON", pre(t.schedule.to_json())) for t in front)
    head = ("schedule", "time over the default's", "memory")
    return text(said) + table(rows, head, "grid") + svg(trade_offs(trials, front)) + shown


def _importances(shares: dict[str, float]) -> str:
    from autosched.cli.page import bars, text

    if not shares:
        return text("There are too few trials to tell.")
    return text("Shares of what decides between fast and slow points (PED-ANOVA over all trials).") + bars(shares)


def _ablation(path: Path, name: str) -> str:
    from autosched.cli.ablate import figure, read_table
    from autosched.cli.page import svg, text

    rows = read_table(path)
    return svg(figure(rows, "")) if rows else text(f"`autosched ablate {name}` makes it.")
