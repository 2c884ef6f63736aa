"""One pytest session: which boards, which benches, and what is published at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_lan_hil.config import Board, SearchPath, load_bench, load_board, wire_first
from pytest_lan_hil.measure.quantities import pool
from pytest_lan_hil.model.errors import HilError, InputError
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.quantities import Margin
from pytest_lan_hil.model.record import RunKind, RunRecord
from pytest_lan_hil.publish.files import RECORD_NAME, run_directory
from pytest_lan_hil.publish.overview import overview_lines
from pytest_lan_hil.publish.pushgateway import check_url
from pytest_lan_hil.publish.record import read_record
from pytest_lan_hil.publish.rows import SIMULATED_LABEL
from pytest_lan_hil.run.ab import SideBySide, without_build
from pytest_lan_hil.run.bench import is_replay
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.comparing import ComparedTest
from pytest_lan_hil.run.discover import discover_bench
from pytest_lan_hil.run.options import RunOptions
from pytest_lan_hil.run.profiling import with_profile
from pytest_lan_hil.run.project import git_branch, git_state, utc_now, versions
from pytest_lan_hil.run.publication import Publication, publish
from pytest_lan_hil.run.reference import References
from pytest_lan_hil.run.summary import first_of, pooled, run_outcome


class RunSession:
    """Everything that lasts as long as the pytest session.

    Raises:
        InputError: A board, a bench, the Pushgateway's URL or what is to be compared with can't be used.
    """

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        search = SearchPath.default(options.rootdir, options.board_folders, options.bench_folders)
        self.boards: dict[str, Board] = {}
        for name in options.boards:
            board = load_board(name, search)
            self.boards[board.name] = board if options.two_images is None else without_build(board)
        benches = [load_bench(name, search) for name in options.benches]
        if not benches:
            benches = [discover_bench(options.boards)]
        if options.pushgateway:
            check_url(options.pushgateway)
        self.runs = {
            name: BoardRun(
                board,
                *wire_first(benches, board),
                wait_s=options.wait_s,
                captures=options.output if options.save_captures else None,
            )
            for name, board in self.boards.items()
        }
        #: The two images of `--hil-ab`, if that is what this session compares.
        self.sides = SideBySide.of(options, self.runs)
        self.references = References(options, self.runs)
        #: Board to the number of comparisons that are asked for on it: known once the tests are collected.
        self.families: dict[str, int] = {}
        self._started_at = utc_now()

    def header(self) -> list[str]:
        """Lines that say in plain words which boards are measured, and on what."""
        lines = []
        for name, run in self.runs.items():
            about = f": {run.bench.title}" if run.bench.title else ""
            lines.append(f"lan-hil: board {name} on bench {run.bench.name}{about}")
            wiring = run.wiring
            edges = f", edges {wiring.edges}" if wiring.edges else ""
            lines.append(
                f"lan-hil:   probe {wiring.probe or 'none'}, console {wiring.console or 'none'},"
                f" analyzer {wiring.analyzer or 'none'}{edges}"
            )
        if self.options.compare is not None:
            names = dict.fromkeys(self.references.name(name) for name in self.runs)
            lines.append(f"lan-hil: every judged quantity is compared with {', '.join(names)}")
        if self.sides is not None:
            lines += self.sides.header()
        simulated = [name for name, run in self.runs.items() if run.simulated]
        if simulated:
            which = f"board {', '.join(simulated)}: " if len(simulated) < len(self.runs) else ""
            lines.append(f"lan-hil: {which}{SIMULATED_LABEL}")
        return lines

    def require_writable_output(self) -> None:
        """Find out before anything is measured that the records can be written.

        Raises:
            InputError: They can't.
        """
        folder = self.options.output
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=folder, prefix=".writable-")
            os.close(descriptor)
            Path(name).unlink()
        except OSError as error:
            raise InputError(
                f"output folder {folder} can't be written: {error.strerror}",
                fix="give another with --hil-output DIR, or mend its permissions",
            ) from error

    def run_on(self, board: str) -> BoardRun:
        """The run of a board, with its devices free: another board of this session that uses one lets go."""
        run = self.runs[board]
        for other in self.runs.values():
            if other is not run and other.shares_a_device_with(run):
                other.close(interrupted=False)
        return run

    def compared_with(self, board: str) -> str:
        """What a board's tests are compared with, in words."""
        return self.references.name(board) if self.sides is None else "the other image"

    def compared(self, nodeid: str, board: str, margins: Mapping[str, Margin]) -> ComparedTest | None:
        """The comparisons of a test that is about to run; None if it is compared with nothing.

        A replay is not repeated: it would be the same record each time.
        """
        if not margins:
            return None
        replayed = is_replay(self.runs[board].wiring)
        return ComparedTest(
            nodeid,
            board,
            margins,
            lambda: self.references.of(board),
            family=self.families.get(board, 0),
            box_s=None if replayed else self.options.until_decided_s,
        )

    def record_path(self, board: str) -> Path:
        """Where the record of a board's run will be."""
        return run_directory(self.options.output, self.runs[board].run_id) / RECORD_NAME

    def finish(self, *, interrupted: bool) -> list[Publication]:
        """Close every bench, then write and publish the record of every board that ran a test."""
        problems = {name: run.close(interrupted=interrupted) for name, run in self.runs.items()}
        tested = [
            (name, run)
            for name, run in self.runs.items()
            if any(test.outcome is not Outcome.SKIPPED for test in run.tests)
        ]
        published = [self._publish(run, problems[name], interrupted=interrupted) for name, run in tested]
        if not self.options.profile or interrupted:
            return published
        return [
            with_profile(one, run, self.options.output)
            for one, (_, run) in zip(published, tested, strict=True)
        ]

    def overview(self, records: Sequence[str]) -> list[str]:
        """One table over several boards, in the order in which they were named; a record that can't be read
        back is a line.

        Args:
            records: Paths of the records that were written.
        """
        found, problems = [], []
        for path in records:
            try:
                found.append(read_record(Path(path)))
            except InputError as error:
                problems.append(f"warning: {error.problem}")
        order = list(self.boards)
        found.sort(key=lambda record: order.index(record.board))
        table = overview_lines(found)
        return [*table, *problems]

    def _publish(self, run: BoardRun, problem: str, *, interrupted: bool) -> Publication:
        try:
            published = publish(
                self._record(run, interrupted=interrupted), run.waveforms, self.options, problem
            )
            kept = tuple(f"capture: {path}" for path in run.kept)
            notes = tuple(f"warning: {note}" for note in self.references.notes)
            self.references.notes.clear()
            apart = ("",) if len(self.boards) > 1 else ()
            return replace(published, lines=(*published.lines, *kept, *notes, *apart))
        except HilError as error:
            # One board's full disk must not take the other boards' records with it.
            return Publication(
                None,
                None,
                (f"board {run.board.name}: THE RUN RECORD IS LOST: {error}", *filter(None, [problem])),
            )

    def _record(self, run: BoardRun, *, interrupted: bool) -> RunRecord:
        commit, dirty = git_state(self.options.rootdir)
        return RunRecord(
            run_id=run.run_id,
            started_at=self._started_at,
            finished_at=utc_now(),
            board=run.board.name,
            bench=run.bench.name,
            simulated=run.simulated,
            job=self.options.job,
            outcome=run_outcome(run.tests, interrupted=interrupted),
            git_commit=commit,
            git_dirty=dirty,
            git_branch=git_branch(self.options.rootdir),
            devices=run.devices,
            tests=tuple(run.tests),
            # what two images measured is one measurement of nothing
            measurements=pooled(run.tests, join=first_of if is_replay(run.wiring) else pool)
            if self.sides is None
            else None,
            versions=versions(),
            kind=RunKind.PLAIN if self.sides is None else RunKind.AB,
        )
