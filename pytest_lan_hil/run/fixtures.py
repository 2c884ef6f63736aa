"""What the `power` and `hil_metrics` fixtures give a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Measurement
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.run.recording import Recording
from pytest_lan_hil.run.test_run import TestRun


class Power:
    """Record power in a part of a test.

    A test that asks for this fixture decides itself when to record; its budget markers judge what was
    recorded, all captures together.

        with power.capture() as capture:
            dut.infer(100)
        assert capture.latency.spread.maximum < 12
    """

    def __init__(self, test: TestRun) -> None:
        self._test = test

    def capture(self) -> AbstractContextManager[Recording]:
        """Record while the block runs; read `power`, `latency` and `energy` after it.

        Raises:
            BlockedError: The analyzer failed, or the debug domain could not be shut down.
        """
        return self._test.capture()


class Metrics:
    """Add measurements of your own to the run's record, and read those made so far."""

    def __init__(self, test: TestRun) -> None:
        self._test = test

    @property
    def measurements(self) -> Mapping[str, Measurement]:
        """What this test has measured so far, by quantity."""
        return MappingProxyType(self._test.measurements)

    def record(
        self, name: str, values: Sequence[float], *, unit: str = "", instrument_error: float = 0.0
    ) -> Measurement:
        """Record a quantity of your own.

        Args:
            name: Lower case letters, digits and `_`; a name of the quantity table keeps that table's unit.
            values: One or more finite numbers, in order of time.
            unit: For people; required unless `name` stands in the quantity table.
            instrument_error: 95 % half-width of the systematic error, in the same unit.

        Raises:
            InputError: A bad name, no values, a value that is not finite, or a unit other than the table's.
        """
        row = QUANTITIES.get(name)
        if row is not None and unit not in ("", row.unit):
            raise InputError(
                f"hil_metrics.record({name!r}, unit={unit!r}): {name} is measured in {row.unit}",
                fix=f"convert the values to {row.unit} and drop the unit",
            )
        if row is None and not unit:
            raise InputError(
                f"hil_metrics.record({name!r}): a number without its unit is not published",
                fix='give unit="ms", or unit="1" for a count or ratio',
            )
        self._test.observe(name, values, unit=row.unit if row else unit, instrument_error=instrument_error)
        return self._test.measurements[name]
