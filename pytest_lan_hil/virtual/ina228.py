"""The register model of an INA228 (SLYS021A, 7.6), converting a virtual board's supply current.

Not modelled: the alert limits other than the shunt's, the shunt's temperature compensation, and CONVDLY.
"""

from __future__ import annotations

from pytest_lan_hil.virtual.ina_front import Figures, Front, deviate

# SLYS021A, Features; the bus voltage's, the VBUS pin's (INA238's) and the noise are UNCONFIRMED.
FIGURES = Figures(
    gain=0.0005,
    bus_gain=0.001,
    bus_offset_v=5e-3,
    input_a=0.0,
    input_ohm=1e6,
    input_tolerance=0.2,
    oscillator=0.005,
    noise_v=0.5e-6,
    bus_noise_v=0.3e-3,
)
NOTES = ("unconfirmed: noise of the INA228, its bus voltage's errors and the resistance of its VBUS pin",)
_OFFSET_V = 1e-6
_SHUNT_STEPS_V = (312.5e-9, 78.125e-9)
_BUS_STEP_V = 195.3125e-6
_CONVERSION_S = (50e-6, 84e-6, 150e-6, 280e-6, 540e-6, 1052e-6, 2074e-6, 4120e-6)
_AVERAGING = (1, 4, 16, 64, 128, 256, 512, 1024)
_CONFIG, _ADC_CONFIG, _SHUNT_CAL, _TEMPCO, _VSHUNT, _VBUS, _DIETEMP, _CURRENT = range(8)
_POWER, _ENERGY, _CHARGE, _DIAG_ALRT, _SOVL, _SUVL = range(8, 14)
_MANUFACTURER, _DEVICE = 0x3E, 0x3F
_SIZES = {_VSHUNT: 3, _VBUS: 3, _CURRENT: 3, _POWER: 3, _ENERGY: 5, _CHARGE: 5}
_DEFAULTS = {
    _CONFIG: 0,
    _ADC_CONFIG: 0xFB68,
    _SHUNT_CAL: 0x1000,
    _TEMPCO: 0,
    _DIETEMP: 3200,
    _SOVL: 0x7FFF,
    _SUVL: 0x8000,
}
_FIXED = {_MANUFACTURER: 0x5449, _DEVICE: 0x2281}
_ALATCH, _ENERGYOF, _CHARGEOF, _MATHOF, _CNVRF, _MEMSTAT = 0x8000, 0x0800, 0x0400, 0x0200, 0x0002, 0x0001
_SLOWALERT, _SHNTOL, _SHNTUL = 0x2000, 0x0040, 0x0020
_LARGEST = (1 << 19) - 1


class VirtualIna228:
    """One INA228.

    Args:
        front: Its shunt and inputs.
        seed: Its offset follows from it.
    """

    def __init__(self, front: Front, seed: int) -> None:
        self._front = front
        self._offset_v = _OFFSET_V * deviate(seed, "offset")
        self._registers: dict[int, int] = {}
        self._flags = 0
        self._alert = 0
        self._energy = self._charge = 0.0
        self._sums = [0, 0]
        self._done = 0
        self._ends: tuple[int, int, int] | None = None
        self._reset()

    def read(self, register: int) -> bytes:
        """A register, most significant byte first; one that doesn't exist reads 0."""
        self._catch_up()
        size = _SIZES.get(register, 2)
        value = self._value(register)
        if register == _ENERGY:
            self._flags &= ~_ENERGYOF
        elif register == _CHARGE:
            self._flags &= ~_CHARGEOF
        elif register == _DIAG_ALRT and self._alert & _ALATCH:
            self._flags &= ~(_CNVRF | _SHNTOL | _SHNTUL)
        return (value & ((1 << 8 * size) - 1)).to_bytes(size, "big")

    def write(self, register: int, value: int) -> None:
        """Write a register; the results are read only."""
        self._catch_up()
        if register == _CONFIG and value & 0x8000:
            self._reset()
        elif register == _CONFIG:
            if value & 0x4000:
                self._energy = self._charge = 0.0
                self._flags &= ~(_ENERGYOF | _CHARGEOF)
            self._registers[_CONFIG] = value & 0x3FF0
        elif register == _ADC_CONFIG:
            self._registers[_ADC_CONFIG] = value
            self._begin()
        elif register == _DIAG_ALRT:
            self._alert = value & 0xF000
        elif register in (_SHUNT_CAL, _TEMPCO):
            self._registers[register] = value & 0x7FFF
        elif register in (_SOVL, _SUVL):
            self._registers[register] = value & 0xFFFF

    def close(self) -> None:
        """Let go of the board."""
        self._front.end()

    def _value(self, register: int) -> int:
        if register in (_VSHUNT, _VBUS, _CURRENT):
            return self._registers.get(register, 0) << 4
        if register == _DIAG_ALRT:
            return self._alert | self._flags | _MEMSTAT
        if register == _ENERGY:
            return int(self._energy)
        if register == _CHARGE:
            return int(self._charge)
        return self._registers.get(register, 0)

    def _reset(self) -> None:
        self._registers = {**_DEFAULTS, **_FIXED}
        self._flags = self._alert = 0
        self._energy = self._charge = 0.0
        self._begin()

    # -- conversions -------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._ends = None
        self._flags &= ~_CNVRF
        self._sums, self._done = [0, 0], 0
        if not self._mode & 0b0111:
            self._front.end()
            return
        self._front.begin()
        self._schedule(self._front.board.now)

    @property
    def _mode(self) -> int:
        """Bits: continuous, temperature, shunt, bus."""
        return self._registers[_ADC_CONFIG] >> 12

    def _durations_s(self) -> tuple[float, float, float]:
        """Typical, of shunt, bus and temperature."""
        config = self._registers[_ADC_CONFIG]
        wanted = ((0b0010, 6), (0b0001, 9), (0b0100, 3))
        shunt, bus, temperature = (
            _CONVERSION_S[config >> shift & 0b111] if self._mode & bit else 0.0 for bit, shift in wanted
        )
        return shunt, bus, temperature

    def _schedule(self, start: int) -> None:
        ticks_per_s = self._front.board.tick_hz / self._front.speed
        shunt, bus, temperature = (round(one * ticks_per_s) for one in self._durations_s())
        self._ends = (start + shunt, start + shunt + bus, start + shunt + bus + temperature)

    def _catch_up(self) -> None:
        """Do every conversion that has ended by now."""
        while self._ends is not None and self._front.board.now >= self._ends[2]:
            shunt_end, bus_end, end = self._ends
            # The next one first: a conversion that Ctrl-C breaks off is not begun again.
            self._schedule(end)
            small = self._registers[_CONFIG] >> 4 & 1
            shunt = bus = 0
            if self._mode & 0b0010:
                volts = self._front.shunt_v(shunt_end, self._offset_v)
                shunt = min(max(round(volts / _SHUNT_STEPS_V[small]), -_LARGEST - 1), _LARGEST)
            if self._mode & 0b0001:
                bus = min(max(round(self._front.bus_v(bus_end) / _BUS_STEP_V), 0), _LARGEST)
            self._accumulate(shunt, bus)
            if not self._alert & _SLOWALERT:
                self._compare(shunt)
            self._average(shunt, bus)
            if self._done == 0 and not self._mode & 0b1000:
                self._ends = None
                self._front.end()

    def _current(self, shunt: float) -> float:
        """In CURRENT_LSB; equations 2 to 4 of 8.1.2 make it 4096 / SHUNT_CAL of the shunt's code."""
        calibration = self._registers[_SHUNT_CAL]
        return shunt * 4096 / calibration if calibration else 0.0

    def _accumulate(self, shunt: int, bus: int) -> None:
        """Energy and charge of one cycle, in the chip's own time (7.3.2; equations 5 to 7 of 8.1.2)."""
        duration_s = sum(self._durations_s())
        current = self._current(shunt)
        self._energy += abs(current) * bus * _BUS_STEP_V / (16 * 3.2) * duration_s
        self._charge += current * duration_s
        if self._energy >= 1 << 40:
            self._energy -= 1 << 40
            self._flags |= _ENERGYOF
        if not -(1 << 39) <= self._charge < 1 << 39:
            self._charge = 0.0
            self._flags |= _CHARGEOF

    def _compare(self, shunt: int) -> None:
        """The flags of the shunt's limits, which have 16 of its code's 20 bits; latched or not."""
        if not self._alert & _ALATCH:
            self._flags &= ~(_SHNTOL | _SHNTUL)
        if shunt >> 4 > _signed(self._registers[_SOVL]):
            self._flags |= _SHNTOL
        if shunt >> 4 < _signed(self._registers[_SUVL]):
            self._flags |= _SHNTUL

    def _average(self, shunt: int, bus: int) -> None:
        """Into the output registers once there are enough."""
        self._sums = [self._sums[0] + shunt, self._sums[1] + bus]
        self._done += 1
        count = _AVERAGING[self._registers[_ADC_CONFIG] & 0b111]
        if self._done < count:
            return
        shunt, bus = round(self._sums[0] / count), round(self._sums[1] / count)
        self._sums, self._done = [0, 0], 0
        if self._alert & _SLOWALERT:
            self._compare(shunt)
        current = round(self._current(shunt))
        power = round(abs(current) * bus * _BUS_STEP_V / 3.2)
        self._flags &= ~_MATHOF
        if abs(current) > _LARGEST + 1 or power >= 1 << 24:
            self._flags |= _MATHOF
        self._registers.update({_VSHUNT: shunt, _VBUS: bus})
        self._registers[_CURRENT] = min(max(current, -_LARGEST - 1), _LARGEST)
        self._registers[_POWER] = min(power, (1 << 24) - 1)
        self._flags |= _CNVRF


def _signed(value: int) -> int:
    """16 bits in two's complement."""
    return value - 0x10000 if value & 0x8000 else value
