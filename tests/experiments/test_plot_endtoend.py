"""The end-to-end figures say what is measured and what is modelled, and their points are where the numbers are."""

from __future__ import annotations

from typing import Any

from rows import row

from experiments.results import Row
from plots import plot_endtoend

PLACE: dict[str, Any] = {"family": "smolvlm-256m", "workload": "1920x1080", "threads": 2}


def rows() -> list[Row]:
    made = []
    for name, value in (("hf-torchvision", 60.0), ("autosched", 20.0)):
        common = {**PLACE, "implementation": name, "unit": "%", "note": "model on this CPU, bf16"}
        made.append(row(**common, measure="share", case="", value=value / 10, low=value / 11, high=value / 9))
        for index, against in enumerate(("20% of peak", "40% of peak", "60% of peak")):
            shift = 10.0 * (index - 1)
            modelled = {"case": "modelled", "part": "H100", "against": against, "note": "modelled: so"}
            made.append(row(**{**common, **modelled}, measure="share", value=value + shift))
        for case, against in (("stream", ""), ("modelled stream", "H100 at 40% of peak")):
            for part, rate in (("in turns", 2.0), ("overlapped", 3.0)):
                placed = {**common, "case": case, "part": part, "against": against}
                made.append(row(**placed, measure="throughput", value=rate, low=rate, high=rate))
    wait = {"implementation": "model", "measure": "time", "case": "modelled stream", "part": "H100"}
    return [*made, row(**PLACE, **wait, against="40% of peak", value=250.0)]


def test_shares() -> None:
    figure = plot_endtoend.shares(rows())
    assert figure is not None
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["this CPU, measured", "H100, modelled"]
    points = {(float(line.get_xdata()[0]), str(line.get_markerfacecolor())) for line in axes.lines  # type: ignore[index]
              if line.get_marker() == "o" and len(line.get_xdata())}  # type: ignore[arg-type]  # fmt: skip
    outlined = {value for value, face in points if face == "white"}
    assert outlined == {60.0, 20.0}, "modelled points are outlined, at 40 % of the peak"
    assert {value for value, face in points if face != "white"} == {6.0, 2.0}
    bands = {tuple(line.get_xdata()) for line in axes.lines if line.get_marker() == "None"}
    assert bands == {(50.0, 70.0), (10.0, 30.0)}
    assert "MEASURED" in figure.get_suptitle() and "MODELLED" in figure.get_suptitle()


def test_what_is_left_out_is_said() -> None:
    partly = [one for one in rows() if one.case == "" and one.measure == "share"]
    changed = [row(**{**PLACE, "implementation": one.implementation, "measure": "share", "value": one.value,
                      "note": "model on this CPU, bf16; vision tower only: no room"}) for one in partly]  # fmt: skip
    figure = plot_endtoend.shares(changed)
    assert figure is not None
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["this CPU, vision tower only"]


def test_streams() -> None:
    figure = plot_endtoend.streams(rows())
    assert figure is not None
    measured, modelled = (axes for axes in figure.axes if axes.get_title(loc="left"))
    assert "MEASURED here" in measured.get_title(loc="left") and "MODELLED H100" in modelled.get_title(loc="left")
    widths = [bar.get_width() for bar in modelled.patches]  # type: ignore[attr-defined]
    assert widths == [2.0, 3.0] * 2
    assert any(list(line.get_xdata()) == [4.0, 4.0] for line in modelled.lines), "250 ms on the device are 4 a second"
    assert not any(list(line.get_xdata()) == [4.0, 4.0] for line in measured.lines)


def test_without_numbers_there_is_no_figure() -> None:
    assert plot_endtoend.shares([]) is None and plot_endtoend.streams([]) is None
