"""A DUT opened for a procedure, on a bench or by its console alone; and the procedure played on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.process import SCHEME
from pytest_lan_hil.dut.unprobed import UnprobedDut
from pytest_lan_hil.instruments import PowerAnalyzer, open_analyzer
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import (
    CapabilityMissing,
    ConsoleError,
    DutTimeout,
    HilError,
    InputError,
    InstrumentError,
)
from pytest_lan_hil.model.record import DeviceIdentity
from pytest_lan_hil.run.bench import OpenBench
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.lease import lease
from pytest_lan_hil.run.mlperf.dataset import load_dataset
from pytest_lan_hil.run.mlperf.files import write, write_rest
from pytest_lan_hil.run.mlperf.outcome import Outcome, System, of_answers, of_windows, require_scorable
from pytest_lan_hil.run.mlperf.procedures import (
    Answer,
    Recorder,
    Window,
    identify,
    play_dataset,
    play_windows,
)
from pytest_lan_hil.run.mlperf.reading import PHASE, TIMESTAMP
from pytest_lan_hil.run.mlperf.results import render
from pytest_lan_hil.run.recording import Recording, record

PERFORMANCE, ENERGY, ACCURACY = MODES = ("performance", "energy", "accuracy")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be played.

    Attributes:
        mode: One of `MODES`.
        windows: How many are measured.
        seconds: Wanted length of each.
        inferences: In each window; None to find out.
        dataset: Folder of inputs, or None.
        model: Full name of the model that a result is wanted of, or None to take the DUT's.
    """

    mode: str
    windows: int
    seconds: float
    inferences: int | None
    dataset: Path | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a procedure needs: a DUT that talks, and what records its power.

    Attributes:
        dut, console: The DUT.
        record: Records power; None without an analyzer.
        lines: The marker lines that are recorded beside it.
        system: What was opened.
    """

    dut: Dut
    console: Console
    record: Recorder | None
    lines: frozenset[str]
    system: System


@dataclass(slots=True)
class _Record:
    """A record that is being made."""

    _capture: Capture | None = field(default=None)

    @property
    def capture(self) -> Capture:
        """The record.

        Raises:
            InstrumentError: It never came.
        """
        if self._capture is None:
            raise InstrumentError("the analyzer gave no record")
        return self._capture


def open_board(run: BoardRun, image: str | None, mode: str) -> Opened:
    """Flash and prove a board as for any measurement; the caller closes `run`.

    Raises:
        InputError, BlockedError, DutError: See `BoardRun.prepare`.
        CapabilityMissing: The bench has no console, or lacks what the mode measures with; nothing is flashed.
    """
    bench = run.open()
    bench.require(("console",))
    lines = frozenset((*bench.wiring.markers, *bench.wiring.edge_lines))
    if mode == ENERGY:
        _require_power(lines, has_analyzer=bench.analyzer is not None)
    firmware = run.prepare(image)
    _, dut = bench.flashable()
    assert bench.console is not None
    return Opened(
        dut=dut,
        console=bench.console,
        record=None if bench.analyzer is None else lambda: _record_valid(bench),
        lines=lines,
        system=System(run.board.name, run.bench.name, bench.devices, firmware, bench.simulated),
    )


@contextmanager
def _record_valid(bench: OpenBench) -> Iterator[Recording]:
    """A record that was made without a debugger and to its end."""
    with record(bench) as recording:
        yield recording
    recording.require_valid()


@contextmanager
def open_console(
    uri: str,
    *,
    baudrate: int,
    analyzer: str | None,
    markers: Mapping[str, str],
    wait_s: float,
) -> Iterator[Opened]:
    """A DUT by its console alone: nothing is flashed, nothing proved.

    Args:
        uri: Anything that `dut.port` opens.
        baudrate: Of the console.
        analyzer: URI of a power analyzer, or None.
        markers: Marker line to the analyzer's input.
        wait_s: How long to wait for a device that another process holds.

    Raises:
        InputError, BlockedError: A device can't be meant, is held, absent or fails.
    """
    with ExitStack() as stack:
        # A program is started anew for each run: nobody else can hold it.
        shared = [one for one in (uri, analyzer) if one and not one.startswith(SCHEME)]
        stack.enter_context(lease(shared, wait_s=wait_s))
        console = stack.enter_context(Console.open(uri, baudrate=baudrate))
        devices = [DeviceIdentity("console", uri, console.description, console.simulated)]
        recorder: Recorder | None = None
        if analyzer:
            meter = stack.enter_context(closing(open_analyzer(analyzer, markers=markers)))
            identity = meter.identity
            devices.append(
                DeviceIdentity("analyzer", analyzer, str(identity), identity.simulated, identity.notes)
            )
            recorder = _recorder(meter)
        dut = UnprobedDut(console)
        _greet(dut)
        simulated = any(device.simulated for device in devices)
        lines = frozenset(markers if analyzer else ())
        yield Opened(dut, console, recorder, lines, System("", "", tuple(devices), None, simulated))


def _recorder(analyzer: PowerAnalyzer) -> Recorder:
    @contextmanager
    def recording() -> Iterator[_Record]:
        made = _Record()
        analyzer.start()
        try:
            yield made
        except BaseException:
            # What ended the block is what the user has to hear, whatever the analyzer says to being stopped.
            with suppress(Exception):
                analyzer.stop()
            raise
        made._capture = analyzer.stop()

    return recording


def _greet(dut: Dut) -> None:
    """Get a first answer; a board that opening the port has reset may miss what is sent meanwhile."""
    try:
        dut.name()
    except (DutTimeout, ConsoleError):
        dut.name()


def _require_power(lines: frozenset[str], *, has_analyzer: bool) -> None:
    """Make sure that energy can be measured, and that a line shows from when to when.

    Raises:
        CapabilityMissing: It can't.
    """
    if not has_analyzer:
        raise CapabilityMissing(
            "measuring energy: the bench has no power analyzer",
            fix='add analyzer = "joulescope:SERIAL" to the bench file, and the time stamp pin: [markers]'
            f' {TIMESTAMP} = "gpi0" (firmware of this project: {PHASE} = "gpi1")',
        )
    if not lines & {TIMESTAMP, PHASE}:
        raise CapabilityMissing(
            "measuring energy: no marker line shows from when to when; recorded are"
            f" {', '.join(sorted(lines)) or 'none'}, not {TIMESTAMP!r} (an official energy DUT's time stamp"
            f" pin) nor {PHASE!r} (firmware of this project)",
            fix=f'wire the pin and name its input: [markers] {TIMESTAMP} = "gpi0" (or [edge_lines]; on a'
            f" console alone --marker {TIMESTAMP}=gpi0)",
        )


def play(opened: Opened, plan: Plan, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Play a procedure, and write its files.

    Args:
        opened: The DUT.
        plan: What to play; sound.
        folder: Where results.txt, results.json and log.txt go; log.txt and incomplete.json if anything ends
            it before, a keystroke as well.
        say: Told what goes on.

    Raises:
        InputError: The dataset or the folder can't be used.
        CapabilityMissing: Energy is wanted, and there is no analyzer, or none of the marker lines.
        BlockedError, DutError: The bench or the DUT failed.
    """
    if plan.mode == ENERGY:
        _require_power(opened.lines, has_analyzer=opened.record is not None)
    console, system = opened.console, opened.system
    started_s = console.clock.monotonic()
    said = len(console.lines)
    windows: list[Window] = []
    answers: list[Answer] = []
    try:
        outcome = _play(opened, plan, windows, answers, say)
    except BaseException as error:
        lines = console.lines_since(said)
        try:
            write_rest(_reason(error), windows, answers, system, lines, folder, started_s=started_s)
        except InputError as unwritten:  # the first error is what the user has to hear
            say(f"what was measured before could not be kept: {unwritten}")
        raise
    ended_s = console.clock.monotonic()
    try:
        write(outcome, system, console.lines_since(said), folder, started_s=started_s, ended_s=ended_s)
    except InputError:
        say(render(outcome.results, ended_s - started_s))  # a full disk must not take it along
        raise
    return outcome


def _reason(error: BaseException) -> str:
    if isinstance(error, HilError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return f"{type(error).__name__}: {error}"


def _play(
    opened: Opened, plan: Plan, windows: list[Window], answers: list[Answer], say: Callable[[str], None]
) -> Outcome:
    """Play it; `windows` and `answers` have what came, whatever happens."""
    dut = identify(opened.dut)
    say(f"{dut.name}: profile {dut.profile}, model {dut.model}")
    model = plan.model or dut.model
    dataset = None if plan.dataset is None else load_dataset(plan.dataset, model)
    if plan.mode == ACCURACY:
        assert dataset is not None
        dataset.require_two_classes()
        labels = [one.label for one in dataset.inputs]
        for answer in play_dataset(opened.dut, dataset, say):
            answers.append(answer)
            require_scorable(answer, labels, model)
        return of_answers(dut, answers, plan.model, dataset.folder, opened.system)
    for window in play_windows(
        opened.dut,
        windows=plan.windows,
        seconds=plan.seconds,
        inferences=plan.inferences,
        dataset=dataset,
        record=opened.record if plan.mode == ENERGY else None,
        say=say,
    ):
        windows.append(window)  # noqa: PERF402 - not at once: an error must leave what came before it
    return of_windows(plan.mode, dut, windows, plan.model, opened.system)
