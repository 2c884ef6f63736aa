"""Outcomes into pytest's reports: a DUT at fault fails, a bench at fault is an error, each in plain words.

A blocked test is reported as pytest reports a broken fixture (phase "setup"), whatever phase it happened in:
that is what terminal, JUnit and every reporter understand as *error, not failure*
(docs/explanation/decisions/0003-blocked-is-an-error.md). A DUT that fails while it is being prepared is in
turn reported as a test that failed (phase "call").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lan_hil.model.errors import BlockedError, DutError, HilError, InputError
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.publish.github import Annotation
from pytest_lan_hil.publish.junit import properties
from pytest_lan_hil.publish.rows import SIMULATED_LABEL
from pytest_lan_hil.publish.terminal import failure_section
from pytest_lan_hil.run.test_run import TestRun

# Of a report, which xdist carries from a worker as plain values: file and line of the failing test, what is
# wrong with it in a word, and in the test's own words.
_FAILING = "lan_hil_failing"


def note_report(
    test: TestRun,
    item: pytest.Item,
    call: pytest.CallInfo[None],
    report: pytest.TestReport,
    *,
    record_path: Path,
    debug: bool,
) -> None:
    """Take one phase's report into the test's record, and put plain words into it.

    Args:
        test: The test's run on its board.
        item, call, report: Of pytest.
        record_path: Where the record will be.
        debug: Keep tracebacks.
    """
    if report.skipped and test.outcome is Outcome.INTERRUPTED:
        test.end(Outcome.SKIPPED, _skip_reason(report))
    elif report.failed:
        _note_failure(test, item, call, report, record_path=record_path, debug=debug)
    elif report.when == "call" and test.outcome is Outcome.INTERRUPTED:
        test.end(Outcome.PASSED, "not settled yet: measured again" if test.repeat_wanted else "")
    if test.outcome is not Outcome.INTERRUPTED:
        found = properties(test.to_record(), simulated=test.run.simulated)
        item.user_properties[:] = [*_foreign(item), *found]
        report.user_properties = list(item.user_properties)


def _note_failure(
    test: TestRun,
    item: pytest.Item,
    call: pytest.CallInfo[None],
    report: pytest.TestReport,
    *,
    record_path: Path,
    debug: bool,
) -> None:
    # A strict xfail that passed has no exception, only pytest's word for it.
    error = call.excinfo.value if call.excinfo is not None else None
    blocked = isinstance(error, (BlockedError, InputError)) or (
        report.when != "call" and not isinstance(error, DutError)
    )
    if test.outcome not in (Outcome.FAILED, Outcome.BLOCKED):
        test.end(Outcome.BLOCKED if blocked else Outcome.FAILED, _message(call, report))
    if isinstance(error, HilError):
        if report.when != "teardown":
            report.when = "setup" if blocked else "call"
        if call.excinfo is not None and not debug:
            report.longrepr = f"{_place(item, call.excinfo)}: {_kind(error)}: {error}"
    file, line = _file_and_line(item, call.excinfo)
    setattr(report, _FAILING, [file, line, _title(test), test.message])
    # The message itself stands above the section, in the report's own text.
    lines = failure_section(replace(test.to_record(), message=""), record_path=record_path)
    if lines:
        report.sections.append(("hardware in the loop", "\n".join(lines)))


def _message(call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    if call.excinfo is None:
        return str(report.longrepr)
    error = call.excinfo.value
    return str(error) if isinstance(error, HilError) else call.excinfo.exconly(tryshort=True)


def _kind(error: HilError) -> str:
    if isinstance(error, BlockedError):
        return "blocked (no verdict on the DUT)"
    return "bad input" if isinstance(error, InputError) else "the DUT failed"


def _title(test: TestRun) -> str:
    """ "test_latency[nrf52840]: failed, SIMULATED": no output may take a virtual bench for hardware."""
    label = SIMULATED_LABEL.partition(":")[0]
    simulated = f", {label}" if test.run.simulated else ""
    return f"{test.nodeid.rsplit('::', 1)[-1]}: {test.outcome.value}{simulated}"


def annotation_of(report: pytest.TestReport, root: Path) -> Annotation | None:
    """What stands at the line of a failed or blocked test on a board; None for any other report.

    Args:
        report: Of this process, or of a worker of xdist.
        root: pytest's root directory.
    """
    found = getattr(report, _FAILING, None)
    if found is None:
        return None
    file, line, title, message = found
    return Annotation(root / file, line, title, message)


def _place(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """file:line in the user's test where it happened, or of the test itself; its name stands elsewhere."""
    file, line = _file_and_line(item, excinfo)
    return f"{file}:{line}"


def _file_and_line(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException] | None) -> tuple[str, int]:
    """Of the line of the user's test where it happened, or of the test itself."""
    file = item.nodeid.split("::")[0]
    for entry in reversed(list(excinfo.traceback) if excinfo is not None else []):
        if entry.path == item.path:
            return file, entry.lineno + 1
    return file, (item.location[1] or 0) + 1


def _skip_reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


def _foreign(item: pytest.Item) -> list[tuple[str, object]]:
    return [(name, value) for name, value in item.user_properties if not name.startswith("hil_")]


def finish_test(test: TestRun) -> None:
    """The test is over: hand its record and waveform to the board's run."""
    test.run.tests.append(test.to_record())
    waveform = test.waveform()
    if waveform is not None:
        test.run.waveforms[test.nodeid] = waveform
        test.run.keep(test.recordings[-1].capture)


def finish_interrupted(tests: Iterable[TestRun | None]) -> None:
    """Ctrl-C: whatever test was under way is recorded as interrupted."""
    for test in tests:
        if test is not None:
            test.end(Outcome.INTERRUPTED, "the run was interrupted in this test")
            finish_test(test)
