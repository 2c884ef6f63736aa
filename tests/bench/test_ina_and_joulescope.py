"""INA219, INA228 and Joulescope in the supply of one virtual nRF52840 while its firmware listens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from virtual_session import run_project

from pytest_lan_hil.dut.image import load_image
from pytest_lan_hil.instruments.registry import open_analyzer
from pytest_lan_hil.measure.quantities import mean_power
from pytest_lan_hil.model.errors import InstrumentError
from pytest_lan_hil.model.measurement import Estimate
from pytest_lan_hil.virtual.board import VirtualBoard, acquire, release

IMAGE = Path(__file__).parents[2] / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"
BOARD = "nrf52840-meters"
METERS = {
    "joulescope": f"joulescope+virtual:{BOARD}?supply_v=3.0",
    "ina219": f"ina219+virtual:{BOARD}?shunt_ohm=10&range_mv=80&supply_v=3.0",
    "ina219 with the usual shunt": f"ina219+virtual:{BOARD}?shunt_ohm=0.1&range_mv=40&supply_v=3.0",
    "ina228": f"ina228+virtual:{BOARD}?shunt_ohm=10&supply_v=3.0",
}
FRAME_S = 0.032


def boot(board: VirtualBoard) -> None:
    """The shipped firmware, ready for commands."""
    for segment in load_image(IMAGE).segments:
        board.chip.bus.write_memory(segment.address, segment.data)
    board.chip.reset("power_on")
    board.clock.sleep(0.5)


@pytest.fixture(scope="module")
def listening() -> Iterator[VirtualBoard]:
    board = acquire(BOARD)
    boot(board)
    board.uart0.host_write(b"lnn listen 20000%")
    board.clock.sleep(0.5)
    yield board
    release(board)


@pytest.fixture(scope="module")
def powers(listening: VirtualBoard) -> dict[str, Estimate]:
    """Mean power by every meter over the same four seconds, frame by frame."""
    meters = {name: open_analyzer(uri, markers={}, supply_v=3.0) for name, uri in METERS.items()}
    for meter in meters.values():
        meter.start()
    listening.clock.sleep(4.0)
    captures = {name: meter.stop() for name, meter in meters.items()}
    for meter in meters.values():
        meter.close()
    whole = FRAME_S * int(3.9 / FRAME_S)
    return {name: mean_power(one, stop_s=whole).estimate for name, one in captures.items()}


@pytest.mark.parametrize("name", [name for name in METERS if name != "joulescope"])
def test_an_ina_agrees_with_the_joulescope_within_the_stated_uncertainties(
    powers: dict[str, Estimate], name: str
) -> None:
    ina, joulescope = powers[name], powers["joulescope"]
    instruments = (ina.instrument_error**2 + joulescope.instrument_error**2) ** 0.5
    assert abs(ina.value - joulescope.value) <= instruments
    assert ina.low <= joulescope.value <= ina.high


def test_the_stated_uncertainties_say_which_meter_is_the_better(powers: dict[str, Estimate]) -> None:
    errors = {name: estimate.instrument_error for name, estimate in powers.items()}
    assert errors["ina228"] < errors["ina219"] < errors["ina219 with the usual shunt"]
    assert errors["ina219"] < 0.15 * powers["joulescope"].value
    assert errors["ina219 with the usual shunt"] > powers["joulescope"].value


PULSED_BOARD = "nrf52840-pulses"
HOLDING = (
    f"joulescope+virtual:{PULSED_BOARD}?supply_v=3.0",
    f"ina228+virtual:{PULSED_BOARD}?shunt_ohm=10&range_mv=160&averaging=64&conversion_us=280",
    f"ina219+virtual:{PULSED_BOARD}?shunt_ohm=10&range_mv=80",
)
CLIPPING = (
    f"ina228+virtual:{PULSED_BOARD}?shunt_ohm=20&range_mv=40&averaging=64&conversion_us=280",
    f"ina219+virtual:{PULSED_BOARD}?shunt_ohm=20&range_mv=40&averaging=16",
    f"ina219+virtual:{PULSED_BOARD}?shunt_ohm=20&range_mv=40",
)


def test_inferences_are_the_same_to_every_meter_whose_range_holds_them_and_refused_by_any_other() -> None:
    """5 mA for a millisecond in every 20 are a small mean, which the ranges that they exceed would hold."""
    board = acquire(PULSED_BOARD)
    try:
        boot(board)
        for command in (b"lnn pace 20%", b"infer 300 0%"):
            board.uart0.host_write(command)
            board.clock.sleep(0.5)
        meters = [open_analyzer(uri, markers={}, supply_v=3.0) for uri in (*HOLDING, *CLIPPING)]
        for meter in meters:
            meter.start()
        board.clock.sleep(3.1)
        estimates = [mean_power(meter.stop(), stop_s=3.0).estimate for meter in meters[: len(HOLDING)]]
        for meter in meters[len(HOLDING) :]:
            with pytest.raises(InstrumentError, match="exceeded"):
                meter.stop()
        for meter in meters:
            meter.close()
    finally:
        release(board)
    joulescope = estimates[0]
    assert joulescope.value > 0.5
    # 5 mA take 50 mV of 3 V on 10 ohm, which the board does not get.
    burden = 0.05 / 3 * joulescope.value
    for ina in estimates[1:]:
        error = ina.instrument_error + joulescope.instrument_error
        assert -error <= joulescope.value - ina.value <= error + burden


PROJECT = """
    import pytest

    @pytest.mark.power_budget(0.9)
    def test_listening(dut):
        dut.run_for(4)
"""


def test_the_shipped_bench_with_an_ina219_judges_the_power_budget(tmp_path: Path) -> None:
    session = run_project(tmp_path, PROJECT, "--bench", "virtual-ina219")
    assert session.code == 0, session.said
    power = session.test("test_listening")["measurements"]["power"]
    assert "INA219" in power["instrument"]
    assert power["simulated"] is True
    assert "SIMULATED" in session.said


def test_a_budget_that_a_shunt_of_a_tenth_of_an_ohm_cant_resolve_is_inconclusive(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[2] / "benches" / "virtual-ina219.toml").read_text(encoding="utf-8")
    (tmp_path / "benches").mkdir()
    coarse = shipped.replace("shunt_ohm=10&range_mv=80", "shunt_ohm=0.1&range_mv=40")
    assert coarse != shipped
    (tmp_path / "benches" / "coarse.toml").write_text(coarse, encoding="utf-8")
    session = run_project(tmp_path, PROJECT, "--bench", "coarse")
    test = session.test("test_listening")
    assert test["outcome"] == "blocked"
    assert [verdict["kind"] for verdict in test["verdicts"]] == ["inconclusive"]
    notes = " ".join(test["measurements"]["power"]["notes"])
    assert re.search(r"this INA219 with 0\.1 ohm is 100 uA.*a shunt of [12]0 ohm would make that", notes)
