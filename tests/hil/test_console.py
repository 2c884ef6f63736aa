"""The DUT answers on its console as the MLPerf Tiny DUT API says."""

from __future__ import annotations

import pytest

from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.model.errors import DutProtocolError


def test_dut_says_its_name(dut: Dut) -> None:
    assert "lan" in dut.name()


def test_dut_reports_the_build_that_was_flashed(dut: Dut) -> None:
    assert dut.image is not None
    assert dut.identity().known
    assert str(dut.identity()) == dut.image.build_id


def test_inference_results_are_probabilities_of_every_class(dut: Dut) -> None:
    dut.infer(1)
    results = dut.results()
    assert len(results) == 12
    assert sum(results) == pytest.approx(1.0, abs=0.01)


def test_unknown_command_is_refused_and_the_dut_stays_usable(dut: Dut) -> None:
    with pytest.raises(DutProtocolError):
        dut.command("make-coffee")
    assert dut.name()
