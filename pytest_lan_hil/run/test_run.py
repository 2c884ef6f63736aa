"""One test on one board: what it asks for, what was measured in it, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.recorded import RecordedDut
from pytest_lan_hil.judge.budgets import combine, judge
from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.measure.quantities import from_values, memory, pool
from pytest_lan_hil.model.errors import BlockedError, DutError, HilError, InputError
from pytest_lan_hil.model.measurement import Budget, Measurement, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.model.record import ConsoleLine, FirmwareIdentity, TestRecord
from pytest_lan_hil.run.bench import OpenBench
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.recording import Recording, needs_recording, record
from pytest_lan_hil.run.selftest import floor_of

CONSOLE_TAIL = 200
DRAIN_S = 0.2


class BudgetExceededError(DutError):
    """A measurement is over its budget."""


class InconclusiveError(BlockedError):
    """The samples can't support an answer; the message says what would settle it."""


class TestRun:
    """Collects what happens in one test; `finish` turns it into a record."""

    __test__ = False

    def __init__(
        self,
        nodeid: str,
        run: BoardRun,
        budgets: Sequence[Budget],
        image_name: str | None,
        needs: Iterable[str] = (),
    ) -> None:
        self.nodeid = nodeid
        self.run = run
        self.budgets = tuple(budgets)
        self.image_name = image_name
        self.needs = frozenset(needs).union(*(QUANTITIES[budget.quantity].needs for budget in budgets))
        self.explicit = False
        self.recordings: list[Recording] = []
        self.measurements: dict[str, Measurement] = {}
        self.verdicts: tuple[Verdict, ...] = ()
        self.outcome = Outcome.INTERRUPTED
        self.message = "the run was interrupted in this test"
        self.bench: OpenBench | None = None
        self._firmware: FirmwareIdentity | None = None
        self._console_start = 0

    def open_bench(self) -> OpenBench:
        """The bench, opened for this test.

        Raises:
            BlockedError: It can't be opened.
            CapabilityMissing: It lacks what the test asks for.
        """
        if self.bench is None:
            first = not self.run.is_open
            self.bench = self.run.open()
            if self.bench.console is not None and not first:
                self._console_start = len(self.bench.console.lines)
            self.bench.require(self.needs)
        return self.bench

    def prepare(self) -> Dut | RecordedDut:
        """Flash, prove and reset.

        Raises:
            HilError: See `BoardRun.prepare`.
        """
        bench = self.open_bench()
        self._firmware = self.run.prepare(self.image_name)
        return bench.dut

    @contextmanager
    def capture(self) -> Iterator[Recording]:
        """Record while the block runs; the recording belongs to this test."""
        with record(self.open_bench()) as recording:
            self.recordings.append(recording)
            yield recording

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Around the test body: record what the budgets need, and judge afterwards.

        Raises:
            BudgetExceededError: A budget is exceeded.
            BlockedError: A number can't be had, or decides nothing.
        """
        wanted = [b for b in self.budgets if needs_recording(b.quantity)]
        if wanted and not self.explicit:
            with self.capture():
                yield
        else:
            yield
        if self.budgets:
            self._judge()

    def _judge(self) -> None:
        for budget in self.budgets:
            if budget.quantity not in self.measurements:
                self.measurements[budget.quantity] = self._measure(budget.quantity)
        self._measure_unasked()
        self.verdicts = tuple(
            judge(
                self.measurements[budget.quantity],
                budget,
                floor=floor_of(self.run.selftest, budget.quantity, self.measurements),
            )
            for budget in self.budgets
        )
        outcome = combine(self.verdicts)
        reasons = "\n".join(v.reason for v in self.verdicts if v.kind is not VerdictKind.WITHIN)
        if outcome is Outcome.FAILED:
            raise BudgetExceededError(reasons)
        if outcome is Outcome.BLOCKED:
            raise InconclusiveError(reasons)

    def _measure(self, quantity: str) -> Measurement:
        if not needs_recording(quantity):
            return self._memory()
        if not self.recordings:
            raise InputError(
                f"a {QUANTITIES[quantity].marker} on a test that asks for `power` but records nothing",
                fix="put the measured part into `with power.capture():`, or drop the fixture",
            )
        # A replay hands out one and the same record each time: it counts once.
        records = {id(recording.capture): recording for recording in self.recordings}
        return pool([recording.measurement(quantity) for recording in records.values()])

    def _measure_unasked(self) -> None:
        """Everything else that the same captures can tell, for the record; never a reason to stop."""
        for quantity in QUANTITIES:
            if quantity in self.measurements or not needs_recording(quantity) or not self.recordings:
                continue
            try:
                self.measurements[quantity] = self._measure(quantity)
            except HilError:
                continue

    def _memory(self) -> Measurement:
        assert self.bench is not None
        probe, dut = self.bench.flashable()
        assert dut.image is not None
        return memory(
            dut.image.static_ram_bytes,
            dut.stack_high_water(),
            simulated=probe.simulated,
            instrument=f"{dut.image.path.name} and the painted stack, by {probe.description}",
        )

    def observe(self, name: str, values: Sequence[float], *, unit: str, instrument_error: float) -> None:
        """Add a measurement of the user's own to the record."""
        simulated = self.bench.simulated if self.bench else self.run.simulated
        self.measurements[name] = from_values(
            name, values, unit=unit, instrument_error=instrument_error, instrument="test", simulated=simulated
        )

    def end(self, outcome: Outcome, message: str) -> None:
        """Note how the test ended; after a failure, listen to the console a little longer."""
        self.outcome = outcome
        self.message = message
        if outcome in (Outcome.FAILED, Outcome.BLOCKED) and self.bench is not None and self.bench.console:
            try:
                self.bench.console.drain(DRAIN_S)
            except Exception:  # a report is being made: whatever the console's end does now, it goes on
                return

    def console_tail(self) -> tuple[ConsoleLine, ...]:
        """The last lines of this test's part of the console."""
        if self.bench is None or self.bench.console is None:
            return ()
        return self.bench.console.lines_since(self._console_start)[-CONSOLE_TAIL:]

    def waveform(self) -> Envelope | None:
        """The last capture, thinned for a report; None if there is none."""
        if not self.recordings:
            return None
        try:
            return self.recordings[-1].envelope()
        except HilError:
            return None

    def to_record(self) -> TestRecord:
        """The record of this test."""
        return TestRecord(
            nodeid=self.nodeid,
            outcome=self.outcome,
            message=self.message,
            measurements=dict(self.measurements),
            verdicts=self.verdicts,
            firmware=self._firmware,
            console=() if self.outcome is Outcome.PASSED else self.console_tail(),
        )
