"""The report: a template whose every number is looked up in the tables of results.

`autosched experiment report` writes REPORT.md from REPORT.template.md; a test fails where the two disagree. In the
template, `{{ ... }}` calls the methods of `Tables` (Jinja).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any, Final

from autosched.errors import ArgumentError
from autosched.runtime.cpu import fingerprint
from autosched.threads import counted
from experiments.apps.programs import APPS
from experiments.endtoend.accelerators import ACCELERATORS
from experiments.endtoend.measure import PREPARERS
from experiments.endtoend.models import MODELS
from experiments.experiment import EXPERIMENTS, table
from experiments.family import FAMILIES, USUAL
from experiments.implementation import IMPLEMENTATIONS
from experiments.look_ups import NONE, LookUps, digits, markdown
from experiments.results import LEFT_OUT, RESULTS, Row
from experiments.workloads import WORKLOADS

_HERE: Final = Path(__file__).parent
TEMPLATE: Final = _HERE / "REPORT.template.md"
REPORT: Final = _HERE / "REPORT.md"
README: Final = _HERE.parent / "README.md"


@dataclass(frozen=True)
class Tables(LookUps):
    """What the template asks for besides single numbers: tables, in Markdown."""

    def others(self) -> list[Tables]:
        """The tables of other classes of CPUs that have speeds of whole calls."""
        classes = [path.stem.removeprefix("runtime-") for path in sorted(self.folder.glob("runtime-*.csv"))]
        mine = self.cpu_class or fingerprint().cpu_class
        return [Tables(self.folder, name) for name in classes if name != mine and not name.endswith("-quick")]

    def tuned(self) -> str:
        """Whether schedules were tuned on the machine."""
        rows_ = self.find("schedules", measure="gain", part="tuning")
        names = {FAMILIES[row.family].title for row in rows_ if not row.note}
        return f"tuned: {', '.join(sorted(names))}" if names else "nothing was tuned: two runs of the default"

    def summary(self) -> str:
        """Markdown for the README: Qwen2.5-VL, whole calls of Hugging Face's backends and autosched."""
        lines = []
        for name in _SUMMARY:
            place = {"family": "qwen2.5-vl", "workload": name}
            one = {**place, "threads": 1}
            times = [
                self.one("runtime", **one, implementation=n, measure="time") for n in ("hf-torchvision", "autosched")
            ]
            images = len(WORKLOADS[name].sizes)
            speeds = [
                self.one("runtime", **place, threads=threads, implementation=ours, measure="speedup", against=theirs)
                for ours, theirs in _DROP_INS
                for threads in (1, 2)
            ]
            an_image = [NONE if row is None else digits(row.value / images) for row in times]
            lines.append([WORKLOADS[name].title, *an_image, *map(_speed, speeds)])
        header = ["", "Hugging Face, ms an image", "autosched, ms", "times as fast", "two threads"]
        return markdown([*header, "times its PIL backend", "two threads"], lines)

    def speed_table(self, family: str, peers: bool = False) -> str:
        """Markdown: speeds on one thread and on all, over the first baseline, or for other references over theirs.

        `peers` are other libraries, and autosched beside them.
        """
        chosen = FAMILIES[family]
        base = chosen.baselines[0]
        others = [name for name in chosen.implementations if name != base]
        wanted = [n for n in others if n == "autosched" or (n in _USUAL) != peers]
        against = {name: _reference(name, base) for name in wanted}
        names = [n for n in wanted if self.find("runtime", family=family, implementation=n, against=against[n])]
        header = ["workload", f"{base}, ms an image"]
        header += [n if against[n] == base else f"{n}, over {against[n]}" for n in names]
        lines = []
        for workload in [name for name in WORKLOADS if name in chosen.workloads]:
            for threads in sorted({1, self.most}):
                place = {"family": family, "workload": workload, "threads": threads}
                ms = self.one("runtime", **place, implementation=base, measure="time")
                if ms is None:
                    continue
                speeds = [
                    self.one("runtime", **place, implementation=n, measure="speedup", against=against[n]) for n in names
                ]
                title = f"{WORKLOADS[workload].title}, {counted(threads)}"
                an_image = ms.value / len(WORKLOADS[workload].sizes)
                lines.append([title, digits(an_image), *(_speed(row) for row in speeds)])
        return markdown(header, lines)

    def memory_table(self) -> str:
        """Markdown: peak memory over output."""
        found = self.find("memory", measure="peak memory")
        names = list(dict.fromkeys(row.implementation for row in found))
        places = dict.fromkeys((row.family, row.workload) for row in found)
        lines = []
        for family, workload in places:
            values = [self.value("memory", family=family, workload=workload, implementation=n, measure="peak memory")
                      for n in names]  # fmt: skip
            lines.append([f"{FAMILIES[family].title}, {WORKLOADS[workload].title}", *values])
        return markdown(["peak over output, x", *names], lines)

    def families_table(self) -> str:
        """Markdown: every drop-in over Hugging Face's backends, and the most memory that it needs."""
        found = self.find("families", measure="speedup")
        places = list(dict.fromkeys(row.workload for row in found))
        lines = []
        for family in dict.fromkeys(row.family for row in found):
            cells = []
            for workload in places:
                place = {"family": family, "workload": workload, "measure": "speedup"}
                both = [
                    self.one("families", **place, implementation=ours, against=theirs) for ours, theirs in _DROP_INS
                ]
                cells.append(" / ".join(map(_speed, both)))
            peaks = [row.value for row in self.find("families", family=family, measure="peak memory")]
            lines.append([FAMILIES[family].title, *cells, digits(max(peaks)) if peaks else NONE])
        titles = (WORKLOADS[workload].title for workload in places)
        return markdown(["over torchvision / over PIL", *titles, "peak over output, x"], lines)

    def over(self, experiment: str, base: str, **only: Any) -> str:
        """Markdown: speeds over `base` by implementation, a line a workload and number of threads."""
        found = self.find(experiment, measure="speedup", against=base, **only)
        names = [name for name in dict.fromkeys(row.implementation for row in found) if name != base]
        lines = []
        for family, workload, threads in dict.fromkeys((r.family, r.workload, r.threads) for r in found):
            place = {"family": family, "workload": workload, "threads": threads, "measure": "speedup"}
            cells = [_speed(self.one(experiment, **place, implementation=name, against=base)) for name in names]
            title = f"{FAMILIES[family].title}, " if family in FAMILIES else ""
            titles = WORKLOADS if workload in WORKLOADS else APPS
            title += titles[workload].title if workload in titles else workload
            lines.append([f"{title}, {counted(threads)}", *cells])
        return markdown([f"over {base}", *names], lines)

    def scaling_table(self) -> str:
        """Markdown: speeds on all threads over those on one by implementation, a line a family and workload."""
        found = self.find("scaling", measure="scaling", threads=self.most)
        known = {row.implementation for row in found}
        names = [name for name in _USUAL if name in known] + sorted(known.difference(_USUAL))
        families = dict.fromkeys(row.family for row in found)
        measured = {(row.family, row.workload) for row in found}
        lines = []
        for family, workload in [place for place in product(families, WORKLOADS) if place in measured]:
            place = {"family": family, "workload": workload, "threads": self.most, "measure": "scaling"}
            cells = [_speed(self.one("scaling", **place, implementation=name)) for name in names]
            lines.append([f"{FAMILIES[family].title}, {WORKLOADS[workload].title}", *cells])
        return markdown([f"{self.most} threads over one", *names], lines)

    def profile_table(self, workload: str, threads: int) -> str:
        """Markdown: shares of stages, of moving stages, and of a copy of as many bytes."""
        found = self.find("profile", workload=workload, threads=threads)
        stages = list(dict.fromkeys(row.part for row in found if row.measure == "share"))
        lines = []
        for family, name in dict.fromkeys((row.family, row.implementation) for row in found):
            place = {
                "family": family, "implementation": name, "workload": workload, "threads": threads,
            }  # fmt: skip
            shares = [self.percent("profile", **place, part=stage, measure="share") for stage in stages]
            lines.append(
                [
                    f"{FAMILIES[family].title}, {name}",
                    *shares,
                    self.percent("profile", **place, measure="moving stages"),
                    self.value("profile", **place, measure="moved", part=""),
                    self.percent("profile", **place, measure="copying as much"),
                ]
            )
        return markdown(["share of the call", *stages, "moving stages", "moved, x output", "as a plain copy"], lines)

    def gains_table(self, threads: int) -> str:
        """Markdown: what steps of the schedule are worth."""
        found = self.find("schedules", threads=threads, measure="gain")
        parts = list(dict.fromkeys(row.part for row in found))
        places = list(dict.fromkeys((row.family, row.workload) for row in found))
        header = ["step", *(f"{FAMILIES[f].title}, {WORKLOADS[w].title}" for f, w in places)]
        return markdown(
            header,
            [
                [part, *(self.times("schedules", family=f, workload=w, threads=threads, measure="gain", part=part)
                         for f, w in places)]
                for part in parts
            ],
        )  # fmt: skip

    def restated_table(self, threads: int) -> str:
        """Markdown: times over that of the restated algorithm under its schedule."""
        found = self.find("restated", threads=threads, measure="time ratio")
        parts = list(dict.fromkeys(row.part for row in found if row.part != row.against))
        places = list(dict.fromkeys((row.family, row.workload) for row in found))
        header = ["time over both together", *(f"{FAMILIES[f].title}, {WORKLOADS[w].title}" for f, w in places)]
        lines = [
            [part, *(self.times("restated", family=f, workload=w, threads=threads, measure="time ratio", part=part)
                     for f, w in places)]
            for part in parts
        ]  # fmt: skip
        return markdown(header, lines)

    def strips_table(self) -> str:
        """Markdown: time over that of the usual strip by rows."""
        found = self.find("strips", measure="time ratio")
        lines = []
        for family, workload in dict.fromkeys((row.family, row.workload) for row in found):
            mine = sorted((r for r in found if (r.family, r.workload) == (family, workload)), key=lambda r: int(r.part))
            place = {"family": family, "workload": workload, "measure": "working set"}
            cells = [
                f"{r.part} rows, {self.value('strips', part=r.part, **place)} KiB: {digits(r.value)}" for r in mine
            ]
            lines.append([f"{FAMILIES[family].title}, {WORKLOADS[workload].title}", "; ".join(cells)])
        return markdown(["", "time over that of the usual strip"], lines)

    def ablation_table(self, kind: str, most: int = 6) -> str:
        """Markdown: the largest effects of a kind for each family."""
        lines = []
        found = [row for row in self._rows["ablation"] if row.part.startswith(f"{kind}: ") and row.measure != LEFT_OUT]
        for family in dict.fromkeys(row.family for row in found):
            mine = [r for r in found if r.family == family and r.measure in ("time ratio", "share") and r.value]
            ranked = sorted(mine, key=lambda r: -max(r.value, 1 / r.value) if r.measure == "time ratio" else -r.value)
            for row in ranked[:most]:
                share = row.measure == "share"
                number = (
                    f"{100 * row.value:.0f} %"
                    if share
                    else f"{digits(row.value)}x ({digits(row.low)} to {digits(row.high)})"
                )
                lines.append([FAMILIES[family].title, f"`{row.part.partition(': ')[2]}`", number])
        return markdown(["family", kind, "time ratio" if kind != "importance" else "share"], lines)

    def agreement_table(self) -> str:
        """Markdown: what agrees."""
        found = self.find("agreement", measure="agrees")
        parts = list(dict.fromkeys(row.part for row in found))
        lines = []
        for family in dict.fromkeys(row.family for row in found):
            cells = [self.one("agreement", family=family, part=part, measure="agrees") for part in parts]
            lines.append([FAMILIES[family].title, *("yes" if c is not None and c.value else "no" for c in cells)])
        return markdown(["", *parts], lines)

    def first_token_table(self, threads: int) -> str:
        """Markdown: seconds of the steps of models and the shares of preparing the image, as measured."""
        found = self.find("endtoend", case="", threads=threads, measure="share")
        names = [name for name in PREPARERS if any(row.implementation == name for row in found)]
        lines = []
        for family, workload in dict.fromkeys((row.family, row.workload) for row in found):
            place = {"family": family, "workload": workload, "threads": threads, "case": ""}
            steps = [
                self.one("endtoend", **place, implementation="model", part=part) for part in ("vision", "language")
            ]
            seconds = [NONE if step is None else digits(step.value / 1000) for step in steps]
            shares = [f"{self.value('endtoend', **place, implementation=n, measure='share')} %" for n in names]
            partly = "" if steps[1] else " (without its language model)"
            lines.append([f"{MODELS[family].title}{partly}, {WORKLOADS[workload].title}", *seconds, *shares])
        header = ["", "vision tower, s", "language model, s", *(f"share, {name}" for name in names)]
        return markdown(header, lines)

    def modelled_table(self, threads: int, against: str) -> str:
        """Markdown: milliseconds to the first token with preparation as measured and modelled devices."""
        found = self.find("endtoend", case="modelled", threads=threads, measure="first token", against=against)
        names = ("hf-torchvision", "autosched")
        devices = [device for device in ACCELERATORS if any(row.part == device for row in found)]
        lines = []
        for family, workload in dict.fromkeys((row.family, row.workload) for row in found):
            place = {"family": family, "workload": workload, "threads": threads, "case": "modelled"}
            cells = []
            for device in devices:
                here = {**place, "part": device, "against": against}
                ms = [self.value("endtoend", **here, implementation=n, measure="first token") for n in names]
                shares = [self.value("endtoend", **here, implementation=n, measure="share") for n in names]
                cells.append(f"{ms[0]} → {ms[1]} ({shares[0]} → {shares[1]} %)")
            own = [self.value("endtoend", **place, implementation=n, measure="preparation") for n in names]
            title = f"{MODELS[family].title}, {WORKLOADS[workload].title}"
            lines.append([title, f"{own[0]} → {own[1]}", *cells])
        return markdown(["ms", "preparation, measured", *(f"{device}, modelled" for device in devices)], lines)

    def stream_table(self, case: str, threads: int) -> str:
        """Markdown: requests a second, in turns and overlapped."""
        found = self.find("endtoend", case=case, threads=threads, measure="throughput")
        names = [name for name in PREPARERS if any(row.implementation == name for row in found)]
        lines = []
        for family, workload in dict.fromkeys((row.family, row.workload) for row in found):
            place = {"family": family, "workload": workload, "threads": threads, "case": case, "measure": "throughput"}
            cells = []
            for name in names:
                rates = [
                    self.value("endtoend", **place, implementation=name, part=p) for p in ("in turns", "overlapped")
                ]
                cells.append(" / ".join(rates))
            lines.append([f"{MODELS[family].title}, {WORKLOADS[workload].title}", *cells])
        return markdown(["requests a second, in turns / overlapped", *names], lines)

    def left_out(self) -> str:
        """Markdown: why something has no number, each reason once."""
        reasons: dict[tuple[str, str], list[str]] = {}
        for name, found in self._rows.items():
            for row in found:
                if row.measure == LEFT_OUT:
                    reasons.setdefault((row.implementation, row.note), []).append(
                        f"{name}, {row.family}, {row.workload}"
                    )
        return "\n".join(f"- {who} ({len(where)} cells): {why}" for (who, why), where in sorted(reasons.items()))

    def ranking(self, threads: int, workload: str) -> str:
        """The class project's order of steps, judged: storage before the parallel axis before pointwise fusion."""
        said = []
        for family in FAMILIES:
            gains = [self.one("schedules", family=family, workload=workload, threads=threads, measure="gain", part=part)
                     for part in ("storage in the cache", "parallel axis", "pointwise fusion")]  # fmt: skip
            if all(gain is not None for gain in gains):
                said.append(f"{FAMILIES[family].title}: {_judged([g for g in gains if g is not None])}")
        return "; ".join(said) or NONE


#: The workloads of the README's table.
_SUMMARY: Final = ("640x480", "1920x1080", "1920x1080-max1003520", "w2", "w3", "w4")
#: Our drop-ins, and whose bits they have.
_DROP_INS: Final = (("autosched", "hf-torchvision"), ("autosched-pil", "hf-pil"))
#: Hugging Face, the model card and autosched; all others are peers.
_USUAL: Final = (*USUAL, "model-card", "autosched-card")


def _reference(name: str, base: str) -> str:
    """What a speed is over: our kernels are compared with what has their bits."""
    return IMPLEMENTATIONS[name].oracle if name.startswith("autosched") else base


def _speed(row: Row | None) -> str:
    if row is None:
        return NONE
    return digits(row.value) + ("" if row.exact else "*")


def _judged(gains: Sequence[Row]) -> str:
    """Whether gains come in this order, beyond what the intervals leave open."""
    steps = [f"{row.part} {digits(row.value)}x" for row in gains]
    ordered = all(a.low > b.high for a, b in pairwise(gains))
    refuted = [(a, b) for i, a in enumerate(gains) for b in gains[i + 1 :] if a.high < b.low]
    verdict = "confirmed" if ordered else "refuted" if refuted else "open, the intervals overlap"
    because = "".join(f", {b.part} is worth more than {a.part}" for a, b in refuted)
    return f"{verdict} ({', '.join(steps)}{because})"


def render(folder: Path = RESULTS, cpu_class: str = "") -> str:
    """The report as the tables of a class of CPUs have it. Raises ArgumentError where Jinja is not installed."""
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise ArgumentError("the report needs Jinja; pip install jinja2") from error
    made = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    tables = Tables(folder, cpu_class or fingerprint().cpu_class)
    return made.from_string(TEMPLATE.read_text(encoding="utf-8")).render(t=tables)


def told_of(text: str) -> str:
    """The class of CPUs that a report is of."""
    found = re.search(r"tables of (\S+) -->", text)
    if found is None:
        raise ArgumentError("the report does not say which tables it is of; `autosched experiment report` writes it")
    return found.group(1)


def write(folder: Path = RESULTS) -> Path:
    """Writes the report of this machine's tables; returns where it is. Raises ArgumentError where there are none."""
    if not any(table(name, folder=folder).exists() for name in EXPERIMENTS):
        raise ArgumentError(f"{folder} has no tables of this class of CPUs; `autosched experiment all` makes them")
    REPORT.write_text(render(folder), encoding="utf-8")
    README.write_text(summarized(README.read_text(encoding="utf-8")), encoding="utf-8")
    return REPORT


def summarized(text: str) -> str:
    """The README with the tables that stand in it, of the class of CPUs that they name, looked up anew."""

    def looked_up(found: re.Match[str]) -> str:
        begin, what, cpu_class, end = found.groups()
        tables = Tables(RESULTS, cpu_class)
        made = tables.summary() if what == "speeds" else tables.over("apps", "halide-adams2019", threads=1)
        return f"{begin}\n{made}\n{end}"

    return re.sub(r"(<!-- (speeds|apps) on (\S+) -->)\n.*?\n(<!-- end of \2 -->)", looked_up, text, flags=re.DOTALL)
