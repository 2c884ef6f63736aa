"""How each quantity of the table is measured; a new one is a row of `model.quantities` and a source here.

A source makes one measurement from the evidence that a test leaves behind: its recordings, the image and the
memory behind the probe, the DUT's counters before and after the measured part. What a board can't know raises
CapabilityMissing: a budget on it skips the test, and nobody's record holds a zero for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from pytest_lan_hil.config import Board
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.dut.memory import flash_kb, memory_available_kb
from pytest_lan_hil.dut.work import Work
from pytest_lan_hil.measure import counters
from pytest_lan_hil.measure.battery import battery_life
from pytest_lan_hil.measure.counters import Counters
from pytest_lan_hil.measure.quantities import from_values, pool
from pytest_lan_hil.model.errors import CapabilityMissing, InputError
from pytest_lan_hil.model.measurement import Measurement
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.run.bench import OpenBench
from pytest_lan_hil.run.memory import measure_memory, read_memory
from pytest_lan_hil.run.recording import Recording


class From(Enum):
    """What a measurement is made from, which decides what a test has to do for it."""

    CAPTURE = "what the instruments record while the test runs"
    PROBE = "the image, and the memory behind the probe, after the test"
    COUNTERS = "the DUT's own counters, before and after the measured part"
    FIXTURE = "a fixture that the test calls"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a test leaves behind.

    Attributes:
        bench: The bench, open.
        recordings: In order.
        before, after: The DUT's counters; None where they were not, or could not be, read.
        work: What the DUT was given to do in between.
        measured: What this test has measured so far.
    """

    bench: OpenBench
    recordings: tuple[Recording, ...] = ()
    before: Counters | None = None
    after: Counters | None = None
    work: tuple[Work, ...] = ()
    measured: Mapping[str, Measurement] = field(default_factory=dict)


def _nothing(board: Board) -> str:
    del board
    return ""


@dataclass(frozen=True, slots=True)
class Source:
    """How one quantity is measured.

    Attributes:
        made_from: What it needs of the test.
        measure: Makes the measurement.
        is_free: True if the evidence that lies about anyway can tell: then it is put into the record unasked.
        lacks: What a board lacks that can never know this quantity, and why; "" for one that may.
    """

    made_from: From
    measure: Callable[[Evidence], Measurement]
    is_free: bool = False
    lacks: Callable[[Board], str] = _nothing


def require_known(quantity: str, board: Board) -> None:
    """Make sure that a board can know a quantity at all, before anything is flashed.

    Raises:
        CapabilityMissing: It can't.
    """
    lacking = SOURCES[quantity].lacks(board)
    if lacking:
        raise CapabilityMissing(f"board {board.name} {lacking}", fix=f"see {board.path}")


# From a capture -------------------------------------------------------------------------------------------


def _captured(quantity: str) -> Callable[[Evidence], Measurement]:
    def measure(evidence: Evidence) -> Measurement:
        if not evidence.recordings:
            raise InputError(
                f"a {QUANTITIES[quantity].marker} on a test that asks for `power` but records nothing",
                fix="put the measured part into `with power.capture():`, or drop the fixture",
            )
        # A replay hands out one and the same record each time: it counts once.
        records = {id(recording.capture): recording for recording in evidence.recordings}
        return pool([recording.measurement(quantity) for recording in records.values()])

    return measure


def _battery(evidence: Evidence) -> Measurement:
    battery = evidence.bench.board.battery
    assert battery is not None  # `lacks` was asked before
    power = evidence.measured.get("power") or SOURCES["power"].measure(evidence)
    return battery_life(power, battery.usable_wh)


def _no_rail(board: Board) -> str:
    return "" if board.supply_v is not None else "has no supply rail (supply_v) whose power could be measured"


def _no_battery(board: Board) -> str:
    return "" if board.battery is not None else "names no [battery], so nobody knows how long it would last"


# From the image and the memory behind the probe -----------------------------------------------------------


def _memory(evidence: Evidence) -> Measurement:
    return measure_memory(evidence.bench)


def _flash(evidence: Evidence) -> Measurement:
    image, simulated = _image(evidence)
    return from_values(
        "flash",
        [flash_kb(image)],
        instrument="the image",
        simulated=simulated,
        notes=(f"{image.flash_bytes} bytes of {image.path.name}",),
    )


def _memory_available(evidence: Evidence) -> Measurement:
    image, simulated = _image(evidence)
    use, measured = read_memory(evidence.bench)
    left = memory_available_kb(image, evidence.bench.board, use.stack.used, use.heap.used)
    return from_values(
        "memory_available",
        [left],
        instrument=measured.instrument,
        simulated=simulated,
        notes=measured.notes,
    )


def _image(evidence: Evidence) -> tuple[FirmwareImage, bool]:
    """The image on the DUT, and whether a virtual bench holds it."""
    probe, dut = evidence.bench.flashable()
    if dut.image is None:
        raise CapabilityMissing(
            "the image on the DUT is not known: this test flashed none",
            fix="ask for the `dut` fixture in the test",
        )
    return dut.image, probe.simulated


def _a_program(board: Board) -> str:
    return "is a program of this host: it has no flash, and no RAM of its own" if board.is_native else ""


# From the DUT's counters ----------------------------------------------------------------------------------


def _readings(evidence: Evidence) -> tuple[Counters, Counters]:
    if evidence.before is None or evidence.after is None:
        raise CapabilityMissing(
            "the DUT's counters can't be had: this firmware has no `lnn status`",
            fix="give it one (docs/reference/dut-console.md), or drop the budget",
        )
    return evidence.before, evidence.after


def _by_the_dut(evidence: Evidence, measured: Measurement) -> Measurement:
    return replace(measured, instrument="the DUT's own counters", simulated=evidence.bench.simulated)


def _cpu_utilisation(evidence: Evidence) -> Measurement:
    return _by_the_dut(evidence, counters.cpu_utilisation(*_readings(evidence), evidence.work))


def _dropped_frames(evidence: Evidence) -> Measurement:
    return _by_the_dut(evidence, counters.dropped_frames(*_readings(evidence)))


def _temperature(evidence: Evidence) -> Measurement:
    error_k = evidence.bench.board.temperature_error_k
    return _by_the_dut(evidence, counters.temperature(_readings(evidence), error_k))


def _uptime(evidence: Evidence) -> Measurement:
    _, after = _readings(evidence)
    return _by_the_dut(evidence, counters.uptime(after))


def _throughput(evidence: Evidence) -> Measurement:
    return _by_the_dut(evidence, counters.throughput(evidence.work))


# From a fixture -------------------------------------------------------------------------------------------


def _made_by(quantity: str, call: str) -> Source:
    """A quantity that a test makes on purpose; a budget on one that it did not make is a mistake."""

    def missing(evidence: Evidence) -> Measurement:
        del evidence
        row = QUANTITIES[quantity]
        raise InputError(
            f"a {row.marker} on a test that has not measured its {row.title}",
            fix=f"ask for the fixture and call {call} in the test",
        )

    return Source(From.FIXTURE, missing)


SOURCES: dict[str, Source] = {
    "latency": Source(From.CAPTURE, _captured("latency"), is_free=True),
    "energy": Source(From.CAPTURE, _captured("energy"), is_free=True, lacks=_no_rail),
    "power": Source(From.CAPTURE, _captured("power"), is_free=True, lacks=_no_rail),
    "battery": Source(From.CAPTURE, _battery, is_free=True, lacks=_no_battery),
    "memory": Source(From.PROBE, _memory),
    "flash": Source(From.PROBE, _flash, is_free=True, lacks=_a_program),
    "memory_available": Source(From.PROBE, _memory_available, lacks=_a_program),
    "throughput": Source(From.COUNTERS, _throughput, is_free=True),
    "dropped_frames": Source(From.COUNTERS, _dropped_frames, is_free=True),
    "cpu_utilisation": Source(From.COUNTERS, _cpu_utilisation, is_free=True),
    "temperature": Source(From.COUNTERS, _temperature, is_free=True),
    "uptime": Source(From.COUNTERS, _uptime, is_free=True),
    "accuracy": _made_by("accuracy", "`accuracy.evaluate(DATASET)`"),
    "confidence": _made_by("confidence", "`robustness.drift(DATASET)`"),
    "false_positive_rate": _made_by("false_positive_rate", "`robustness.false_positives()`"),
    "drift_score": _made_by("drift_score", "`robustness.drift(DATASET)`"),
}
