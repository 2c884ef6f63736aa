"""What the house expects of an instrument: the protocol, and the capabilities that tests ask for.

A new instrument is a module beside this one (or in another package, see `registry`) with a class that has
these members; nothing is inherited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_lan_hil.model.clock import Clock

if TYPE_CHECKING:
    from pytest_lan_hil.model.capture import Capture, EdgeRecord, InstrumentIdentity

#: What a bench can offer, and what it means for a test that asks for it.
CAPABILITIES: dict[str, str] = {
    "power": "mean power over a part of the test",
    "power.waveform": "current and voltage sampled fast enough for the energy of one inference",
    "power.markers": "marker lines on the same sample clock as current and voltage",
    "edges": "time stamps of marker line edges",
    "memory": "the DUT's memory through the probe",
    "probe": "flashing and debugging the DUT",
    "console": "talking to the DUT",
}


class Instrument(Protocol):
    """What every opened instrument has in common; `close` is always safe and may be repeated."""

    @property
    def identity(self) -> InstrumentIdentity:
        """Which instrument this is."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """Keys of `CAPABILITIES` that it offers as it is wired."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock that its samples or time stamps follow: the host's, or a simulation's."""
        ...

    def start(self) -> None:
        """Begin a record; one at a time.

        Raises:
            InstrumentError: The instrument refuses, is gone, or is recording already.
        """
        ...

    def close(self) -> None:
        """Release the instrument; a record under way is thrown away."""
        ...


class PowerAnalyzer(Instrument, Protocol):
    """An opened power analyzer."""

    def stop(self) -> Capture:
        """End the capture and return the record from `start` to now.

        An instrument that was lost in between returns what it had, with `complete` False.

        Raises:
            InstrumentError: No capture was started, or the record is unusable as a whole.
        """
        ...


class EdgeSource(Instrument, Protocol):
    """An opened source of time-stamped edges."""

    def stop(self) -> EdgeRecord:
        """End the record and return every edge from `start` to now.

        Raises:
            InstrumentError: No record was started.
        """
        ...
