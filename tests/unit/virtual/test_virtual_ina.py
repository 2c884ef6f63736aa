"""The register models of INA219 and INA228, against the data sheets' words and worked examples."""

from __future__ import annotations

import errno
import sys

import pytest
from fake_board import FakeBoard

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.ina_front import mean_of
from pytest_lan_hil.virtual.smbus import VirtualSMBus, bus_on, open_bus
from pytest_lan_hil.virtual.traces import Recorder

CONFIG, SHUNT, BUS, POWER, CURRENT, CALIBRATION = range(6)
# 16 V, 40 mV, 12 bits both, continuous.
CONTINUOUS = 0x019F
ADC_CONFIG, SHUNT_CAL, VSHUNT, VBUS, CURRENT_228, ENERGY, DIAG_ALRT = 1, 2, 4, 5, 7, 9, 0xB


class Rig:
    """A bus on a scripted board, with registers as numbers."""

    def __init__(self, chip: str, current_a: float = 1e-3, *, shunt_ohm: float = 10.0, **options) -> None:
        self.board = FakeBoard(current_a, loads=options.pop("loads", ()))
        self.bus: VirtualSMBus = bus_on(self.board, chip=chip, shunt_ohm=shunt_ohm, **options)

    def read(self, register: int, size: int = 2) -> int:
        return int.from_bytes(bytes(self.bus.read_i2c_block_data(0x40, register, size)), "big")

    def write(self, register: int, value: int) -> None:
        self.bus.write_i2c_block_data(0x40, register, [value >> 8, value & 0xFF])

    def wait(self, seconds: float) -> None:
        self.board.clock.sleep(seconds)


def test_ina219_resets_to_its_defaults_and_the_reset_bit_clears_itself() -> None:
    rig = Rig("ina219")
    rig.write(CONFIG, CONTINUOUS)
    rig.write(CALIBRATION, 0x1001)
    assert (rig.read(CONFIG), rig.read(CALIBRATION)) == (CONTINUOUS, 0x1000)
    rig.write(CONFIG, 0x8000)
    assert (rig.read(CONFIG), rig.read(CALIBRATION)) == (0x399F, 0)


@pytest.mark.parametrize(
    ("adc", "shunt_s"),
    [(0b0000, 84e-6), (0b0001, 148e-6), (0b0010, 276e-6), (0b0011, 532e-6), (0b1011, 8 * 532e-6)],
)
def test_ina219_converts_as_long_as_resolution_and_averaging_say(adc: int, shunt_s: float) -> None:
    rig = Rig("ina219")
    rig.write(CONFIG, 0x0180 | adc << 3 | 0b111)
    period_s = shunt_s + 532e-6
    rig.wait(0.94 * period_s)  # the oscillator is off by up to 6 %
    assert not rig.read(BUS) & 0b10
    rig.wait(0.12 * period_s)
    assert rig.read(BUS) & 0b10


@pytest.mark.parametrize("clears", [POWER, BUS])
def test_ina219_conversion_ready_clears_as_data_sheet_and_silicon_have_it(clears: int) -> None:
    rig = Rig("ina219")
    rig.write(CONFIG, CONTINUOUS)
    rig.wait(2e-3)
    rig.read(clears)
    assert not rig.read(BUS) & 0b10


def test_ina219_calculates_current_and_power_from_the_calibration() -> None:
    rig = Rig("ina219")
    rig.write(CONFIG, CONTINUOUS)
    rig.wait(2e-3)
    assert (rig.read(CURRENT), rig.read(POWER)) == (0, 0)
    rig.write(CALIBRATION, 4096)
    rig.wait(2e-3)
    shunt, bus = rig.read(SHUNT), rig.read(BUS) >> 3
    assert rig.read(CURRENT) == shunt == pytest.approx(1029, abs=30)  # 1 mA and 29 uA of its own, 1 uA each
    assert rig.read(POWER) == shunt * bus // 5000
    assert bus * 4e-3 == pytest.approx(2.99, rel=5e-3)


@pytest.mark.parametrize(("current_a", "overflows"), [(1e-3, 0), (3e-3, 1)])
def test_ina219_flags_an_overflow_of_its_arithmetic(current_a: float, overflows: int) -> None:
    rig = Rig("ina219", current_a)
    rig.write(CALIBRATION, 0xFFFE)  # 16 times the shunt's code, in a register of 15 bits and sign
    rig.write(CONFIG, CONTINUOUS)
    rig.wait(2e-3)
    assert rig.read(BUS) & 0b01 == overflows


def test_ina219_clips_the_shunt_voltage_at_its_range() -> None:
    rig = Rig("ina219", 5e-3)
    for gain, code in enumerate((4000, 5029, 5029, 5029)):
        rig.write(CONFIG, CONTINUOUS | gain << 11)
        rig.wait(2e-3)
        assert rig.read(SHUNT) == pytest.approx(code, rel=0.02)
    rig.write(CONFIG, CONTINUOUS)
    rig.wait(2e-3)
    assert rig.read(SHUNT) == 4000


def test_ina219_reads_in_coarser_steps_with_fewer_bits() -> None:
    rig = Rig("ina219")
    rig.write(CONFIG, 0x0180 | 0b0000 << 3 | 0b111)
    rig.wait(2e-3)
    assert rig.read(SHUNT) % 8 == 0
    assert rig.read(SHUNT) == pytest.approx(1029, abs=40)


def test_ina219_averages_the_load_over_a_conversion() -> None:
    switching = [(k * 1e-4, 2e-3 if k % 2 else 0.0) for k in range(400)]
    rig = Rig("ina219", loads=switching)
    rig.write(CONFIG, 0x0180 | 0b1011 << 3 | 0b111)
    rig.wait(6e-3)
    assert rig.read(SHUNT) == pytest.approx(1029, abs=40)


def test_a_chip_that_is_powered_down_lets_go_of_the_board() -> None:
    for chip, register, sleep in (("ina219", CONFIG, 0), ("ina228", ADC_CONFIG, 0)):
        rig = Rig(chip)
        rig.write(register, sleep)
        assert not rig.board.power._recorders


def test_a_specimen_is_fixed_by_its_seed_and_a_capture_repeats() -> None:
    def reading(seed: int) -> int:
        rig = Rig("ina228", seed=seed)
        rig.write(ADC_CONFIG, 0xB000 | 7 << 6)
        rig.wait(5e-3)
        return rig.read(VSHUNT, 3)

    assert reading(1) == reading(1)
    assert reading(1) != reading(2)


def test_ina228_resets_to_its_defaults_and_tells_who_it_is() -> None:
    rig = Rig("ina228")
    rig.write(SHUNT_CAL, 5)
    rig.write(CONFIG, 0x8000)
    assert (rig.read(ADC_CONFIG), rig.read(SHUNT_CAL)) == (0xFB68, 0x1000)
    assert (rig.read(0x3E), rig.read(0x3F) >> 4) == (0x5449, 0x228)


def test_ina228_current_is_the_shunt_code_times_4096_over_the_calibration() -> None:
    # SLYS021A, table 8-4: 97.2 mV on 16.2 mohm with SHUNT_CAL 4050 are 314572 steps of 19.07 uA.
    rig = Rig("ina228", 6.0, shunt_ohm=0.0162, shunt_tolerance=1e-9)
    rig.write(SHUNT_CAL, 4050)
    rig.write(ADC_CONFIG, 0xB000 | 4 << 9 | 7 << 6)
    rig.wait(0.01)
    assert rig.read(VSHUNT, 3) >> 4 == pytest.approx(311040, rel=1e-3)
    assert rig.read(CURRENT_228, 3) >> 4 == pytest.approx(314572, rel=1e-3)


def test_ina228_adds_up_energy_over_every_conversion_and_rolls_over() -> None:
    rig = Rig("ina228", 1e-3, shunt_tolerance=1e-9)
    rig.write(CONFIG, 0x4010)
    rig.write(ADC_CONFIG, 0xB000 | 3 << 9 | 7 << 6)
    rig.wait(1.0)
    lsb_j = 16 * 3.2 * 78.125e-9 / 10
    joules = rig.read(ENERGY, 5) * lsb_j
    assert joules == pytest.approx(1.003e-3 * 2.99, rel=0.02)
    device = rig.bus._devices[0x40]
    device._energy = (1 << 40) - 10.0
    rig.wait(0.1)
    assert rig.read(DIAG_ALRT) & 0x0800
    assert rig.read(ENERGY, 5) * lsb_j < 1e-3
    assert not rig.read(DIAG_ALRT) & 0x0800


def test_ina228_conversion_ready_stays_until_it_is_read() -> None:
    rig = Rig("ina228")
    rig.write(DIAG_ALRT, 0x8000)
    rig.write(ADC_CONFIG, 0xB000 | 3 << 9 | 7 << 6)
    assert rig.read(DIAG_ALRT) == 0x8001
    rig.wait(5e-3)
    assert rig.read(DIAG_ALRT) == 0x8003
    assert rig.read(DIAG_ALRT) == 0x8001


def test_ina228_averages_before_it_is_ready() -> None:
    rig = Rig("ina228")
    rig.write(DIAG_ALRT, 0x8000)
    rig.write(ADC_CONFIG, 0xB000 | 3 << 9 | 4 << 6 | 2)
    rig.wait(15 * 820e-6)
    assert not rig.read(DIAG_ALRT) & 2
    rig.wait(2 * 820e-6)
    assert rig.read(DIAG_ALRT) & 2


def test_the_bus_fails_as_linux_does() -> None:
    rig = Rig("ina219", faults=Faults.parse("drop@1:0.5,analyzer_vanish@2"))
    with pytest.raises(OSError, match="Remote I/O") as absent:
        rig.bus.read_i2c_block_data(0x41, 0, 2)
    assert absent.value.errno == errno.EREMOTEIO
    rig.wait(5)
    assert rig.read(CONFIG) == 0x399F  # faults count from the start of a capture
    rig.bus.repeat(lambda: 1.0)
    rig.wait(1.2)
    with pytest.raises(OSError) as stuck:
        rig.read(CONFIG)
    assert stuck.value.errno == errno.ETIMEDOUT
    rig.wait(0.5)
    assert rig.read(CONFIG) == 0x399F
    rig.wait(1)
    with pytest.raises(OSError) as gone:
        rig.read(CONFIG)
    assert gone.value.errno == errno.EREMOTEIO


def test_a_closed_bus_lets_go_of_the_board_once() -> None:
    released = []
    board = FakeBoard()
    bus = bus_on(board, chip="ina228", shunt_ohm=1.0, release=lambda: released.append(1))
    bus.close()
    bus.close()
    assert released == [1]
    assert not board.power._recorders
    with pytest.raises(OSError):
        bus.read_i2c_block_data(0x40, 0, 2)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"colour": "red"}, "no option 'colour'"),
        ({"shunt_ohm": "ten"}, "could not convert"),
        ({"supply_v": "5"}, "outside"),
        ({"fault": "fire@1"}, "fire@1"),
    ],
)
def test_a_virtual_bus_names_an_option_that_is_wrong(options: dict[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_bus("nrf52840", {"chip": "ina219", "shunt_ohm": "10", **options})


def test_mean_of_a_stepped_signal_weighs_by_time() -> None:
    recorder = Recorder(0, 1.0)
    recorder.add(25, 5.0)
    recorder.add(75, 3.0)
    assert mean_of(recorder.take(100)) == pytest.approx(0.25 * 1 + 0.5 * 5 + 0.25 * 3)


def test_ina219_clips_every_conversion_that_it_averages() -> None:
    half = [(k * 532e-6 * 8, 6e-3 if k % 2 else 1e-3) for k in range(1, 40)]
    rig = Rig("ina219", 1e-3, loads=half)
    rig.write(CONFIG, 0x0180 | 0b1100 << 3 | 0b111)
    rig.wait(0.03)
    # About half of 16 conversions at 40 mV instead of 60, and half at 10 mV.
    assert rig.read(SHUNT) == pytest.approx((4000 + 1029) / 2, rel=0.15)
    assert rig.read(SHUNT) < (6000 + 1029) / 2 * 0.85


@pytest.mark.parametrize(("alert", "flag"), [(0x8000, 0x0040), (0xA000, 0)])
def test_ina228_compares_each_conversion_or_the_average_with_the_shunts_limits(alert: int, flag: int) -> None:
    rig = Rig("ina228", 1e-3, loads=[(1e-3, 3e-3), (3e-3, 1e-3)])
    rig.write(0x0C, round(20e-3 / 5e-6))
    rig.write(DIAG_ALRT, alert)
    rig.write(ADC_CONFIG, 0xB000 | 3 << 9 | 3 << 6 | 2)
    rig.wait(0.012)
    assert rig.read(DIAG_ALRT) & 0x0040 == flag
    assert not rig.read(DIAG_ALRT) & 0x0040  # reading clears what was latched
    rig.write(0x0D, round(15e-3 / 5e-6))
    rig.wait(0.012)
    assert rig.read(DIAG_ALRT) & 0x0020


class Interrupted:
    """Raises KeyboardInterrupt when the virtual chip has run so many lines."""

    def __init__(self, lines: int) -> None:
        self.left = lines
        self._before = sys.gettrace()

    def __enter__(self) -> Interrupted:
        sys.settrace(self._call)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame, event, arg):
        return self._line if frame.f_globals["__name__"].startswith("pytest_lan_hil.virtual.ina") else None

    def _line(self, frame, event, arg):
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self._line


@pytest.mark.parametrize("chip", ["ina219", "ina228"])
def test_ctrl_c_between_any_two_statements_of_a_conversion_leaves_a_chip_that_converts_on(chip: str) -> None:
    config, shunt, news = (CONFIG, SHUNT, BUS) if chip == "ina219" else (ADC_CONFIG, VSHUNT, DIAG_ALRT)
    interrupts = 0
    for lines in range(1, 400):
        rig = Rig(chip)
        repetition = rig.bus.repeat(lambda rig=rig: 1e-3 + 0 * rig.read(news))
        rig.write(config, CONTINUOUS if chip == "ina219" else 0xB000 | 3 << 9 | 3 << 6)
        try:
            with Interrupted(lines):
                rig.wait(2.5e-3)
        except KeyboardInterrupt:
            interrupts += 1
        else:
            break
        rig.wait(6e-3)
        repetition.stop()
        assert rig.read(shunt, 2) == pytest.approx(1029 if chip == "ina219" else 10.29e-3 / 5e-6, rel=0.05)
        rig.bus.close()
        assert not rig.board.power._recorders
    assert 50 < interrupts < 399


def test_a_repetition_that_ctrl_c_breaks_off_is_due_again_and_never_in_the_past() -> None:
    rig, calls = Rig("ina219"), []

    def act() -> float:
        calls.append(rig.board.now)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return 1e-3

    repetition = rig.bus.repeat(act)
    with pytest.raises(KeyboardInterrupt):
        rig.wait(5e-3)
    assert repetition.next_tick() > rig.board.now
    rig.wait(5e-3)
    assert len(calls) >= 6
