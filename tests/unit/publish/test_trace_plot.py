"""The picture of a recorded capture: what its axes show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_lan_hil.model.capture import Accuracy, Capture, InstrumentIdentity
from pytest_lan_hil.publish.plot import Plot, write_plot

PLOT = Plot("run.npz", [(0.1, 0.2)], ["window"], [["1"]], [])


def steady(current_a: float) -> Capture:
    return Capture(
        1e4,
        np.full(10_000, current_a, np.float32),
        np.full(10_000, 3.0, np.float32),
        InstrumentIdentity("Joulescope JS220", "1"),
        Accuracy(0, 0, 0, 0, 0, "made up"),
    )


@pytest.fixture
def axes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The axes of each figure that is drawn."""
    figures = pytest.importorskip("matplotlib.figure", reason="extra plot is not installed")
    found: list[Any] = []
    original = figures.Figure.add_subplot

    def remembered(figure: Any) -> Any:
        found.append(original(figure))
        return found[-1]

    monkeypatch.setattr(figures.Figure, "add_subplot", remembered)
    return found


@pytest.mark.parametrize(
    ("current_a", "bottom", "top"), [(2e-3, 0.0, 6.3), (-2e-3, -6.0, 0.3), (0.0, 0.0, 1.0)]
)
def test_a_steady_load_lies_inside_the_frame(
    axes: list[Any], tmp_path: Path, current_a: float, bottom: float, top: float
) -> None:
    write_plot(steady(current_a), PLOT, tmp_path / "plot.png")
    assert axes[0].get_ylim() == pytest.approx((bottom, top), rel=1e-4)


def test_few_windows_are_shaded_and_many_are_counted(axes: list[Any], tmp_path: Path) -> None:
    write_plot(steady(2e-3), PLOT, tmp_path / "few.png")
    many = replace(PLOT, spans=[(k / 1000, (k + 1) / 1000) for k in range(1000)])
    write_plot(steady(2e-3), many, tmp_path / "many.png")
    few_patches, many_patches = (len(one.patches) for one in axes)
    assert (few_patches, many_patches) == (1, 0)
    assert "1000 windows, too many to shade each" in axes[1].get_title(loc="left")
