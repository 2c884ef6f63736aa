"""The three procedures: performance, energy, accuracy. Commands to the DUT, and what came of them.

What the runner sends is known from its published logs: `profile`, `timestamp`, then for each window the
input (`db load`, `db ...`) and `infer N W`. Time is the DUT's own: the difference of the two `m-lap-us`
stamps around the N inferences, or of the two edges on the analyzer's clock in energy mode. The host's clock
only checks it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pytest_lan_hil.dut import protocol
from pytest_lan_hil.dut.console import RECEIVED
from pytest_lan_hil.dut.dut import Dut, InferResult
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import DutProtocolError
from pytest_lan_hil.run.mlperf.counting import FIRST_LIMIT_S, find_count, limit_of
from pytest_lan_hil.run.mlperf.dataset import Dataset
from pytest_lan_hil.run.mlperf.reading import EnergyReading, read_window
from pytest_lan_hil.run.mlperf.rules import HOST_STAMPS_S, WARMUPS

# The lap counter of the API is 32 bits of microseconds: it wraps after 71.6 minutes.
_LAP_MODULO = 1 << 32


@dataclass(frozen=True, slots=True)
class DutIdentity:
    """What the DUT says that it is: `name`, `profile` (its text and its model)."""

    name: str
    profile: str
    model: str


@dataclass(frozen=True, slots=True)
class Lap:
    """One `infer`.

    Attributes:
        result: What the DUT answered.
        dut_s: Between its two time stamps; None if it stamps with a pin.
        host_s: The same on the host's (or the simulation's) clock.
    """

    result: InferResult
    dut_s: float | None
    host_s: float

    @property
    def seconds(self) -> float:
        """By the DUT's clock where it has one."""
        return self.host_s if self.dut_s is None else self.dut_s

    @property
    def times(self) -> tuple[float, float]:
        """`seconds`, and the host's."""
        return self.seconds, self.host_s


@dataclass(frozen=True, slots=True)
class Window:
    """One measured window.

    Attributes:
        input: Name of the file that was loaded, "" for none.
        inferences: Measured ones.
        runtime_s: By the DUT's time stamps.
        lap: What the DUT said.
        energy: What the analyzer said; None in performance mode.
        captured_at_s: When the capture began, seconds of the console's clock; 0 in performance mode.
    """

    input: str
    inferences: int
    runtime_s: float
    lap: Lap
    energy: EnergyReading | None = None
    captured_at_s: float = 0.0

    @property
    def throughput(self) -> float:
        """Inferences per second; 0 where the runtime was shorter than the DUT's clock can tell."""
        return self.inferences / self.runtime_s if self.runtime_s > 0 else 0.0

    @property
    def runtime_error_s(self) -> float:
        """95 % half-width of the systematic error of `runtime_s`.

        Of the analyzer where there is one; else the DUT's clock, of which only the host's tells something: it
        is off by no more than the two differ, and what the host's stamps may be late.
        """
        if self.energy is not None:
            return self.energy.duration_error_s
        return abs(self.lap.seconds - self.lap.host_s) + HOST_STAMPS_S

    @property
    def throughput_error(self) -> float:
        """What `runtime_error_s` does to `throughput`, to its worse side; infinite if no runtime is left."""
        shortest_s = self.runtime_s - self.runtime_error_s
        return self.inferences / shortest_s - self.throughput if shortest_s > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Answer:
    """What the DUT said to one input.

    Attributes:
        input: Name of the file.
        label: The right class.
        outputs: One for each class, or one score; the mean over the file's windows.
        inferences: How many it took, more than one where the file is cut into windows.
    """

    input: str
    label: int
    outputs: tuple[float, ...]
    inferences: int


class Recorded(Protocol):
    """What recording power gives: the capture, once the block has ended."""

    @property
    def capture(self) -> Capture:
        """The record."""
        ...


Recorder = Callable[[], AbstractContextManager[Recorded]]
"""Records power while the block runs."""


def identify(dut: Dut) -> DutIdentity:
    """Ask the DUT who it is.

    Raises:
        DutProtocolError: It does not say profile and model.
        DutTimeout, DutFault, ConsoleError: It does not answer.
    """
    name = dut.name()
    messages = [protocol.parse_line(line) for line in dut.command("profile")]
    profile = [message.text for message in messages if isinstance(message, protocol.ProfileText)]
    model = [message.text for message in messages if isinstance(message, protocol.Model)]
    if len(profile) != 1 or len(model) != 1:
        raise DutProtocolError(
            f"the DUT answered 'profile%' with {messages}, not with m-profile-[...] and m-model-[...]",
            fix="answer it as the reference firmware does (mlcommons/tiny, benchmark/api)",
        )
    return DutIdentity(name, profile[0], model[0])


@contextmanager
def back_to_back(dut: Dut) -> Iterator[None]:
    """Inferences without pauses, as the suite wants them; firmware that has no pace does so anyway."""
    try:
        before = [
            message.milliseconds
            for message in map(protocol.parse_line, dut.command("lnn pace"))
            if isinstance(message, protocol.Pace)
        ]
    except DutProtocolError:
        before = []
    if not before:
        yield
        return
    dut.set_pace(0)
    yield
    dut.set_pace(before[0])  # not after an error: a DUT that failed is not to be asked again


def lap(dut: Dut, inferences: int, warmups: int, limit_s: float) -> Lap:
    """Run `infer`, and time it.

    Raises:
        DutProtocolError: It stamps once or more than twice, or answers results that are no numbers.
        DutTimeout, DutFault, ConsoleError: It does not answer within `limit_s`.
    """
    seen = len(dut.console.lines)
    result = dut.infer(inferences, warmups, timeout_s=limit_s)
    lines = [line for line in dut.console.lines_since(seen) if line.direction == RECEIVED]
    if len(result.lap_us) not in (0, 2):
        raise DutProtocolError(
            f"the DUT stamped 'infer {inferences} {warmups}%' {len(result.lap_us)} times, expected twice",
            fix="stamp once before the first and once after the last measured inference",
        )
    if not all(map(math.isfinite, result.results)):
        raise DutProtocolError(f"the DUT answered results that are not all numbers: {result.results}")
    kinds: tuple[type, ...] = (protocol.Lap,) if result.lap_us else (protocol.InferStart, protocol.InferDone)
    times = [line.time_s for line in lines if isinstance(protocol.parse_line(line.text), kinds)]
    dut_s = (result.lap_us[1] - result.lap_us[0]) % _LAP_MODULO * 1e-6 if result.lap_us else None
    return Lap(result, dut_s, times[-1] - times[0])


def _stamped_lap(dut: Dut, inferences: int, warmups: int, limit_s: float) -> Lap:
    """As `lap`, of a DUT that must say the time itself."""
    one = lap(dut, inferences, warmups, limit_s)
    if one.dut_s is None:
        raise DutProtocolError(
            "the DUT answered 'infer' without m-lap-us: it stamps time with a pin",
            fix="build it with EE_CFG_ENERGY_MODE=0, or measure energy instead",
        )
    return one


def play_windows(
    dut: Dut,
    *,
    windows: int,
    seconds: float,
    inferences: int | None,
    dataset: Dataset | None,
    record: Recorder | None,
    say: Callable[[str], None],
) -> Iterator[Window]:
    """Performance mode, or energy mode if `record` is given. Yields each window as soon as it is measured.

    Args:
        dut: Identified.
        windows: How many; the k-th uses the dataset's k-th input, from the start when they are used up.
        seconds: Wanted length of each.
        inferences: In each, None to find out how many make `seconds`.
        dataset: None to leave the DUT's buffer as it is.
        record: Records power.
        say: Told what goes on.

    Raises:
        DutError, BlockedError, InputError: The DUT, the bench or the dataset failed.
    """
    one_lap = lap if record is not None else _stamped_lap
    dut.timestamp()
    with back_to_back(dut):
        loaded = _load(dut, dataset, 0)
        if inferences is None:
            say(f"finding the number of inferences in {seconds:g} s")
            count = find_count(lambda n, limit_s: one_lap(dut, n, WARMUPS, limit_s).times, seconds)
            limit_s = limit_of(seconds)
        else:
            count = inferences
            once = one_lap(dut, 1, WARMUPS, FIRST_LIMIT_S)
            limit_s = limit_of(once.host_s * (count + WARMUPS))
        for index in range(windows):
            loaded = _load(dut, dataset, index)
            say(f"window {index + 1} of {windows}: {count} inferences{f' of {loaded}' if loaded else ''}")
            yield _window(dut, loaded, count, limit_s, record)


def _load(dut: Dut, dataset: Dataset | None, index: int) -> str:
    """Load the input of a window; returns its file's name."""
    if dataset is None:
        return ""
    chosen = dataset.inputs[index % len(dataset.inputs)]
    dut.load(chosen.first_piece())
    return chosen.path.name


def _window(dut: Dut, loaded: str, count: int, limit_s: float, record: Recorder | None) -> Window:
    if record is None:
        one = _stamped_lap(dut, count, WARMUPS, limit_s)
        return Window(loaded, count, one.seconds, one)
    with record() as recorded:
        began = dut.clock.monotonic()
        one = lap(dut, count, WARMUPS, limit_s)
    reading = read_window(recorded.capture, count)
    return Window(loaded, count, reading.duration_s, one, reading, began)


def play_dataset(dut: Dut, dataset: Dataset, say: Callable[[str], None]) -> Iterator[Answer]:
    """Accuracy mode: every input once, one inference each, no warm-up. Yields each answer as soon as it came.

    Raises:
        DutProtocolError: The number of outputs does not fit the dataset.
        DutError, BlockedError, InputError: The DUT, the bench or the dataset failed.
    """
    dut.timestamp()
    fitting = {1, dataset.classes}
    with back_to_back(dut):
        for index, one in enumerate(dataset.inputs):
            if index % 50 == 0:
                say(f"input {index + 1} of {len(dataset.inputs)}: {one.path.name}")
            values = []
            for piece in one.pieces():
                dut.load(piece)
                values.append(dut.infer(1, 0, timeout_s=FIRST_LIMIT_S).results)
            outputs = _mean(values, fitting, dataset.classes, one.path.name)
            fitting = {len(outputs)}  # it may not change its mind
            yield Answer(one.path.name, one.label, outputs, len(values))


def _mean(
    values: Sequence[tuple[float, ...]], fitting: set[int], classes: int, name: str
) -> tuple[float, ...]:
    """Mean over the windows of one file, output by output."""
    counts = {len(value) for value in values}
    if len(counts) > 1 or not counts <= fitting:
        raise DutProtocolError(
            f"input {name}: the DUT answered {' or '.join(map(str, sorted(counts)))} results; the dataset has"
            f" {classes} classes",
            fix="give the dataset of the model that the DUT runs: one result for each class, or one score,"
            " the same for every input",
        )
    if not np.isfinite(values).all():
        raise DutProtocolError(f"input {name}: the DUT answered a result that is not a number: {values[0]}")
    means: list[float] = np.mean(values, axis=0).tolist()
    return tuple(means)
