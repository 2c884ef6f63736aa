"""Two images compared on a board, in a pytest session of its own (`--hil-ab`)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.files import RECORD_NAME
from pytest_lan_hil.publish.record import read_record
from pytest_lan_hil.run.bisect.process import run_logged, tail

# https://docs.pytest.org/en/stable/reference/exit-codes.html
_TESTS_RAN = (0, 1)
_INTERRUPTED = 2
_NO_TESTS = 5


@dataclass(frozen=True, slots=True)
class Comparer:
    """How images are compared.

    Attributes:
        folder: Where pytest runs: tests, boards and benches are those of the user's checkout.
        root: Its options that name the project: `-c FILE` or `--rootdir DIR`.
        options: `--board`, `--bench`, what else is for pytest.
        tests: Files, folders or node ids; none: the project's own choice.
        output: Folder of run records.
    """

    folder: Path
    root: tuple[str, ...]
    options: tuple[str, ...]
    tests: tuple[str, ...]
    output: Path

    def compare(self, base: Path, head: Path, log: Path) -> tuple[RunRecord, Path]:
        """Run the session; returns its record and where that is.

        What pytest says is written to `log`.

        Raises:
            InputError: There was no session: pytest refuses, or finds no test.
            KeyboardInterrupt: Ctrl-C, here or in the session.
        """
        before = set(self._records())
        one_process = ("-n", "0") if find_spec("xdist") else ()  # whatever the project's addopts say
        command = [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *(*self.root, *self.options, *one_process),
            *("--hil-ab", str(base), str(head), "--hil-inconclusive", "pass"),
            *("--hil-output", str(self.output), *self.tests),
        ]
        code = run_logged(command, self.folder, log)
        if code == _INTERRUPTED and "KeyboardInterrupt" in log.read_text("utf-8", "replace"):
            raise KeyboardInterrupt
        new = sorted(set(self._records()) - before)
        if code not in _TESTS_RAN or not new:
            why = "found no test" if code == _NO_TESTS else f"ended with exit code {code}"
            why = why if code not in _TESTS_RAN else "measured nothing: no test ran on the board"
            raise InputError(
                f"the session that compares two images {why} ({log}){tail(log)}",
                fix="name tests that use `dut` and judge a quantity: --tests PATH",
            )
        return read_record(new[-1]), new[-1]

    def _records(self) -> list[Path]:
        return list(self.output.glob(f"runs/*/{RECORD_NAME}"))
