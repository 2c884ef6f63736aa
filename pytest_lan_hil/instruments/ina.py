"""INA219 and INA228 as power analyzers: mean power, no marker inputs. See `ina_open`.

Each sample of the capture is one conversion on a grid of the pace at which they were fetched. Of an INA228 it
is the energy counted since the sample before, over the host's time, and its current follows from that and the
bus voltage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_lan_hil.instruments.ina_advice import advice
from pytest_lan_hil.instruments.ina_bus import BusError
from pytest_lan_hil.instruments.ina_chip import Chip
from pytest_lan_hil.instruments.ina_limits import Limits, Shunt, ShuntRange, accuracy
from pytest_lan_hil.instruments.ina_sampling import (
    Cells,
    Conversions,
    Sampler,
    counted,
    measured_period,
    missed_share,
    sampled,
)
from pytest_lan_hil.instruments.pace import repeat_of
from pytest_lan_hil.model.capture import Capture, InstrumentIdentity
from pytest_lan_hil.model.clock import Clock, clock_of
from pytest_lan_hil.model.errors import InstrumentError

# A conversion that has not come after this many periods (and this long) will not come.
_LATEST_PERIODS = 3
_LATEST_S = 0.2
# No board runs on less; an open input reads about this.
_LEAST_BUS_V = 0.5
# Smaller shares of conversions that were missed, and of energy that was only noise, are not told.
_TOLD_SHARE = 0.01


class Ina:
    """An opened INA219 or INA228. See `instruments.base.PowerAnalyzer`; made by `open_ina`.

    Args:
        bus: The I2C bus.
        chip: On it, identified.
        limits: Of this kind of chip.
        shunt: That it measures across.
        chosen: Range of the shunt voltage.
        identity: Who measures.
        release: Called once when this is closed.
    """

    def __init__(
        self,
        bus: Any,
        chip: Chip,
        *,
        limits: Limits,
        shunt: Shunt,
        chosen: ShuntRange,
        identity: InstrumentIdentity,
        release: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._chip = chip
        self._limits = limits
        self._shunt = shunt
        self._chosen = chosen
        self._release: Callable[[], None] | None = release
        self._sampler: Sampler | None = None
        self.identity = identity

    @property
    def capabilities(self) -> frozenset[str]:
        """Mean power only: a conversion lasts milliseconds, and there is no marker input."""
        return frozenset({"power"})

    @property
    def clock(self) -> Clock:
        """The bus's clock if it brings one, else the host's."""
        return clock_of(self._bus)

    def start(self) -> None:
        """Begin a capture.

        Raises:
            InstrumentError: One is under way, or the chip doesn't answer.
        """
        if self._sampler is not None:
            raise InstrumentError(f"{self.identity} is capturing already", fix="stop the first capture first")
        self._sampler = Sampler(self._chip, self.clock, repeat_of(self._bus))

    def stop(self) -> Capture:
        """End the capture; see `PowerAnalyzer.stop`.

        Raises:
            InstrumentError: None was started, the range was exceeded, or no conversion fits into the capture.
        """
        sampler = self._sampler
        if sampler is None:
            raise InstrumentError(f"{self.identity} is not capturing", fix="call start first")
        asked_s = self.clock.monotonic() - sampler.started_at
        self._wait_for(sampler, asked_s)
        found = sampler.end()
        self._sampler = None
        with contextlib.suppress(BusError):
            self._chip.end()
        if sampler.failure is not None:
            raise sampler.failure
        complete = sampler.reached_s >= asked_s
        if complete and asked_s < self._chip.period_s:
            raise InstrumentError(
                f"recording {asked_s * 1e3:.3g} ms with {self.identity}, which converts once in"
                f" {self._chip.period_s * 1e3:.3g} ms",
                fix="record for longer, or set a smaller averaging in the analyzer's URI",
            )
        return self._capture(found, min(asked_s, sampler.reached_s), sampler, complete=complete)

    def close(self) -> None:
        """Release the chip and its bus. Safe to repeat."""
        if self._release is None:
            return
        release, self._release = self._release, None
        if self._sampler is not None:
            self._sampler.stop()
            self._sampler = None
            with contextlib.suppress(BusError):
                self._chip.end()
        release()

    def _wait_for(self, sampler: Sampler, asked_s: float) -> None:
        """Let the conversion end that covers the last moment of the capture."""
        waited_s, latest_s = 0.0, _LATEST_PERIODS * self._chip.period_s + _LATEST_S
        while sampler.reached_s < asked_s and waited_s < latest_s and not sampler.is_over:
            step_s = max(self._chip.period_s / 4, 1e-3)
            self.clock.sleep(step_s)
            waited_s += step_s

    def _capture(self, found: Conversions, length_s: float, sampler: Sampler, *, complete: bool) -> Capture:
        period_s = measured_period(found.times_s, self._chip.period_s)
        # A cell that reaches beyond the record by a rounding error lies inside.
        count = int(length_s / period_s + 1e-6) if len(found.times_s) else 0
        bus_v = float(found.bus_v.mean()) if count else 0.0
        limits = accuracy(self._limits, self._shunt, self._chosen, self._chip.step_v, bus_v)
        if count == 0:
            nothing = np.empty(0, np.float32)
            return Capture(1 / period_s, nothing, nothing, self.identity, limits, complete=complete)
        self._require_plausible(found, limits.current_offset_a)
        if found.are_counted:
            cells = counted(found, period_s, count)
        else:
            cells = sampled(found, self._shunt.ohm, period_s, count)
        current = cells.current_a - self._limits.drawn_a(cells.voltage_v)
        told = advice(
            self._limits, self._shunt, self._chosen, power_w=float(np.nanmean(current * cells.voltage_v)),
            bus_v=bus_v, largest_a=self._largest_v(found) / self._shunt.ohm,
        )  # fmt: skip
        return Capture(
            sample_rate_hz=1 / period_s,
            current_a=current.astype(np.float32),
            voltage_v=cells.voltage_v.astype(np.float32),
            instrument=self.identity,
            accuracy=limits,
            gaps=cells.gaps,
            complete=complete,
            start_s=sampler.started_at,
            start_error_s=sampler.start_error_s,
            notes=(*self._notes(found, cells), *([told] if told else [])),
        )

    def _largest_v(self, found: Conversions) -> float:
        """Shunt voltage that no conversion can have exceeded: a mean may be a single one's, the others 0."""
        return min(float(found.shunt_v.max()) * self._chip.averaging, self._chosen.full_scale_v)

    def _notes(self, found: Conversions, cells: Cells) -> tuple[str, ...]:
        notes = []
        missed = 0.0 if found.are_counted else missed_share(found, self._chip.period_s)
        if missed >= _TOLD_SHARE:
            notes.append(
                f"{missed:.0%} of the {self._limits.model}'s conversions, one each"
                f" {self._chip.period_s * 1e3:.3g} ms, were not fetched before the next one: the mean is that"
                " of the others, which is the same for a load that does not keep step with the host; a faster"
                " I2C bus (`dtparam=i2c_arm_baudrate=400000`) misses fewer"
            )
        if cells.rectified >= _TOLD_SHARE:
            notes.append(
                f"the {self._limits.model} counts energy as a magnitude, and noise about zero made"
                f" {cells.rectified:.0%} of it: charge times bus voltage is used instead; a larger"
                " conversion_us lowers the noise"
            )
        return tuple(notes)

    def _require_plausible(self, found: Conversions, offset_a: float) -> None:
        bus_v = float(found.bus_v.mean())
        if bus_v < _LEAST_BUS_V:
            raise InstrumentError(
                f"{self.identity} measures a bus voltage of {bus_v:.3g} V",
                fix="switch the board on, and connect the bus voltage pin (INA219: IN-) to the board",
            )
        mean_a = float(found.shunt_v.mean()) / self._shunt.ohm
        if mean_a < -offset_a:
            raise InstrumentError(
                f"{self.identity} measures {mean_a * 1e3:.3g} mA: the current flows backwards",
                fix="swap IN+ and IN-: IN+ belongs to the supply, IN- to the board",
            )
