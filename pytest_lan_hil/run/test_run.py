"""One test on one board: what it asks for, what was measured in it, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.recorded import RecordedDut
from pytest_lan_hil.dut.work import Work
from pytest_lan_hil.judge.budgets import combine, judge
from pytest_lan_hil.measure.counters import Counters
from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.errors import BlockedError, CapabilityMissing, DutError, HilError
from pytest_lan_hil.model.measurement import Budget, Measurement, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.model.record import Confusion, ConsoleLine, FirmwareIdentity, TestRecord
from pytest_lan_hil.run.bench import OpenBench
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.recording import Recording, record
from pytest_lan_hil.run.selftest import floor_of
from pytest_lan_hil.run.sources import SOURCES, Evidence, From, require_known

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
        self.confusion: Confusion | None = None
        self.verdicts: tuple[Verdict, ...] = ()
        self.outcome = Outcome.INTERRUPTED
        self.message = "the run was interrupted in this test"
        self.bench: OpenBench | None = None
        self._firmware: FirmwareIdentity | None = None
        self._counting: Dut | None = None
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
            for budget in self.budgets:
                require_known(budget.quantity, self.bench.board)
        return self.bench

    def prepare(self) -> Dut | RecordedDut:
        """Flash, prove and reset.

        Raises:
            HilError: See `BoardRun.prepare`.
        """
        bench = self.open_bench()
        self._firmware = self.run.prepare(self.image_name)
        if bench.console is not None and isinstance(bench.dut, Dut):
            self._counting = bench.dut
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

        The DUT's counters are read before the record begins and after it has ended, never within.

        Raises:
            BudgetExceededError: A budget is exceeded.
            BlockedError: A number can't be had, or decides nothing.
        """
        asked = {SOURCES[budget.quantity].made_from for budget in self.budgets}
        recorded = self.capture() if From.CAPTURE in asked and not self.explicit else nullcontext()
        before = self._counters(asked)
        worked, said = self._done()
        with recorded:
            yield
        talked = self._done() != (worked, said)
        after = self._counters(asked) if talked else before
        work = tuple(self._counting.work[worked:]) if self._counting is not None else ()
        self._judge(before, after, work)

    def _counters(self, asked: set[From]) -> Counters | None:
        """The DUT's counters; None where it has none, or where nobody asked and it does not answer."""
        if self._counting is None or not self._counting.in_step:
            return None
        try:
            return self._counting.counters()
        except HilError:
            if From.COUNTERS in asked:
                raise
            return None

    def _done(self) -> tuple[int, int]:
        """How much work the DUT was given so far, and how many lines were said on its console."""
        if self._counting is None:
            return 0, 0
        return len(self._counting.work), len(self._counting.console.lines)

    def _judge(self, before: Counters | None, after: Counters | None, work: tuple[Work, ...]) -> None:
        missing = self._measure(before, after, work)
        self.verdicts = tuple(
            judge(
                self.measurements[budget.quantity],
                budget,
                floor=floor_of(self.run.selftest, budget.quantity, self.measurements),
            )
            for budget in self.budgets
            if budget.quantity in self.measurements
        )
        outcome = combine(self.verdicts)
        reasons = "\n".join(v.reason for v in self.verdicts if v.kind is not VerdictKind.WITHIN)
        if outcome is Outcome.FAILED:
            raise BudgetExceededError(reasons)
        if outcome is Outcome.BLOCKED:
            raise InconclusiveError(reasons)
        if missing is not None:
            raise missing

    def _measure(
        self, before: Counters | None, after: Counters | None, work: tuple[Work, ...]
    ) -> CapabilityMissing | None:
        """Measure what budgets ask for, then what comes free; returns why a budget can't be judged here."""
        if self.bench is None:
            return None
        evidence = Evidence(self.bench, tuple(self.recordings), before, after, work, self.measurements)
        missing = None
        for budget in self.budgets:
            if budget.quantity in self.measurements:
                continue
            try:
                self.measurements[budget.quantity] = SOURCES[budget.quantity].measure(evidence)
            except CapabilityMissing as error:
                missing = missing or error
        for quantity, source in SOURCES.items():
            captured = source.made_from is From.CAPTURE
            if quantity in self.measurements or not source.is_free or source.lacks(self.run.board):
                continue
            # A capture is worked out for its own sake only where a budget says under which load it was made.
            if captured and not (self.budgets and self.recordings):
                continue
            try:
                self.measurements[quantity] = source.measure(evidence)
            except HilError:
                continue  # nobody asked
        return missing

    def add(self, measurement: Measurement) -> None:
        """Take over a measurement that a fixture made in this test; budgets judge it."""
        self.measurements[measurement.quantity] = measurement

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
            confusion=self.confusion,
        )
