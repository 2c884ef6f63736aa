"""The DUT of a recorded capture: what it did stands in the record, and it answers nothing.

A test that only makes the DUT work (`infer`, `run_for`) runs on it unchanged, and its budgets judge the
record. What needs an answer can't be had, and says so.
"""

from __future__ import annotations

from typing import Any, NoReturn

from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.model.clock import HOST_CLOCK, Clock
from pytest_lan_hil.model.errors import CapabilityMissing


class RecordedAnswer:
    """What `infer` would have answered; reading it is refused."""

    def __getattr__(self, name: str) -> NoReturn:
        raise _lacking(f"{name} of dut.infer")


class RecordedDut:
    """Stands for the DUT while a capture is replayed. Methods are those of `Dut`; see there."""

    @property
    def image(self) -> NoReturn:
        """Which image ran is not in the record."""
        raise _lacking("dut.image")

    @property
    def clock(self) -> Clock:
        """The host's: a record does not wait."""
        return HOST_CLOCK

    def infer(self, count: int = 1, warmups: int = 0, *, timeout_s: float | None = None) -> RecordedAnswer:
        """It has inferred already."""
        del count, warmups, timeout_s
        return RecordedAnswer()

    def run_for(self, seconds: float) -> None:
        """It has run already."""

    def sleep(self, seconds: float) -> None:
        """No time passes."""

    def load(self, data: bytes) -> None:
        """It has its input already."""

    def reset(self) -> None:
        """A record begins anew each time by itself."""

    def __getattr__(self, name: str) -> Any:
        if hasattr(Dut, name):
            raise _lacking(f"dut.{name}")
        raise AttributeError(name)


def _lacking(what: str) -> CapabilityMissing:
    return CapabilityMissing(
        f"{what} can't be had from a recorded capture: nothing stands on this bench that answers",
        fix="run this test on a bench with a board",
    )
