"""One capture made while a `with` block runs, with the state of the bench around it.

A power window is free of the debugger: the last pyOCD session is closed, the core runs and the debug domain
is proved down before the analyzer starts; a session that was open at any moment of the capture makes it
invalid, because an attached debugger draws current and keeps sleep modes from working.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import numpy as np

from pytest_lan_hil.dut.probe import Probe
from pytest_lan_hil.instruments import EdgeSource, PowerAnalyzer
from pytest_lan_hil.measure.clocks import edges_alone, merge
from pytest_lan_hil.measure.envelope import Envelope, envelope
from pytest_lan_hil.measure.quantities import energy, latency, mean_power
from pytest_lan_hil.measure.soundness import check_markers
from pytest_lan_hil.measure.windows import find_windows
from pytest_lan_hil.model.capture import Capture, EdgeRecord
from pytest_lan_hil.model.errors import CapabilityMissing, InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Conditions, Measurement
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.run.bench import OpenBench

INFERENCE = "inference"
PHASE = "phase"
CAPTURED = ("latency", "energy", "power")
"""What `Recording.measurement` can tell."""
# A USB serial adapter hands bytes on up to 16 ms late (FTDI AN232B-04, latency timer): what the host stamps
# so soon after the start of a window was on the wire before it.
ARRIVAL_S = 0.016


class Recording:
    """A capture and what it says about the DUT; the numbers are there once the block has ended.

    Args:
        require: Raises CapabilityMissing if the bench lacks one of the capabilities that it is given.
    """

    def __init__(self, require: Callable[[Iterable[str]], None]) -> None:
        self._require = require
        self._capture: Capture | None = None
        self._conditions = Conditions()
        self._spans: list[tuple[float, float]] | None = None
        self._attached = False
        self._edges: EdgeRecord | None = None
        self._marker_notes: tuple[str, ...] = ()

    @property
    def capture(self) -> Capture:
        """The record itself.

        Raises:
            InputError: The block that records has not ended.
        """
        if self._capture is None:
            raise InputError(
                "reading a capture that is still being made",
                fix="read power, latency and energy after the `with power.capture()` block",
            )
        return self._capture

    @property
    def power(self) -> Measurement:
        """Mean power over the quiet, measured part (the phase marker line's windows, else everything)."""
        return self.measurement("power")

    @property
    def latency(self) -> Measurement:
        """Latency of each inference."""
        return self.measurement("latency")

    @property
    def energy(self) -> Measurement:
        """Energy of each inference."""
        return self.measurement("energy")

    def measurement(self, quantity: str) -> Measurement:
        """Measure one quantity ("latency", "energy" or "power").

        Raises:
            CapabilityMissing: The bench's instruments can't tell, whatever the record looks like.
            MeasurementInvalid: The record can't support the number, and why.
        """
        self._require(QUANTITIES[quantity].needs)
        capture = self.capture
        self.require_valid()
        if quantity == "power":
            measured = mean_power(capture, spans=self._spans)
        else:
            measured = {"latency": latency, "energy": energy}[quantity](capture, marker=INFERENCE)
        notes = dict.fromkeys((*measured.notes, *capture.notes, *self._marker_notes))
        return replace(measured, conditions=self._conditions, notes=tuple(notes))

    def envelope(self) -> Envelope:
        """The waveform, thinned for a report."""
        return envelope(self.capture)

    def require_valid(self) -> None:
        """Make sure that the bench was in a state that numbers may come from.

        Raises:
            MeasurementInvalid: The debugger was attached, or the instrument stopped early.
        """
        capture = self.capture
        if self._attached:
            raise MeasurementInvalid(
                "the debugger was attached while the record was made: an open debug session draws current"
                " and keeps sleep modes from working",
                fix="end the `with dut.debug()` block before the measured part of the test",
            )
        if not capture.complete:
            raise MeasurementInvalid(
                f"{capture.instrument} stopped after {capture.duration_s:.3f} s, before it was told to",
                fix="check the analyzer's cable, then run `lan-hil doctor`",
            )


@contextmanager
def record(bench: OpenBench) -> Iterator[Recording]:
    """Record what the bench's instruments see while the block runs: current, voltage, marker lines.

    Raises:
        CapabilityMissing: The bench has no instrument.
        InstrumentError: An instrument failed.
        MeasurementInvalid: The debug domain of the DUT could not be shut down, or the clocks of analyzer and
            edge source could not be tied together.
    """
    if bench.analyzer is None and bench.edges is None:
        raise CapabilityMissing(
            f"recording: bench {bench.bench.name} has neither analyzer nor edge source",
            fix='add analyzer = "joulescope:SERIAL" to the bench file',
        )
    recording = Recording(bench.require)
    if bench.probe is not None:
        _require_detached(bench.probe)
        bench.clock.sleep(bench.bench.settle_s)
    start = bench.clock.monotonic()
    running = ExitStack()
    try:
        if bench.edges is not None:
            # Around the analyzer's record, so that no edge of it is missed.
            bench.edges.start()
            running.callback(_stop_edges, recording, bench.edges)
        if bench.analyzer is not None:
            bench.analyzer.start()
            running.callback(_stop_analyzer, recording, bench.analyzer)
        yield recording
    except BaseException:
        # What ended the block is what the user has to hear; the record is kept if it can be had.
        with suppress(Exception):
            running.close()
        raise
    running.close()
    stop = bench.clock.monotonic()
    _join(recording, bench)
    _describe(recording, bench, start, stop)


def _stop_analyzer(recording: Recording, analyzer: PowerAnalyzer) -> None:
    recording._capture = analyzer.stop()


def _stop_edges(recording: Recording, edges: EdgeSource) -> None:
    recording._edges = edges.stop()


def _join(recording: Recording, bench: OpenBench) -> None:
    """One record of the two, on the analyzer's clock; and its marker lines make sense."""
    if recording._edges is not None and recording._capture is None:
        recording._capture = edges_alone(recording._edges)
    elif recording._edges is not None:
        recording._capture = merge(recording.capture, recording._edges, sync=bench.wiring.sync)
    recording._marker_notes = check_markers(recording.capture)


def _require_detached(probe: Probe) -> None:
    if probe.attached_now:
        return  # the test did that on purpose: the record will be declared invalid, with the reason
    state = probe.detach_state()
    if not state.clean:
        raise MeasurementInvalid(
            f"closing the debug session before a power window: {state}",
            fix="power-cycle the board; if it stays so, run `lan-hil doctor`",
        )


def _describe(recording: Recording, bench: OpenBench, start: float, stop: float) -> None:
    """Work out the measured spans and the conditions; times of the bench's clock, seconds."""
    capture = recording.capture
    quiet = [(start, stop)]
    line = capture.markers.get(PHASE)
    if line is not None:
        windows = find_windows(line, name=f"marker line {PHASE!r}")
        starts, stops = np.asarray(windows.start_s), np.asarray(windows.stop_s)
        if len(starts):
            recording._spans = list(zip(starts.tolist(), stops.tolist(), strict=True))
            quiet = [(start + a + ARRIVAL_S, start + b) for a, b in recording._spans]
    console = probe = "none"
    if bench.console is not None:
        at_rest = all(bench.console.quiet_between(a, b) for a, b in quiet)
        console = "rest" if at_rest else "active"
    if bench.probe is not None:
        recording._attached = bench.probe.attached_between(start, stop)
        probe = "attached" if recording._attached else "detached"
    recording._conditions = Conditions(probe=probe, console=console, supply=capture.supply)
