"""One test on one board: what it asks for, what was measured in it, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.recorded import RecordedDut
from pytest_lan_hil.dut.work import Work
from pytest_lan_hil.judge.budgets import combine, judge
from pytest_lan_hil.measure.counters import Counters
from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.comparison import Comparison
from pytest_lan_hil.model.errors import BlockedError, CapabilityMissing, DutError, DutFault, HilError
from pytest_lan_hil.model.measurement import Measurement, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.model.record import Confusion, ConsoleLine, FirmwareIdentity, TestRecord
from pytest_lan_hil.run.asked import Asked, Comparing
from pytest_lan_hil.run.bench import OpenBench
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.comparing import outcome_of
from pytest_lan_hil.run.options import Inconclusive
from pytest_lan_hil.run.recording import Recording, record
from pytest_lan_hil.run.selftest import floor_of
from pytest_lan_hil.run.sources import SOURCES, Evidence, From, require_known

CONSOLE_TAIL = 200
DRAIN_S = 0.2


class BudgetExceededError(DutError):
    """A measurement is over its budget."""


class RegressionError(DutError):
    """A measurement is worse than its baseline by more than the margin."""


class UndecidedError(DutError):
    """The samples can't support an answer, and the user wants that to be a failure (`--hil-inconclusive`)."""


class InconclusiveError(BlockedError):
    """The samples can't support an answer; the message says what would settle it."""


class TestRun:
    """Collects what happens in one test; `finish` turns it into a record."""

    __test__ = False

    def __init__(
        self,
        nodeid: str,
        run: BoardRun,
        asked: Asked,
        *,
        compared: Comparing | None = None,
        inconclusive: Inconclusive = Inconclusive.BLOCK,
    ) -> None:
        """Nothing is opened yet.

        Args:
            nodeid: Of the test.
            run: The board that it runs on.
            asked: What its markers and the session's options ask for.
            compared: Its comparisons, over all its repeats; None if it is compared with nothing.
            inconclusive: What becomes of it if a comparison can't be decided.
        """
        self.nodeid = nodeid
        self.run = run
        self.asked = asked
        self.compared = compared
        self.needs = frozenset(asked.needs).union(*(QUANTITIES[name].needs for name in asked.quantities))
        self.explicit = False
        self.recordings: list[Recording] = []
        self.measurements: dict[str, Measurement] = {}
        self.confusion: Confusion | None = None
        self.verdicts: tuple[Verdict, ...] = ()
        self.comparisons: tuple[Comparison, ...] = ()
        self.outcome = Outcome.INTERRUPTED
        self.message = "the run was interrupted in this test"
        self.bench: OpenBench | None = None
        self._inconclusive = inconclusive
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
            for quantity in self.asked.quantities:
                require_known(quantity, self.bench.board)
        return self.bench

    def prepare(self) -> Dut | RecordedDut:
        """Flash, prove and reset.

        Raises:
            HilError: See `BoardRun.prepare`.
        """
        bench = self.open_bench()
        self._firmware = self.run.prepare(self.asked.image_name)
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
        """Around the test body: record what budgets and comparisons need, and judge afterwards.

        The DUT's counters are read before the record begins and after it has ended, never within.

        Raises:
            BudgetExceededError: A budget is exceeded.
            RegressionError: A comparison with the baseline finds it worse.
            UndecidedError: A comparison decides nothing, and that is to be a failure.
            BlockedError: A number can't be had, or decides nothing.
            InputError: The baseline is of something else.
        """
        asked = {SOURCES[quantity].made_from for quantity in self.asked.quantities}
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
        except DutFault:
            raise  # it restarted, or died, in this test: that nobody asked for its counters does not matter
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
            for budget in self.asked.budgets
            if budget.quantity in self.measurements
        )
        by_budgets = combine(self.verdicts)
        reasons = [v.reason for v in self.verdicts if v.kind is not VerdictKind.WITHIN]
        try:
            if self.compared is not None:
                self.comparisons = self.compared.judge(self.measurements)
        except HilError:
            if by_budgets is Outcome.FAILED:  # whatever is wrong with the baseline, the budget is exceeded
                raise BudgetExceededError("\n".join(reasons)) from None
            raise
        self._conclude(by_budgets, reasons)
        if missing is not None:
            raise missing

    def _conclude(self, by_budgets: Outcome, reasons: list[str]) -> None:
        """Raise what the verdicts add up to; nothing if the test passes, or is to be repeated."""
        by_baseline = outcome_of(self.comparisons, self._inconclusive)
        reasons += [
            one.reason
            for one in self.comparisons
            if one.kind in (VerdictKind.REGRESSED, VerdictKind.INCONCLUSIVE)
        ]
        if self.compared is not None and self.compared.ending:
            reasons.append(self.compared.ending)
        text = "\n".join(reasons)
        if by_budgets is Outcome.FAILED:
            raise BudgetExceededError(text)
        if any(one.kind is VerdictKind.REGRESSED for one in self.comparisons):
            raise RegressionError(text)
        if by_budgets is Outcome.BLOCKED:
            raise InconclusiveError(text)
        if self.repeat_wanted:
            return
        if by_baseline is Outcome.FAILED:
            raise UndecidedError(text)
        if by_baseline is Outcome.BLOCKED:
            raise InconclusiveError(text)

    @property
    def repeat_wanted(self) -> bool:
        """True if one more repeat of this test may settle what its comparisons leave open."""
        return self.compared is not None and self.compared.wants_another

    def _measure(
        self, before: Counters | None, after: Counters | None, work: tuple[Work, ...]
    ) -> CapabilityMissing | None:
        """Measure what is asked for, then what comes free; returns why something can't be measured here."""
        if self.bench is None:
            return None
        evidence = Evidence(self.bench, tuple(self.recordings), before, after, work, self.measurements)
        missing = None
        for quantity in self.asked.quantities:
            if quantity in self.measurements:
                continue
            try:
                self.measurements[quantity] = SOURCES[quantity].measure(evidence)
            except CapabilityMissing as error:
                missing = missing or error
        for quantity, source in SOURCES.items():
            captured = source.made_from is From.CAPTURE
            if quantity in self.measurements or not source.is_free or source.lacks(self.run.board):
                continue
            # A capture is worked out for its own sake only where a marker says under which load it was made.
            if captured and not (self.asked.quantities and self.recordings):
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
            comparisons=self.comparisons,
        )
