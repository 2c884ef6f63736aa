"""What is compared with what: samples of runs, baselines made of them, what a comparison finds. Values only.

A *sample* is one measurement of one test in one run, reduced to what a comparison needs. Samples are compared
only where subject, board, bench, instrument and `simulated` agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_lan_hil.model.measurement import Spread, VerdictKind
from pytest_lan_hil.model.quantities import Direction


def without_board(nodeid: str, board: str) -> str:
    """The node id without the board, which is a parameter of every test: "f.py::test[nrf52840-3]" to
    "f.py::test[3]"; what a test is called on every board.
    """
    name, bracket, parameters = nodeid.partition("[")
    if not bracket:
        return nodeid
    text = parameters.removesuffix("]")
    if text == board:
        return name
    if text.startswith(f"{board}-"):
        text = text[len(board) + 1 :]
    elif text.endswith(f"-{board}"):
        text = text[: -len(board) - 1]
    return f"{name}[{text}]"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What is measured, and under which load: one row of a baseline.

    Attributes:
        quantity: Name in the quantity table, or a user's own name.
        test: Node id of the test that measures it, without the board: `tests/hil/test_x.py::test_latency`.
    """

    quantity: str
    test: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one run. Figures in the display unit.

    Attributes:
        value: The statistic that is judged.
        standard_error: Its standard deviation by what this run alone can tell (its values, and what of the
            instrument's error differs from run to run); 0 for an exact figure, infinite where the values
            can't bound the statistic.
        degrees: Degrees of freedom of `standard_error`; infinite where it is known exactly.
        n: Number of values that the statistic was made from.
        spread: Of those values.
    """

    value: float
    standard_error: float
    degrees: float
    n: int
    spread: Spread


@dataclass(frozen=True, slots=True)
class Repeatability:
    """How much one and the same firmware varies from run to run on one bench (its A/A history).

    Attributes:
        relative_std: Standard deviation of a run's value, as a share of the value.
        degrees: Degrees of freedom: runs less firmwares. 0 if nothing is known.
    """

    relative_std: float = 0.0
    degrees: float = 0.0


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a comparison: the mean over its samples.

    Attributes:
        value: Mean, display unit.
        standard_error, degrees: Of that mean.
        samples: How many.
    """

    value: float
    standard_error: float
    degrees: float
    samples: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a baseline says about a subject, and why.

    Attributes:
        subject: What was compared.
        kind: `WITHIN`, `REGRESSED`, `IMPROVED` or `INCONCLUSIVE`.
        unit, statistic, direction: Of the subject.
        base, head: Both sides; None where one is missing.
        margin: How much worse is still within, display unit.
        change, change_low, change_high: head less base with its two-sided 95 % interval, display unit.
        p_regressed: How often chance alone would make it look this much worse, if it were worse by just the
            margin (small: regressed). Corrected for the number of subjects that were tested together.
        p_within: How often chance alone would make it look this good, if it were worse by the margin (small:
            within).
        p_improved: As `p_regressed`, for better by the margin.
        reason: In words.
        repeats: Runs of the head, in all, that would about settle an inconclusive verdict; None where no
            number would, or nothing is to be settled.
    """

    subject: Subject
    kind: VerdictKind
    unit: str
    statistic: str
    direction: Direction
    base: Arm | None
    head: Arm | None
    margin: float
    change: float
    change_low: float
    change_high: float
    p_regressed: float
    p_within: float
    p_improved: float
    reason: str
    repeats: int | None = None


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """The distribution of one subject, from accepted runs.

    Attributes:
        subject: Its key.
        unit, statistic: As the runs had it.
        instrument: Model and serial of what measured it.
        samples: One for each run, or repeat, in order of time.
    """

    subject: Subject
    unit: str
    statistic: str
    instrument: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class BaselineEvent:
    """One entry of a baseline's own log.

    Attributes:
        at: ISO 8601, UTC.
        action: "saved", "updated" (by `baseline update`) or "accepted" (a deliberate change).
        git_commit: Of the runs that it was made from.
        bench: On which they were made.
        firmware_sha256: Of their image.
        rows: How many rows were written anew.
        reason: In the user's words; "" except for "accepted".
    """

    at: str
    action: str
    git_commit: str
    bench: str
    firmware_sha256: str
    rows: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a board did on a bench in accepted runs.

    Attributes:
        board, bench, simulated: Whom it is of; a run of another is refused.
        rows: Subject to row.
        events: Oldest first.
        origin: Where it comes from: the file's path, or "ledger: main".
    """

    board: str
    bench: str
    simulated: bool
    rows: dict[Subject, BaselineRow]
    events: tuple[BaselineEvent, ...] = ()
    origin: str = field(default="", compare=False)
