"""One pytest session: which boards, which bench, and what is published at the end."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pytest_lan_hil.config import Bench, Board, SearchPath, load_bench, load_board, wire
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.pushgateway import check_url
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.discover import discover_bench
from pytest_lan_hil.run.options import RunOptions
from pytest_lan_hil.run.project import git_state, new_run_id, utc_now, versions
from pytest_lan_hil.run.publication import Publication, publish
from pytest_lan_hil.run.summary import pooled, run_outcome


class RunSession:
    """Everything that lasts as long as the pytest session.

    Raises:
        InputError: A board, the bench, the output folder or the Pushgateway's URL can't be used.
    """

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        search = SearchPath.default(options.rootdir, options.board_folders)
        self.boards: dict[str, Board] = {}
        for name in options.boards:
            board = load_board(name, search)
            self.boards[board.name] = board
        self.bench: Bench = (
            load_bench(options.bench, search) if options.bench else discover_bench(options.boards)
        )
        if options.pushgateway:
            check_url(options.pushgateway)
        _require_writable(options.output)
        self.runs = {
            name: BoardRun(board, self.bench, wire(self.bench, board), wait_s=options.wait_s)
            for name, board in self.boards.items()
        }
        self._started_at = utc_now()

    def header(self) -> list[str]:
        """Lines that say in plain words which boards are measured, and on what."""
        lines = []
        for name, run in self.runs.items():
            about = f": {self.bench.title}" if self.bench.title else ""
            lines.append(f"lan-hil: board {name} on bench {self.bench.name}{about}")
            wiring = run.wiring
            lines.append(
                f"lan-hil:   probe {wiring.probe}, console {wiring.console or 'none'},"
                f" analyzer {wiring.analyzer or 'none'}"
            )
        return lines

    def finish(self, *, interrupted: bool) -> list[Publication]:
        """Close every bench, then write and publish the record of every board that ran a test."""
        published = []
        for run in self.runs.values():
            problem = run.close(interrupted=interrupted)
            if run.tests:
                published.append(
                    publish(self._record(run, interrupted=interrupted), run.waveforms, self.options, problem)
                )
        return published

    def _record(self, run: BoardRun, *, interrupted: bool) -> RunRecord:
        commit, dirty = git_state(self.options.rootdir)
        return RunRecord(
            run_id=new_run_id(run.board.name),
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
            measurements=pooled(run.tests),
            versions=versions(),
        )


def _require_writable(folder: Path) -> None:
    """Find out before anything is measured that the record can be written.

    Raises:
        InputError: It can't.
    """
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
