"""INA URIs, I2C errors in words, sampling in the host's time, and the arithmetic behind the advice."""

from __future__ import annotations

import errno
import os
import time

import numpy as np
import pytest

from pytest_lan_hil.instruments.ina219 import Ina219, calibration, least_clipped_v
from pytest_lan_hil.instruments.ina228 import Ina228, shunt_calibration
from pytest_lan_hil.instruments.ina_advice import advice, power_error_w, range_for, shunt_that_settles
from pytest_lan_hil.instruments.ina_bus import BusError, Registers
from pytest_lan_hil.instruments.ina_limits import INA219, INA228, Shunt, accuracy
from pytest_lan_hil.instruments.ina_sampling import (
    Conversions,
    Sampler,
    cell_energies,
    counted,
    covering,
    measured_period,
    missed_share,
)
from pytest_lan_hil.instruments.registry import open_analyzer
from pytest_lan_hil.model.clock import HOST_CLOCK
from pytest_lan_hil.model.errors import InputError, InstrumentError

smbus2 = pytest.importorskip("smbus2")


@pytest.mark.parametrize("shunt", ["0", "-0.1", "nan", "inf", "R100"])
def test_a_shunt_that_is_none_is_refused(shunt: str) -> None:
    with pytest.raises(InputError, match=f"shunt_ohm={shunt} is not a number above 0"):
        open_analyzer(f"ina219:/dev/i2c-1?shunt_ohm={shunt}", markers={})


@pytest.mark.parametrize(
    ("uri", "says", "fix"),
    [
        ("ina219:/dev/i2c-1", "which shunt", "shunt_ohm=0.1"),
        ("ina219:?shunt_ohm=1", "names no I2C bus", "ina219:/dev/i2c-1"),
        ("ina219:/dev/i2c-1?shunt_ohm=1&conversion_us=50", "no option 'conversion_us'", "bits"),
        ("ina219:/dev/i2c-1?shunt_ohm=1&address=0x39", "address=0x39", "0x40"),
        ("ina219:/dev/i2c-1?shunt_ohm=1&averaging=3", "averaging=3", "1, 2, 4, 8"),
        ("ina219:/dev/i2c-1?shunt_ohm=1&bits=10&averaging=2", "12 bits only", "averaging=1"),
        ("ina219:/dev/i2c-1?shunt_ohm=1&range_mv=50", "no range of 50 mV", "40, 80, 160, 320"),
        ("ina219:/dev/i2c-1?shunt_ohm=1&max_current_a=0.4", "0.4 V on 1 ohm", "at most 0.8 ohm"),
        ("ina228:/dev/i2c-1?shunt_ohm=1&conversion_us=51", "conversion_us=51", "4120"),
        ("ina219+nothing:x?shunt_ohm=1", "no I2C bus 'nothing'", "virtual"),
    ],
)
def test_an_option_that_is_wrong_is_named_with_what_to_write(uri: str, says: str, fix: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        open_analyzer(uri, markers={})
    assert fix in error.value.fix


@pytest.mark.parametrize(
    ("code", "says", "fix"),
    [
        (errno.ENOENT, "no such bus", "i2c-dev"),
        (errno.EACCES, "permission denied", "usermod -aG i2c"),
        (errno.ENOTTY, "ioctl", "i2cdetect"),
    ],
)
def test_a_bus_that_cant_be_opened_says_why(monkeypatch, code: int, says: str, fix: str) -> None:
    def refuse(bus):
        raise OSError(code, os.strerror(code), bus)

    monkeypatch.setattr(smbus2, "SMBus", refuse)
    with pytest.raises(InstrumentError, match=says) as error:
        open_analyzer("ina219:/dev/i2c-7?shunt_ohm=1", markers={})
    assert "/dev/i2c-7" in error.value.problem
    assert fix in error.value.fix


class Bus:
    """An I2C bus with a device that plays a script: register to its value, or an errno."""

    def __init__(self, registers: dict[int, int] | None = None, *, failing: int = 0) -> None:
        self.registers = registers or {}
        self.failing = failing
        self.read: list[int] = []
        self.closed = False

    def read_i2c_block_data(self, address, register, length):
        self.read.append(register)
        if self.failing:
            raise OSError(self.failing, os.strerror(self.failing))
        return list(self.registers.get(register, 0).to_bytes(length, "big"))

    def write_i2c_block_data(self, address, register, data):
        if self.failing:
            raise OSError(self.failing, os.strerror(self.failing))

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("code", "says", "fix"),
    [
        (errno.EREMOTEIO, "no device answers", "i2cdetect"),
        (errno.ENXIO, "no device answers", "address pins"),
        (errno.ETIMEDOUT, "stuck", "power-cycle"),
        (errno.EBUSY, "kernel driver", "unbind"),
        (errno.ENODATA, os.strerror(errno.ENODATA), "i2cdetect"),
    ],
)
def test_a_failed_transfer_says_what_it_means(code: int, says: str, fix: str) -> None:
    registers = Registers(Bus(failing=code), 0x40, name="INA219", where="/dev/i2c-1")
    for act in (lambda: registers.read(2, 2), lambda: registers.write(2, 1)):
        with pytest.raises(BusError, match=says) as error:
            act()
        assert "register 0x02 of the INA219 at address 0x40 of /dev/i2c-1" in error.value.problem
        assert fix in error.value.fix


def test_a_chip_that_does_not_answer_closes_the_bus_again(monkeypatch) -> None:
    bus = Bus(failing=errno.EREMOTEIO)
    monkeypatch.setattr(smbus2, "SMBus", lambda path: bus)
    with pytest.raises(InstrumentError, match="no device answers"):
        open_analyzer("ina219:/dev/i2c-1?shunt_ohm=1", markers={})
    assert bus.closed


def test_registers_are_big_endian_and_twos_complement() -> None:
    registers = Registers(Bus({1: 0x8300, 4: 0xFFFFF0}), 0x40, name="INA219", where="x")
    assert registers.read(1, 2) == 0x8300
    assert registers.read_signed(1, 2) == 0x8300 - 0x10000
    assert registers.read_signed(4, 3) == -16


def test_a_real_chip_is_sampled_by_a_thread_that_sleeps(monkeypatch) -> None:
    """CNVR is always set here, so every look is a sample: the pace is the sampler's own."""
    bus = Bus({0: 0x399F, 1: 1000, 2: 750 << 3 | 0b10})
    monkeypatch.setattr(smbus2, "SMBus", lambda path: bus)
    ina = open_analyzer("ina219:/dev/i2c-1?shunt_ohm=10&averaging=1", markers={}, supply_v=3.0)
    used = time.process_time()
    ina.start()
    ina.clock.sleep(0.4)
    found = ina.stop()
    used = time.process_time() - used
    assert ina.clock is HOST_CLOCK
    assert len(bus.read) / 3 < 0.4 * 2000
    assert used < 0.2  # half a core
    # A busy host may be late, which leaves gaps.
    assert np.nanmean(found.current_a) == pytest.approx(1e-3 - 20e-6 - 3 / 320e3)
    assert np.nanmean(found.voltage_v) == pytest.approx(3.0)
    assert abs(found.start_s - time.monotonic()) < 10
    assert not found.instrument.simulated
    ina.close()
    assert bus.closed


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_sampling_forgives_failed_transfers_until_none_has_succeeded_for_a_tenth_of_a_second() -> None:
    class Chip:
        period_s, step_v = 0.01, 1e-5
        failing = True

        def begin(self):
            return None

        def poll(self):
            if self.failing:
                raise BusError("noise")

    looks = []

    class Repetition:
        def __init__(self, act):
            looks.append(act)

        def stop(self):
            return None

    clock, chip = Clock(), Chip()
    sampler = Sampler(chip, clock, Repetition)
    (look,) = looks

    def lost_after(seconds: float) -> bool:
        clock.sleep(seconds)
        look()
        return sampler.lost

    assert [lost_after(0.05), lost_after(0.09)] == [False, False]
    chip.failing = False
    assert not lost_after(0.05)
    chip.failing = True
    assert [lost_after(0.05), lost_after(0.09), lost_after(0.02)] == [False, False, True]


def test_calibration_follows_the_data_sheets_worked_example() -> None:
    # SBOS448G, 9.2.2: 1 mA per step on 2 mohm.
    assert calibration(1e-3, 0.002) == 0x5000
    with pytest.raises(InputError, match="calibrated"):
        calibration(1e-9, 0.1)
    # SLYS021A, 8.2.2.3: 10 A full scale on 16.2 mohm; four times that in the small range.
    assert shunt_calibration(10 / 2**19, 0.0162, INA228.ranges[1]) == 4050
    assert shunt_calibration(10 / 2**19, 0.0162, INA228.ranges[0]) == 4 * 4050


def test_the_grid_covers_what_conversions_cover_and_no_more() -> None:
    times = np.array([1.0, 2.1, 3.0, 6.0, 7.0])
    assert covering(times, 1.0, 8).tolist() == [0, 1, 2, -1, -1, 3, 4, -1]


def test_the_period_is_measured_between_conversions_that_follow_each_other() -> None:
    assert measured_period(np.array([0.9, 1.8, 2.7, 9.0, 9.9]), 1.0) == pytest.approx(0.9)
    assert measured_period(np.array([5.0]), 1.0) == 1.0
    slow = 1.7 * np.arange(1, 40)
    assert measured_period(slow, 1.0) == pytest.approx(1.7)


def fetched(times, vain=None) -> Conversions:
    times = np.asarray(times, float)
    none = np.full(len(times), np.nan)
    return Conversions(times, none if vain is None else np.asarray(vain, float), none, none, none, none)


@pytest.mark.parametrize("true_s", [0.93, 1.0, 1.09])
@pytest.mark.parametrize("slow", [False, True])
def test_missed_conversions_are_counted_and_a_slow_chip_is_no_slow_host(true_s: float, slow: bool) -> None:
    """A host that looks as the sampler does, and one that is busy for three milliseconds in every ten."""
    times, vain, ends, at, looked = [], [], 0, 0.85, np.nan
    while at < 400:
        if slow and at % 10 > 7:
            at = at - at % 10 + 10
        if int(at / true_s) > ends:
            ends = int(at / true_s)
            times.append(at)
            vain.append(looked)
            looked, at = np.nan, at + 0.85
        else:
            looked, at = at, at + 0.125
    missed = 1 - len(times) / ends
    assert missed > 0.1 if slow else missed == 0
    assert missed_share(fetched(times, vain), 1.0) == pytest.approx(missed, abs=0.012)


def test_a_host_that_is_always_late_misses_what_the_typical_period_says() -> None:
    """1.5 ms between looks of 1.064 ms: 29 % are missed, though no step is longer than one and a half."""
    assert missed_share(fetched(1.5 * np.arange(1, 1000)), 1.064) == pytest.approx(0.29, abs=0.003)
    assert missed_share(fetched(1.7 * np.arange(1, 1000)), 1.064) == pytest.approx(0.374, abs=0.003)
    assert missed_share(fetched([]), 1.064) == 0


def test_charge_replaces_energy_only_where_energy_counted_noise_as_a_magnitude() -> None:
    def record(energy, charge) -> Conversions:
        ones = np.ones(4)
        return Conversions(np.arange(1.0, 5.0), ones, ones, 2 * ones, np.array(energy), np.array(charge))

    noise = counted(record([1.0, 1.0, 1.0, 1.0], [0.5, -0.4, 0.5, -0.4]), 1.0, 4)
    assert (noise.current_a * noise.voltage_v).tolist() == pytest.approx([1.0, -0.8, 1.0, -0.8])
    assert noise.rectified == pytest.approx(0.9)
    load = counted(record([1.0, 1.0, 1.0, 1.0], [0.51, 0.51, 0.51, 0.51]), 1.0, 4)
    assert (load.current_a * load.voltage_v).tolist() == pytest.approx([1.0] * 4)
    assert load.rectified == 0


def test_counted_energy_is_shared_out_without_loss() -> None:
    energy = cell_energies(np.array([1.5, 2.0, 4.0]), np.array([3.0, 1.0, 4.0]), 1.0, 4)
    assert energy.tolist() == pytest.approx([2.0, 2.0, 2.0, 2.0])
    assert energy.sum() == pytest.approx(8.0)


def test_half_a_step_the_offset_and_the_input_current_are_offset() -> None:
    limits = accuracy(INA219, Shunt(10.0, 0.01), INA219.ranges[0], 10e-6, 3.0)
    drawn = 0.5 * (20e-6 + 3 / 320e3)
    assert limits.current_offset_a == pytest.approx(np.sqrt(10e-6**2 + 0.5e-6**2 + drawn**2))
    assert limits.current_gain == pytest.approx(np.hypot(0.005, 0.01))
    coarse = accuracy(INA219, Shunt(10.0, 0.01), INA219.ranges[0], 80e-6, 3.0)
    assert coarse.current_offset_a > limits.current_offset_a


def test_the_shunt_that_settles_is_the_smallest_that_does_and_takes_no_more_than_a_tenth_of_a_volt() -> None:
    asked = {"power_w": 0.8e-3, "bus_v": 3.0, "largest_a": 6e-3, "tolerance": 0.01}
    settles = shunt_that_settles(INA219, wanted_w=0.12e-3, **asked)
    assert settles is not None
    errors = {
        ohm: power_error_w(INA219, Shunt(ohm, 0.01), range_for(INA219, 6e-3 * ohm), power_w=0.8e-3, bus_v=3.0)
        for ohm in (2.0, settles.ohm)
    }
    assert errors[2.0] > 0.12e-3 >= errors[settles.ohm]
    best = shunt_that_settles(INA219, wanted_w=0.0, **asked)
    assert best is not None
    assert best.ohm == 10
    assert shunt_that_settles(INA219, wanted_w=0.0, **{**asked, "largest_a": 50.0}) is None


def ina219_on(bus: Bus) -> Ina219:
    registers = Registers(bus, 0x40, name="INA219", where="/dev/i2c-1")
    return Ina219(registers, Shunt(10.0, 0.01), INA219.ranges[0], averaging=1, bits=12, largest_bus_v=3.0)


def ina228_on(bus: Bus) -> Ina228:
    registers = Registers(bus, 0x40, name="INA228", where="/dev/i2c-1")
    return Ina228(registers, Shunt(10.0, 0.01), INA228.ranges[0], averaging=1, conversion_us=4120)


@pytest.mark.parametrize(
    ("flags", "shunt"), [(0b11, 1000), (0b10, 4000), (0b10, 0x10000 - 4000)], ids=["OVF", "full", "minus"]
)
def test_ina219_overflow_is_seen_in_the_flag_and_in_the_shunt_voltage(flags: int, shunt: int) -> None:
    with pytest.raises(InstrumentError, match=r"± 40 mV, ± 4 mA with 10 ohm"):
        ina219_on(Bus({1: shunt, 2: 750 << 3 | flags})).poll()


def test_ina219_without_news_gives_nothing() -> None:
    assert ina219_on(Bus({1: 1000, 2: 750 << 3})).poll() is None


def test_ina219_power_register_is_read_because_the_data_sheet_clears_cnvr_with_it() -> None:
    bus = Bus({1: 1000, 2: 750 << 3 | 0b10})
    ina219_on(bus).poll()
    assert bus.read[-1] == 3


def test_ina219_bus_voltage_at_the_end_of_its_range_is_an_error() -> None:
    with pytest.raises(InstrumentError, match="16 V or more"):
        ina219_on(Bus({1: 1000, 2: 4000 << 3 | 0b10})).poll()


@pytest.mark.parametrize(
    ("flags", "shunt", "says"),
    [
        (0x8203, 1000, "overflowed"),
        (0x8003, (1 << 19) - 1, "overflowed"),
        (0x8003, 1 << 19, "overflowed"),
        (0x8041, 1000, "overflowed"),
        (0x8021, 1000, "overflowed"),
        (0x8002, 1000, "trim memory"),
    ],
)
def test_ina228_overflow_and_a_damaged_memory_are_errors(flags: int, shunt: int, says: str) -> None:
    with pytest.raises(InstrumentError, match=says):
        ina228_on(Bus({0x0B: flags, 4: shunt << 4, 5: 15360 << 4, 9: 0})).poll()


@pytest.mark.parametrize("averaging", [2, 8, 128])
def test_an_average_that_may_hide_a_clipped_conversion_is_refused_and_one_that_cant_is_not(averaging) -> None:
    def poll(millivolts: float):
        bus = Bus({1: round(millivolts * 100), 2: 750 << 3 | 0b10})
        registers = Registers(bus, 0x40, name="INA219", where="/dev/i2c-1")
        chip = Ina219(
            registers, Shunt(10.0, 0.01), INA219.ranges[1], averaging=averaging, bits=12, largest_bus_v=3.0
        )
        return chip.poll()

    # One is clipped, the others see nothing, and read it with the largest offset and noise below.
    lowest_mv = (80 - (averaging - 1) * 0.145) / averaging
    assert least_clipped_v(INA219.ranges[1], averaging) == pytest.approx(lowest_mv * 1e-3)
    assert poll(lowest_mv - 0.02).shunt_v == pytest.approx((lowest_mv - 0.02) * 1e-3, abs=6e-6)
    with pytest.raises(InstrumentError, match=f"averages {averaging} conversions") as error:
        poll(lowest_mv + 0.01)
    assert "averaging=1" in error.value.fix
    with pytest.raises(InstrumentError, match="overflowed: the current exceeded"):
        poll(80.0)


def test_ina228_flags_of_a_clipped_conversion_count_before_and_after_the_counters_are_read() -> None:
    class Late(Bus):
        """Nothing is wrong when the flags are read first, and a conversion is clipped before ENERGY is."""

        def read_i2c_block_data(self, address, register, length):
            data = super().read_i2c_block_data(address, register, length)
            if register == 9:
                self.registers[0x0B] = 0x8041
            return data

    with pytest.raises(InstrumentError, match="overflowed"):
        ina228_on(Late({0x0B: 0x8003, 4: 1000 << 4, 5: 15360 << 4, 9: 0})).poll()


def test_ina228_compares_every_conversion_with_limits_just_inside_full_scale() -> None:
    class Written(Bus):
        def write_i2c_block_data(self, address, register, data):
            self.registers[register] = data[0] << 8 | data[1]

    bus = Written()
    ina228_on(bus).begin()
    over, under = bus.registers[0x0C], bus.registers[0x0D] - 0x10000
    assert over == -under
    assert 0.997 * 0x8000 < over < 0.999 * 0x8000
    assert bus.registers[0x0B] == 0x8000  # latched; SLOWALERT would compare averages


def test_ina228_conversion_whose_counters_could_not_be_read_is_read_again() -> None:
    bus = Bus({0x0B: 0x8003, 4: 1000 << 4, 5: 15360 << 4, 9: 1000})
    chip = ina228_on(bus)
    read = bus.read_i2c_block_data

    def failing(address, register, length):
        if register == 0x0A:
            raise OSError(errno.ETIMEDOUT, "timed out")
        return read(address, register, length)

    bus.read_i2c_block_data = failing
    with pytest.raises(BusError):
        chip.poll()
    bus.read_i2c_block_data = read
    bus.registers[0x0B] = 0x8001  # the flag was cleared by the first look
    found = chip.poll()
    assert found is not None
    assert found.energy_j > 0


def test_the_advice_states_the_error_in_the_range_in_use_and_what_a_smaller_range_makes_of_it() -> None:
    shunt = Shunt(0.1, 0.01)
    told = {"power_w": 0.9e-3, "bus_v": 3.0, "largest_a": 5e-3}
    largest = advice(INA219, shunt, INA219.ranges[-1], **told)
    assert "in its range of ± 320 mV its mean power is sure to ± 6" in largest
    assert "range_mv=40 would make that ± 3" in largest
    assert "a shunt of 10 ohm would make that ±" in largest
    smallest = advice(INA219, shunt, INA219.ranges[0], **told)
    assert "in its range of ± 40 mV its mean power is sure to ± 3" in smallest
    assert "range_mv=40 would" not in smallest
