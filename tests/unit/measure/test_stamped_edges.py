"""Edges that a program stamped itself came over no wire, and so can't have bounced."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_lan_hil.measure.windows import find_windows
from pytest_lan_hil.model.capture import EdgeLine
from pytest_lan_hil.model.errors import MeasurementInvalid

# 9 us of work, half a microsecond of pause, over and over.
STARTS = np.arange(50) * 9.5e-6
TIMES = np.column_stack([STARTS, STARTS + 9e-6]).ravel()


def line(*, wired: bool) -> EdgeLine:
    return EdgeLine(TIMES, high_at_start=False, duration_s=1e-3, resolution_s=1e-9, wired=wired)


def test_short_pauses_between_stamped_windows_are_pauses() -> None:
    windows = find_windows(line(wired=False))
    assert windows.duration_s == pytest.approx(np.full(50, 9e-6))
    assert windows.notes == ()


def test_on_a_wire_they_can_not_be_told_from_a_disturbance() -> None:
    with pytest.raises(MeasurementInvalid, match="low for less than 2 us"):
        find_windows(line(wired=True))
