"""Outcomes into pytest's reports: a DUT at fault fails, a bench at fault is an error, each in plain words.

A blocked test is reported as pytest reports a broken fixture (phase "setup"), whatever phase it happened in:
that is what terminal, JUnit and every reporter understand as *error, not failure*
(docs/explanation/decisions/0003-blocked-is-an-error.md).
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_lan_hil.model.errors import BlockedError, DutError, HilError, InputError
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.publish.junit import properties
from pytest_lan_hil.publish.terminal import failure_section
from pytest_lan_hil.run.test_run import TestRun


def note_report(
    test: TestRun, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, *, debug: bool
) -> None:
    """Take one phase's report into the test's record, and put plain words into it."""
    if report.skipped and test.outcome is Outcome.INTERRUPTED:
        test.end(Outcome.SKIPPED, _skip_reason(report))
    elif report.failed:
        _note_failure(test, item, call, report, debug=debug)
    elif report.when == "call" and test.outcome is Outcome.INTERRUPTED:
        test.end(Outcome.PASSED, "")
    if report.when in ("call", "setup") and test.outcome is not Outcome.INTERRUPTED:
        item.user_properties[:] = [*_foreign(item), *properties(test.to_record())]
        report.user_properties = list(item.user_properties)


def _note_failure(
    test: TestRun, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, *, debug: bool
) -> None:
    assert call.excinfo is not None
    error = call.excinfo.value
    if test.outcome not in (Outcome.FAILED, Outcome.BLOCKED):
        blocked = isinstance(error, (BlockedError, InputError)) or (
            report.when != "call" and not isinstance(error, DutError)
        )
        message = str(error) if isinstance(error, HilError) else call.excinfo.exconly(tryshort=True)
        test.end(Outcome.BLOCKED if blocked else Outcome.FAILED, message)
    if isinstance(error, BlockedError) and report.when == "call":
        report.when = "setup"
    if isinstance(error, HilError) and not debug:
        report.longrepr = f"{_place(item, call.excinfo)}: {_kind(error)}: {error}"
    lines = failure_section(test.to_record())
    if lines:
        report.sections.append(("hardware in the loop", "\n".join(lines)))


def _kind(error: HilError) -> str:
    if isinstance(error, BlockedError):
        return "blocked (the bench, not the DUT)"
    return "bad input" if isinstance(error, InputError) else "the DUT failed"


def _place(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """file:line in the user's test where it happened."""
    for entry in reversed(list(excinfo.traceback)):
        if entry.path == item.path:
            return f"{item.nodeid.split('::')[0]}:{entry.lineno + 1}"
    return item.nodeid


def _skip_reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


def _foreign(item: pytest.Item) -> list[tuple[str, object]]:
    return [(name, value) for name, value in item.user_properties if not name.startswith("hil_")]


def finish_test(test: TestRun) -> None:
    """The test is over: hand its record to the board's run."""
    test.run.tests.append(test.to_record())


def finish_interrupted(tests: Iterable[TestRun | None]) -> None:
    """Ctrl-C: whatever test was under way is recorded as interrupted."""
    for test in tests:
        if test is not None:
            test.end(Outcome.INTERRUPTED, "the run was interrupted in this test")
            test.run.tests.append(test.to_record())
