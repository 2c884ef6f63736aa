"""Two images side by side on one board (`--hil-ab`): the steps of a session, and what comes of them together.

A block flashes base, head, head, base; every test runs once in each step. When a test ends in the last step,
what all steps measured in it is compared by `judge.paired`, corrected for all comparisons of the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_lan_hil.config import Board
from pytest_lan_hil.dut.program import load_image_for
from pytest_lan_hil.judge.paired import Block, Blocks, compare_blocks
from pytest_lan_hil.model.comparison import BaselineRow, Comparison, Sample, Subject
from pytest_lan_hil.model.errors import BlockedError, ImageError, InputError
from pytest_lan_hil.model.measurement import Measurement
from pytest_lan_hil.model.quantities import Margin
from pytest_lan_hil.run.ab_steps import TURNS, Side, Step, steps_of, without_step
from pytest_lan_hil.run.asked import Asked
from pytest_lan_hil.run.baselines import direction_of, row_of
from pytest_lan_hil.run.bench import is_replay
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.comparing import subject_of
from pytest_lan_hil.run.options import RunOptions, TwoImages

FEWEST_BLOCKS = 2


def without_build(board: Board) -> Board:
    """The board without the command that makes its images: those that are compared are made already."""
    return board.model_copy(update={"build": ()})


@dataclass(frozen=True, slots=True)
class ComparedImage:
    """One of the two images.

    Attributes:
        path: Of the file.
        sha256: Of its content when the session began.
        stamp: Time of change (ns) and size then.
    """

    path: Path
    sha256: str
    stamp: tuple[int, int]

    @classmethod
    def load(cls, board: Board, side: Side, name_or_file: str) -> ComparedImage:
        """Read an image, and prove that it can be for the board.

        Raises:
            ImageError: It is missing, damaged, or for another chip; says which of the two.
        """
        try:
            path = board.image(name_or_file).resolve()
            stamp = _stamp(path)
            return cls(path, load_image_for(board, path).sha256, stamp)
        except ImageError as error:
            raise ImageError(f"--hil-ab, {side.value} image: {error.problem}", fix=error.fix) from None

    def require_unchanged(self) -> None:
        """Make sure that the file is what it was when the session began.

        Raises:
            BlockedError: It is not.
        """
        try:
            same = _stamp(self.path) == self.stamp
        except OSError:
            same = False
        if not same:
            raise BlockedError(
                f"image {self.path} was changed while it was compared",
                fix="compare copies, which no build overwrites",
            )

    def __str__(self) -> str:
        return f"{self.path} (sha256 {self.sha256[:12]})"


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_mtime_ns, state.st_size


class SideBySide:
    """Both images of a session, its steps, and what each step measured.

    Attributes:
        board: The board that both run on.
        images: Side to image.
        steps: In order.
        family: How many comparisons the session asks for: known once the tests are collected.
    """

    def __init__(self, wanted: TwoImages, board: Board) -> None:
        """Load both images.

        Raises:
            ImageError: An image can't be used on the board.
        """
        self.board = board
        self.images = {
            side: ComparedImage.load(board, side, name)
            for side, name in ((Side.BASE, wanted.base), (Side.HEAD, wanted.head))
        }
        self.steps = steps_of(wanted.blocks)
        self.family = 0
        self._rows: dict[Subject, dict[Step, BaselineRow]] = {}

    @classmethod
    def of(cls, options: RunOptions, runs: Mapping[str, BoardRun]) -> SideBySide | None:
        """What a session with these options and boards compares; None if it tests one image.

        Raises:
            InputError: The session can't be one of two images.
            ImageError: See `__init__`.
        """
        if options.two_images is None:
            return None
        _refuse_what_does_not_fit(options.two_images, options, runs)
        (run,) = runs.values()
        return cls(options.two_images, run.board)

    @property
    def alike(self) -> bool:
        """True for an A/A run: one and the same image on both sides."""
        return self.images[Side.BASE].sha256 == self.images[Side.HEAD].sha256

    def header(self) -> list[str]:
        """Lines that say what is compared, and how."""
        blocks = len(self.steps) // len(TURNS)
        lines = [f"lan-hil: {side.value} image {image}" for side, image in self.images.items()]
        if self.alike:
            lines.append("lan-hil: both images are the same (an A/A run): what differs is the bench")
        turns = ", ".join(side.value for side in TURNS)
        lines.append(
            f"lan-hil: {blocks} blocks of {turns}; a budget says what is compared, its limit is no verdict"
        )
        return lines

    def asked(self, wanted: Asked, step: Step) -> Asked:
        """What a test asks for in a step: everything that is judged elsewhere is compared, on the step's
        image.

        Raises:
            BlockedError: The image's file was changed since the session began.
        """
        image = self.images[step.side]
        image.require_unchanged()
        own = self.board.margins
        return replace(
            wanted,
            budgets=(),
            image_name=str(image.path),
            margins={name: wanted.margins.get(name, own[name]) for name in wanted.quantities},
        )

    def at(self, nodeid: str, step: Step, margins: Mapping[str, Margin]) -> SteppedTest:
        """The comparisons of a test in one of its steps."""
        return SteppedTest(self, without_step(nodeid, step), step, margins)

    def take(
        self,
        test: str,
        step: Step,
        margins: Mapping[str, Margin],
        measurements: Mapping[str, Measurement],
    ) -> tuple[Comparison, ...]:
        """Take in what a test measured in a step; after the last step, compare.

        A quantity that no step measured is left out; that it can't be measured is said elsewhere.

        Args:
            test: Node id without the step.
            step: Its step.
            margins: Quantity to margin.
            measurements: What was measured.
        """
        for quantity in margins:
            if quantity in measurements:
                row = row_of(measurements[quantity], test, self.board.name)
                self._rows.setdefault(row.subject, {})[step] = row
        return self._compared(test, margins) if step == self.steps[-1] else ()

    def _compared(self, test: str, margins: Mapping[str, Margin]) -> tuple[Comparison, ...]:
        subjects = [subject_of(test, self.board.name, quantity) for quantity in margins]
        measured = [subject for subject in subjects if subject in self._rows]
        found = [
            blocks_of(subject, self._rows[subject], margins[subject.quantity], self.steps)
            for subject in measured
        ]
        compared = compare_blocks(found, tests=max(self.family, len(found))) if found else ()
        return tuple(with_gaps(one, self._rows[one.subject], self.steps) for one in compared)


class SteppedTest:
    """The comparisons of one test in one step; see `run.asked.Comparing`.

    Attributes:
        wants_another: Never: every test runs once in each step.
        ending: "".
    """

    wants_another = False
    ending = ""

    def __init__(self, sides: SideBySide, test: str, step: Step, margins: Mapping[str, Margin]) -> None:
        """Args:
        sides: Of the session.
        test: Node id without the step.
        step: Which.
        margins: What is compared.
        """
        self._sides = sides
        self._test = test
        self._step = step
        self._margins = margins

    def judge(self, measurements: Mapping[str, Measurement]) -> tuple[Comparison, ...]:
        """Take in what was measured; the comparisons, if this is the last step."""
        return self._sides.take(self._test, self._step, self._margins, measurements)


def blocks_of(
    subject: Subject, rows: Mapping[Step, BaselineRow], margin: Margin, steps: Iterable[Step]
) -> Blocks:
    """What is judged: the whole blocks of a subject, without those that a step is missing of.

    Args:
        subject: Which.
        rows: Step to what it measured.
        margin: Of the subject.
        steps: Of the session.
    """
    known = next(iter(rows.values()))
    sides: dict[int, dict[Side, list[Sample]]] = {}
    cut_short = set()
    for step in steps:
        if step in rows:
            sides.setdefault(step.block, {}).setdefault(step.side, []).extend(rows[step].samples)
        else:
            cut_short.add(step.block)
    return Blocks(
        subject=subject,
        unit=known.unit,
        statistic=known.statistic,
        direction=direction_of(subject.quantity),
        margin=margin,
        blocks=tuple(
            Block(tuple(samples[Side.BASE]), tuple(samples[Side.HEAD]))
            for block, samples in sorted(sides.items())
            if block not in cut_short
        ),
    )


def with_gaps(found: Comparison, rows: Mapping[Step, BaselineRow], steps: Iterable[Step]) -> Comparison:
    """A comparison whose reason names the steps that did not measure it, if there are any."""
    missing = [step.name for step in steps if step not in rows]
    if not missing:
        return found
    said = f"; without the blocks of {', '.join(missing)}, where it was not measured"
    return replace(found, reason=f"{found.reason}{said}")


def _refuse_what_does_not_fit(wanted: TwoImages, options: RunOptions, runs: Mapping[str, BoardRun]) -> None:
    problem = ""
    if len(runs) != 1:
        problem, fix = f"{len(runs)} boards were given", "give one --board: both images run on the same board"
    elif options.compare is not None:
        problem, fix = f"--hil-compare {options.compare} was given, too", "ask for one comparison at a time"
    elif options.until_decided_s is not None:
        problem, fix = "--hil-until-decided was given, too", "give --hil-ab-blocks N to measure more often"
    elif wanted.blocks < FEWEST_BLOCKS:
        problem = f"{wanted.blocks} blocks are too few: a difference has to recur"
        fix = f"give --hil-ab-blocks {FEWEST_BLOCKS} or more"
    elif is_replay(next(iter(runs.values())).wiring):
        problem, fix = "the bench replays a record, which has no image", "give a bench with a board: --bench"
    if problem:
        raise InputError(f"--hil-ab {wanted.base} {wanted.head}: {problem}", fix=fix)
