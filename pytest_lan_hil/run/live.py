"""Watching a board work: its own metrics and the bench's instruments, again and again.

The board works in pieces. In a piece the console is silent and no debugger is attached, so that the power
measured in it is the firmware's; between two pieces the board is asked for its metrics over its console. A
board without a console is read through its probe, whose debug session ends before the next piece begins: what
it draws then is not measured either. The pieces together last as long as was asked for; asking takes time of
its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pytest_lan_hil.dut import metrics_source
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.metrics_frame import MetricsFrameError
from pytest_lan_hil.dut.metrics_values import DeviceMetrics
from pytest_lan_hil.dut.probe import Probe
from pytest_lan_hil.model.errors import CapabilityMissing, DutProtocolError, HilError
from pytest_lan_hil.model.measurement import Measurement
from pytest_lan_hil.run.bench import OpenBench
from pytest_lan_hil.run.recording import CAPTURED, record

_NO_METRICS = "link liquid_audio_metrics.c and answer `lnn metrics` (docs/reference/c-metrics.md)"


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known after a piece.

    Attributes:
        worked_s: Length of all pieces so far, on the board's clock.
        metrics: As the board told them last; None until the first sound frame.
        change: What happened since the sound reading before; None where there is none, and after a restart.
        change_s: For how long the board worked in it.
        read_s: `worked_s` of the last sound reading.
        measured: What the bench's instruments say of the piece, by quantity.
        restarts: How often the board's clock went back between two readings.
        rejected: Frames refused so far, and `problem`, why the last one was.
    """

    worked_s: float
    metrics: DeviceMetrics | None = None
    change: DeviceMetrics | None = None
    measured: dict[str, Measurement] = field(default_factory=dict)
    change_s: float = 0.0
    read_s: float = 0.0
    restarts: int = 0
    rejected: int = 0
    problem: str = ""


def source(bench: OpenBench) -> str:
    """Where the metrics come from: "console" or "probe".

    Raises:
        CapabilityMissing: The bench has neither.
    """
    if bench.console is not None:
        return "console"
    if bench.probe is not None:
        return "probe"
    raise CapabilityMissing(
        f"watching {bench.board.name}: bench {bench.bench.name} has neither console nor probe",
        fix='add console = "/dev/..." to the bench file',
    )


def watch(bench: OpenBench, *, seconds: float, every_s: float) -> Iterator[Reading]:
    """Let the board work for `seconds` in pieces of `every_s`, and read it after each of them.

    Raises:
        CapabilityMissing: There is nothing to read it with, or its firmware keeps no metrics.
        HilError: The board stopped answering, or an instrument failed.
    """
    read = _reader(bench)
    reading = _next(Reading(0.0), 0.0, {}, read)
    while (left := seconds - reading.worked_s) > 1e-9:
        piece_s = min(every_s, left)
        measured = _work(bench, piece_s)
        reading = _next(reading, piece_s, measured, read)
        yield reading


def _next(
    before: Reading, piece_s: float, measured: dict[str, Measurement], read: Callable[[], DeviceMetrics]
) -> Reading:
    worked_s = before.worked_s + piece_s
    after = replace(before, worked_s=worked_s, measured=measured, change=None)
    try:
        metrics = read()
    except MetricsFrameError as error:
        return replace(after, rejected=before.rejected + 1, problem=error.problem)
    after = replace(after, metrics=metrics, read_s=worked_s, change_s=worked_s - before.read_s)
    if before.metrics is None:
        return after
    change = metrics.since(before.metrics)
    restarted = change is None and metrics.uptime_s is not None
    return replace(after, change=change, restarts=before.restarts + restarted)


def _reader(bench: OpenBench) -> Callable[[], DeviceMetrics]:
    probe, dut = bench.flashable()
    if source(bench) == "probe":
        return _probed(probe, dut)
    return lambda: _asked(dut)


def _asked(dut: Dut) -> DeviceMetrics:
    try:
        return metrics_source.ask(dut)
    except DutProtocolError as error:
        if "unknown command" in error.problem.lower():
            raise CapabilityMissing(
                "watching the board: its firmware keeps no metrics, it does not know `lnn metrics`",
                fix=_NO_METRICS,
            ) from error
        raise


def _probed(probe: Probe, dut: Dut) -> Callable[[], DeviceMetrics]:
    if dut.image is None:
        raise CapabilityMissing("watching the board: it has not been flashed", fix="name an image: --image")
    address = metrics_source.address_in(dut.image)

    def read() -> DeviceMetrics:
        with probe.attached() as target:
            return metrics_source.read_memory(target.read_memory, address)

    return read


def _work(bench: OpenBench, seconds: float) -> dict[str, Measurement]:
    """One piece, with what the instruments say of it; a quantity that they can't tell is left out."""
    if bench.analyzer is None and bench.edges is None:
        _run(bench, seconds)
        return {}
    with record(bench) as recording:
        _run(bench, seconds)
    found: dict[str, Measurement] = {}
    for quantity in CAPTURED:
        with suppress(HilError):
            found[quantity] = recording.measurement(quantity)
    return found


def _run(bench: OpenBench, seconds: float) -> None:
    if bench.console is not None:
        bench.dut.run_for(seconds)
    else:
        bench.clock.sleep(seconds)
