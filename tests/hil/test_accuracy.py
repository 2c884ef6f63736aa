"""The network on the DUT names spoken digits as often as the board promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.run.fixtures import Accuracy

SPOKEN_DIGITS = Path("../../datasets/spoken-digits")
"""Made by synthesizers; see its README. Relative to this file."""


@pytest.mark.accuracy_budget
def test_accuracy_on_spoken_digits(dut: Dut, accuracy: Accuracy) -> None:
    accuracy.evaluate(SPOKEN_DIGITS)
