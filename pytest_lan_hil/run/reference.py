"""What the tests of a session are compared with: the committed baseline, or what `--hil-compare` names.

Found when the first test of a board asks for it, because only an open bench knows whether it is simulated; a
name that stands for nothing is refused before anything runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.model.comparison import Baseline, Repeatability, Subject
from pytest_lan_hil.model.errors import BlockedError, HilError, InputError
from pytest_lan_hil.publish.baseline_file import baseline_path
from pytest_lan_hil.publish.ledger import LEDGER_NAME, Ledger
from pytest_lan_hil.run.baseline_runs import Measured, from_file, is_file, reference, repeatability
from pytest_lan_hil.run.baselines import Setup, find_baseline, refuse_foreign
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.options import BASELINE, RunOptions


@dataclass(frozen=True, slots=True)
class Reference:
    """What one board's run is compared with.

    Attributes:
        baseline: What was measured then, by subject; without rows where there is none.
        repeatability: The bench's A/A history, without the runs that the baseline was made from.
        advice: What to do about a subject that the baseline lacks.
    """

    baseline: Baseline
    repeatability: Mapping[Subject, Repeatability]
    advice: str

    def without_baseline(self, subject: Subject) -> str:
        """Why a subject is compared with nothing, and what to do."""
        why = "has none" if self.baseline.rows else "is not there"
        name = f"{subject.quantity} of {subject.test}"
        return f"no baseline for {name}: {self.baseline.origin} {why}\n  fix: {self.advice}"


class References:
    """What each board of a session is compared with; looked up once.

    Attributes:
        notes: What was found out on the way and the user should know: a damaged ledger, samples left out.

    Raises:
        InputError: `--hil-compare` names nothing that is there.
    """

    def __init__(self, options: RunOptions, runs: Mapping[str, BoardRun]) -> None:
        self.notes: list[str] = []
        self._options = options
        self._runs = runs
        self._found: dict[str, Reference | HilError] = {}
        self._named = options.compare or BASELINE
        if self._named != BASELINE:
            self._refuse_unknown()

    def _refuse_unknown(self) -> None:
        path = Path(self._named).expanduser()
        try:
            if is_file(path):
                from_file(path)
            else:
                with self._ledger() as ledger:
                    ledger.resolve(self._named)
        except InputError as error:
            raise InputError(f"--hil-compare {self._named}: {error.problem}", fix=error.fix) from None

    def name(self, board: str) -> str:
        """What a board's tests are compared with, in words."""
        if self._named != BASELINE:
            return self._named
        return str(baseline_path(self._options.baselines, board, self._runs[board].bench.name))

    def of(self, board: str) -> Reference:
        """What a board's tests are compared with; its bench must be open.

        Raises:
            InputError: It can't be read, or is of another board, bench, or of a simulation and not real.
        """
        if board not in self._found:
            try:
                self._found[board] = self._find(self._runs[board])
            except HilError as error:
                self._found[board] = error
        found = self._found[board]
        if isinstance(found, HilError):
            raise found
        return found

    def _find(self, run: BoardRun) -> Reference:
        setup = Setup(run.board.name, run.bench.name, run.simulated)
        if self._named == BASELINE:
            advice = f"save one from a run that you trust: {self._save_command(setup)}"
            try:
                found = Measured(find_baseline(self._options.baselines, setup))
            except BlockedError:
                origin = self.name(run.board.name)
                none = Baseline(setup.board, setup.bench, setup.simulated, {}, (), origin)
                return Reference(none, {}, advice)
        else:
            advice = "compare with a run that measured it, or drop --hil-compare"
            found = self._named_by_user(setup)
        self.notes += found.notes
        return Reference(found.baseline, self._repeatability(setup, found), advice)

    def _named_by_user(self, setup: Setup) -> Measured:
        path = Path(self._named).expanduser()
        if is_file(path):
            found = from_file(path)
            refuse_foreign(found.baseline, setup)
            return found
        with self._ledger() as ledger:
            return reference(self._named, ledger, self._options.baselines, setup)

    def _repeatability(self, setup: Setup, base: Measured) -> dict[Subject, Repeatability]:
        """From the ledger of this project; a project without runs knows nothing."""
        if not (self._options.output / LEDGER_NAME).exists():
            return {}
        with self._ledger() as ledger:
            return repeatability(ledger, setup, base.firmwares)

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        with Ledger.open(self._options.output) as ledger:
            yield ledger
            self.notes += ledger.problems

    def _save_command(self, setup: Setup) -> str:
        """Folders that are not where the command looks without being told are named."""
        options, root = self._options, self._options.rootdir
        words = ["lan-hil", "baseline", "save"]
        folders = []
        if options.output != root / ".hil":
            folders += ["--hil-output", str(options.output)]
        if options.baselines != root / "baselines":
            folders += ["--baselines", str(options.baselines)]
        return " ".join([*words, setup.options, shlex.join(folders)]).strip()
