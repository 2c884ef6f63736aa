"""The register model of an INA219 (SBOS448G, 8.6), converting a virtual board's supply current.

CNVR clears when the power register is read, as the data sheet says, and when the bus voltage register is
read, as silicon does (TI's forum, "Clearing of the CNVR flag in the bus voltage register").
"""

from __future__ import annotations

import math

from pytest_lan_hil.virtual.ina_front import Figures, Front, deviate

# SBOS448G, 7.5, A grade. Noise is UNCONFIRMED: half a step.
FIGURES = Figures(
    gain=0.005,
    bus_gain=0.005,
    bus_offset_v=0.0,
    input_a=20e-6,
    input_ohm=320e3,
    input_tolerance=0.5,
    oscillator=0.1,
    noise_v=5e-6,
    bus_noise_v=2e-3,
)
NOTES = ("unconfirmed: noise of the INA219, and how far its input current is from typical",)
# PG: full scale and limit of the offset.
_RANGES_V = ((0.04, 100e-6), (0.08, 125e-6), (0.16, 150e-6), (0.32, 200e-6))
_SHUNT_STEP_V, _BUS_STEP_V = 10e-6, 4e-3
_CONVERSION_S = (84e-6, 148e-6, 276e-6, 532e-6)
_CONFIG, _SHUNT, _BUS, _POWER, _CURRENT, _CALIBRATION = range(6)
_DEFAULT = 0x399F
_RESET = 0x8000
_LARGEST = 0x7FFF


class VirtualIna219:
    """One INA219.

    Args:
        front: Its shunt and inputs.
        seed: Its offsets follow from it.
    """

    def __init__(self, front: Front, seed: int) -> None:
        self._front = front
        self._seed = seed
        self._registers = [0] * 6
        self._ready = False
        self._overflow = False
        self._ends: tuple[int, int, int] | None = None
        self._reset()

    def read(self, register: int) -> bytes:
        """A register, most significant byte first; one that doesn't exist reads 0."""
        self._catch_up()
        value = self._registers[register] if register < len(self._registers) else 0
        if register == _BUS:
            value = value << 3 | self._ready << 1 | self._overflow
        if register in (_BUS, _POWER):
            self._ready = False
        return (value & 0xFFFF).to_bytes(2, "big")

    def write(self, register: int, value: int) -> None:
        """Write a register; the others are read only."""
        self._catch_up()
        if register == _CALIBRATION:
            self._registers[_CALIBRATION] = value & ~1
        elif register == _CONFIG and value & _RESET:
            self._reset()
        elif register == _CONFIG:
            self._registers[_CONFIG] = value & 0x3FFF
            self._begin()

    def close(self) -> None:
        """Let go of the board."""
        self._front.end()

    def _reset(self) -> None:
        self._registers[:] = [_DEFAULT, 0, 0, 0, 0, 0]
        self._overflow = False
        self._begin()

    def _begin(self) -> None:
        self._ends = None
        mode = self._registers[_CONFIG] & 0b111
        # Power-down, and ADC off.
        if not mode & 0b011:
            self._front.end()
            return
        self._ready = False
        self._front.begin()
        self._schedule(self._front.board.now)

    def _schedule(self, start: int) -> None:
        """The next conversions: when the shunt's begins and ends, and when the bus voltage's ends."""
        config = self._registers[_CONFIG]
        ticks_per_s = self._front.board.tick_hz / self._front.speed
        shunt_s = _conversion_s(config >> 3) if config & 0b001 else 0.0
        bus_s = _conversion_s(config >> 7) if config & 0b010 else 0.0
        shunt_end = start + round(shunt_s * ticks_per_s)
        self._ends = (start, shunt_end, shunt_end + round(bus_s * ticks_per_s))

    def _catch_up(self) -> None:
        """Do every conversion that has ended by now."""
        while self._ends is not None and self._front.board.now >= self._ends[2]:
            start, shunt_end, bus_end = self._ends
            mode = self._registers[_CONFIG] & 0b111
            # The next one first: a conversion that Ctrl-C breaks off is not begun again.
            if mode & 0b100:
                self._schedule(bus_end)
            else:
                self._ends = None
            if mode & 0b001:
                self._convert_shunt(start, shunt_end)
            if mode & 0b010:
                self._convert_bus(bus_end)
            self._calculate()
            self._ready = True
            if self._ends is None:
                self._front.end()

    def _convert_shunt(self, start: int, end: int) -> None:
        """One conversion, or the mean of several, each of which is clipped at full scale."""
        config = self._registers[_CONFIG]
        gain = config >> 11 & 0b11
        full_scale_v, limit_v = _RANGES_V[gain]
        offset_v = limit_v * deviate(self._seed, f"offset {gain}")
        step = 1 << (3 - _resolution(config >> 3))
        count = _averaging(config >> 3)
        total_v = 0.0
        for k in range(1, count + 1):
            volts = self._front.shunt_v(start + (end - start) * k // count, offset_v)
            total_v += min(max(volts, -full_scale_v), full_scale_v)
        self._registers[_SHUNT] = round(total_v / count / _SHUNT_STEP_V / step) * step

    def _convert_bus(self, end: int) -> None:
        config = self._registers[_CONFIG]
        step = 1 << (3 - _resolution(config >> 7))
        code = round(self._front.bus_v(end) / _BUS_STEP_V / step) * step
        self._registers[_BUS] = min(max(code, 0), 8000 if config & 0x2000 else 4000)

    def _calculate(self) -> None:
        """Current and power (8.5.1, equations 4 and 5)."""
        current = math.trunc(self._registers[_SHUNT] * self._registers[_CALIBRATION] / 4096)
        power = math.trunc(abs(current) * self._registers[_BUS] / 5000)
        self._overflow = abs(current) > _LARGEST or power > 0xFFFF
        self._registers[_CURRENT] = min(max(current, -_LARGEST), _LARGEST)
        self._registers[_POWER] = min(power, 0xFFFF)


def _resolution(adc: int) -> int:
    """Code of the resolution, 0 (9 bits) to 3 (12 bits), that four ADC bits stand for."""
    return 3 if adc & 0b1000 else adc & 0b11


def _averaging(adc: int) -> int:
    """How many conversions four ADC bits ask for."""
    return 1 << (adc & 0b111) if adc & 0b1000 else 1


def _conversion_s(adc: int) -> float:
    """Typical duration of the conversions that four ADC bits ask for."""
    return _CONVERSION_S[_resolution(adc)] * _averaging(adc)
