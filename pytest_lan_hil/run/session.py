"""One pytest session: which boards, which benches, and what is published at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytest_lan_hil.config import Board, SearchPath, load_bench, load_board, wire_first
from pytest_lan_hil.measure.quantities import pool
from pytest_lan_hil.model.errors import HilError, InputError
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.files import RECORD_NAME, run_directory
from pytest_lan_hil.publish.overview import overview_lines
from pytest_lan_hil.publish.pushgateway import check_url
from pytest_lan_hil.publish.record import read_record
from pytest_lan_hil.publish.rows import SIMULATED_LABEL
from pytest_lan_hil.run.bench import is_replay
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.discover import discover_bench
from pytest_lan_hil.run.options import RunOptions
from pytest_lan_hil.run.project import git_state, utc_now, versions
from pytest_lan_hil.run.publication import Publication, publish
from pytest_lan_hil.run.summary import first_of, pooled, run_outcome


class RunSession:
    """Everything that lasts as long as the pytest session.

    Raises:
        InputError: A board, a bench or the Pushgateway's URL can't be used.
    """

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        search = SearchPath.default(options.rootdir, options.board_folders, options.bench_folders)
        self.boards: dict[str, Board] = {}
        for name in options.boards:
            board = load_board(name, search)
            self.boards[board.name] = board
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

    def record_path(self, board: str) -> Path:
        """Where the record of a board's run will be."""
        return run_directory(self.options.output, self.runs[board].run_id) / RECORD_NAME

    def finish(self, *, interrupted: bool) -> list[Publication]:
        """Close every bench, then write and publish the record of every board that ran a test."""
        problems = {name: run.close(interrupted=interrupted) for name, run in self.runs.items()}
        return [
            self._publish(run, problems[name], interrupted=interrupted)
            for name, run in self.runs.items()
            if any(test.outcome is not Outcome.SKIPPED for test in run.tests)
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
            apart = ("",) if len(self.boards) > 1 else ()
            return replace(published, lines=(*published.lines, *kept, *apart))
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
            devices=run.devices,
            tests=tuple(run.tests),
            measurements=pooled(run.tests, join=first_of if is_replay(run.wiring) else pool),
            versions=versions(),
        )
