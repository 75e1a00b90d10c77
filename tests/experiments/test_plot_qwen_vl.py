"""The figures are drawn from any table of results, and the same table gives the same files."""

from __future__ import annotations

from pathlib import Path

from rows import row

from experiments.results import Results
from plots import plot_qwen_vl


def test_all_figures(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.csv")
    results.add(
        row(implementation=name, measure=measure, against=against, value=value, low=0.9 * value, high=1.2 * value)
        for name, value in (("hf-pil", 0.3), ("autosched-v1", 2.0), ("autosched", 12.0), ("autosched-pil", 1.0))
        for measure, against in (("speedup", "hf-torchvision"), ("times floor", "floor"), ("peak memory", ""))
    )
    for folder in ("a", "b"):
        plot_qwen_vl.main(results.path, tmp_path / folder)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [f"qwen_vl-{name}-1-thread.png" for name in ("floor", "memory", "speedup")]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_bars_are_where_the_numbers_are(tmp_path: Path) -> None:
    rows = [row(measure="speedup", against="hf-torchvision", value=4.0, low=3.5, high=4.5)]
    figure = plot_qwen_vl.speedups(rows)
    assert figure is not None
    (axes,) = figure.axes
    (bar,) = axes.patches
    assert (bar.get_x(), bar.get_x() + bar.get_width()) == (1.0, 4.0)  # type: ignore[attr-defined]
    assert any(list(line.get_xdata()) == [3.5, 4.5] for line in axes.lines)  # type: ignore[arg-type]
    assert "4  autosched" in [text.get_text() for text in axes.texts]
    assert plot_qwen_vl.memory(rows) is None, "there are no rows of memory"
