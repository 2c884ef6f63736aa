"""Flashing is one rising count, whatever pyOCD counts."""

from __future__ import annotations

import pytest

from pytest_lan_hil.dut.probe import _Progress


@pytest.mark.parametrize("end", [1.0, 1.0000000000000002], ids=["exact", "rounded up"])
def test_erasing_and_programming_fill_half_of_the_way_each(end: float) -> None:
    shown: list[float] = []
    progress = _Progress(shown.append)
    for share in (0.0, 0.5, end, 1.0) * 2:
        progress(share)
    progress(1.0)
    assert shown == pytest.approx([0.25, 0.5, 0.75, 1.0])
