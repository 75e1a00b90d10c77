"""The parts of a report: HTML that needs nothing else, from tables and figures."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autosched.tune.matrix import Cover, Matrix

_STYLE = """body{font:15px/1.55 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1.2em;color:#222}
h1{font-size:1.7em;margin-bottom:.2em}h2{font-size:1.2em;margin:2em 0 .5em;padding-top:.6em;border-top:1px solid #ddd}
nav a{margin-right:1.1em;color:#0072b2;text-decoration:none}
p{max-width:48em}table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.4em 0}
td,th{padding:.2em .9em .2em 0;text-align:left;vertical-align:top}th{font-weight:600;border-bottom:1px solid #bbb}
.grid td,.grid th{padding:.25em .8em;text-align:right}.grid :is(td,th):first-child{text-align:left}
.grid td.served{font-weight:700;box-shadow:inset 0 0 0 2px #222}.bar{background:#0072b2;height:.8em;margin-top:.4em}
.facts{font-size:1.15em}pre{background:#f6f6f6;padding:1em;overflow-x:auto;font-size:12px;line-height:1.4}.wrap{white-space:pre-wrap}
summary{cursor:pointer;color:#0072b2}svg{max-width:100%;height:auto}"""

#: The loss at which a cell of the matrix has its full colour, and that colour.
_FULL, _COLOUR = 0.5, (213, 94, 0)


def page(title: str, facts: str, parts: Sequence[tuple[str, str]]) -> str:
    """The whole page; `facts` and what is in `parts` are HTML already."""
    names = {head: f"part{i}" for i, (head, _) in enumerate(parts)}
    links = "".join(f'<a href="#{name}">{escape(head)}</a>' for head, name in names.items())
    body = "\n".join(f'<h2 id="{names[head]}">{escape(head)}</h2>\n{content}' for head, content in parts)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>\n'
        f'<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n<p class="facts">{facts}</p>\n<nav>{links}</nav>\n'
        f"{body}\n</html>\n"
    )


def text(said: str) -> str:
    """A paragraph; what is between backquotes is code."""
    parts = escape(said).split("`")
    return "<p>" + "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts)) + "</p>"


def pre(code: str, wrap: bool = False) -> str:
    """Text as it is; with `wrap`, long lines are broken."""
    kind = ' class="wrap"' if wrap else ""
    return f"<pre{kind}>{escape(code)}</pre>"


def folded(summary: str, content: str) -> str:
    """`content`, HTML, that is shown when it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = (), kind: str = "") -> str:
    """Rows of text; a `kind` "grid" aligns all but the first column to the right."""
    lines = [("th", head)] if head else []
    lines += [("td", row) for row in rows]
    made = ("<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>" for tag, cells in lines)
    return f"<table{f' class={kind}' if kind else ''}>{''.join(made)}</table>"


def bars(shares: dict[str, float]) -> str:
    """Shares of one as bars with their numbers."""
    most = max(shares.values(), default=1.0) or 1.0
    rows = (
        f"<tr><td>{escape(name)}</td><td>{100 * share:.0f} %</td>"
        f'<td><div class="bar" style="width:{24 * share / most:.2f}em"></div></td></tr>'
        for name, share in shares.items()
    )
    return f"<table>{''.join(rows)}</table>"


def grid(matrix: Matrix, cover: Cover) -> str:
    """Schedules by workloads: milliseconds and what is lost against the best, the more the darker."""
    head = "".join(f"<th>{escape(w)}<br><small>{escape(row.bucket)}</small></th>" for w, row in matrix.rows.items())
    lines = []
    workloads = list(matrix.rows)
    for label in sorted(matrix.schedules, key=lambda s: (s not in cover.kept, matrix.loss(workloads, s))):
        cells = []
        for row in matrix.rows.values():
            took = row.seconds.get(label)
            if took is None:
                cells.append("<td>fails</td>")
                continue
            loss = row.loss(label)
            mixed = ",".join(str(round(255 + (c - 255) * min(loss / _FULL, 1.0) * 0.75)) for c in _COLOUR)
            served = ' class="served"' if cover.serves[row.bucket] == label else ""
            ms = 1e3 * took.median / row.items
            cells.append(f'<td{served} style="background:rgb({mixed})">{ms:.4g} ms, +{100 * loss:.1f} %</td>')
        lines.append(f"<tr><td>{escape(label)}</td>{''.join(cells)}</tr>")
    return f'<table class="grid"><tr><th>schedule</th>{head}</tr>{"".join(lines)}</table>'


def svg(figure: Any) -> str:
    """A figure as part of the page, without the XML declaration."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    drawn = buffer.getvalue()
    return drawn[drawn.index("<svg") :]
