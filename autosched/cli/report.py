"""`autosched report NAME`: one HTML page that needs nothing else: how the search went, and what it found."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autosched.cli.console import out
from autosched.cli.options import Images, Name, Regime, Threads, thread_count
from autosched.errors import ArgumentError

if TYPE_CHECKING:
    from autosched.tune import Trial
    from autosched.tune.ablation import Row
    from autosched.vlm.load import Tuned

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse}td,th{padding:.15em .8em .15em 0;text-align:left;vertical-align:top}
pre{background:#f5f5f5;padding:1em;overflow-x:auto;font-size:12px;line-height:1.35}svg{max-width:100%;height:auto}"""


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
    """Write a page about a search on this machine: history, failures, importances, ablation, loop nest and source."""
    from autosched.cli.ablate import figure, read_table
    from autosched.cli.samples import choose, sample, space_of
    from autosched.records import key_here
    from autosched.tune import Method, Study, Task
    from autosched.tune.place import study_file
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
    study = study_name(task, key_here(tuned.pipeline, sampled.bucket, count), Method(regime=regime).regime)
    trials: Sequence[Trial] = ()
    shares: dict[str, float] = {}
    if study_file(tuned.pipeline.name).exists():
        with Study(tuned.pipeline.name, study, file.space) as opened:
            trials, shares = tuple(opened.trials), opened.importances()
    if not trials:
        raise ArgumentError(
            f"{name} was not tuned on {sampled.workload.name} with {count} threads here; "
            f"`autosched tune {name} -w {sampled.workload.name} -t {count}` does it"
        )
    stem = f"{name}-{sampled.workload.name}"
    rows: list[Row] = read_table(ablation / f"{stem}-{count}.csv")
    parts = [
        ("The schedule that this machine uses", _answer(tuned)),
        ("History", _svg(_history(trials)) + _kinds(trials)),
        ("Importance of knobs", _shares(shares)),
        (
            "Ablation",
            _svg(figure(rows, "")) if rows else f"<p><code>autosched ablate {escape(name)}</code> makes it.</p>",
        ),
        ("Loop nest", _pre(tuned.schedule.show(tuned.pipeline))),
        ("Schedule", _pre(tuned.schedule.to_json())),
        ("Generated source", _pre(tuned.schedule.show(tuned.pipeline, "source"))),
    ]
    title = f"{name}, {sampled.workload.name}, {count} thread{'s' * (count > 1)}"
    path = out_file or Path(f"{stem}.html")
    try:
        path.write_text(page(title, parts), encoding="utf-8")
    except OSError as error:
        raise ArgumentError(f"--out {path} cannot be written: {error.strerror or error}") from None
    out().print(f"written to {path}", soft_wrap=True)


def page(title: str, parts: Sequence[tuple[str, str]]) -> str:
    """The whole page; what is in `parts` is HTML already."""
    body = "\n".join(f"<h2>{escape(head)}</h2>\n{content}" for head, content in parts)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n{body}\n</html>\n"
    )


def _pre(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def _table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...] = ()) -> str:
    lines = [("th", head)] if head else []
    lines += [("td", row) for row in rows]
    made = ("<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>" for tag, cells in lines)
    return f"<table>{''.join(made)}</table>"


def _answer(tuned: Tuned) -> str:
    explained = _pre(tuned.explain())
    if tuned.answer.located is None:
        return explained
    record = tuned.answer.located.record
    times, search = record.times, record.search
    rows = [
        ("time", f"{times.schedule.median:.4g} ms per item [{times.schedule.low:.4g}, {times.schedule.high:.4g}]"),
        ("speed over the default", f"{times.speedup.median:.2f} [{times.speedup.low:.2f}, {times.speedup.high:.2f}]"),
        ("noise of the default against itself", f"{100 * times.noise:.1f} %"),
        ("search", f"{search.trials} schedules, {search.rounds} rounds, {search.seconds:.0f} s, {search.conditions}"),
        ("made", f"{record.origin.when:%Y-%m-%d}, Python {record.origin.python}, Numba {record.origin.numba}"),
    ]
    if record.machine is not None:
        m = record.machine
        shown = {"CPUs": m.cpus, "governor": m.governor, "MHz": m.mhz, "busy with others": m.load, "steal": m.steal}
        rows.append(("machine", ", ".join(f"{k} {v}" for k, v in shown.items() if v is not None)))
    return explained + _table(rows)


def _kinds(trials: Sequence[Trial]) -> str:
    counts = Counter(t.outcome.kind for t in trials)
    example = {t.outcome.kind: t.outcome.message for t in reversed(trials) if t.outcome.message}
    rows = [(kind, str(n), example.get(kind, "")[:160]) for kind, n in counts.most_common()]
    return _table(rows, ("outcome", "trials", "for example"))


def _shares(shares: dict[str, float]) -> str:
    if not shares:
        return "<p>There are too few trials to tell.</p>"
    return _table([(knob, f"{100 * share:.0f} %") for knob, share in shares.items()], ("knob", "share"))


def _history(trials: Sequence[Trial]) -> Any:
    """Each trial's time over the default's, and the best so far."""
    from matplotlib.figure import Figure

    timed = [(i, t.outcome.ratio) for i, t in enumerate(trials) if t.outcome.ratio is not None]
    failed = [i for i, t in enumerate(trials) if t.outcome.ratio is None]
    best = [min(r for _, r in timed[: n + 1]) for n in range(len(timed))]
    made = Figure(figsize=(9, 3.2), layout="constrained")
    axes = made.subplots()
    axes.scatter([i for i, _ in timed], [r for _, r in timed], s=12, color="#0072B2", label="trials")
    axes.step([i for i, _ in timed], best, where="post", color="#D55E00", label="best so far")
    top = max((r for _, r in timed), default=1.0)
    axes.scatter(failed, [top] * len(failed), s=14, marker="x", color="#7F7F7F", label="failed")
    axes.set_yscale("log")
    axes.set_xlabel("trial")
    axes.set_ylabel("time over the default's")
    axes.legend(frameon=False, fontsize=8)
    return made


def _svg(figure: Any) -> str:
    """A figure as part of the page, without the XML declaration."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    text = buffer.getvalue()
    return text[text.index("<svg") :]
