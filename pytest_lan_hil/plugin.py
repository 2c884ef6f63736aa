"""The pytest face: options, markers, fixtures and hooks. Parses, delegates to `run`, reports.

pytest imports this module in every session of every project that has the package installed, so nothing heavy
is imported at the top: `run` and what hangs below it are loaded once `--board` is given.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lan_hil import fixtures
from pytest_lan_hil.collection import (
    CHECKED,
    MARKERS,
    asked,
    board_name,
    check_markers,
    families,
    is_for_its_board,
    planned,
    uses_board,
    wanted_boards,
)
from pytest_lan_hil.fixtures import COMPARED, HOW_TO_RUN, SESSION, TEST, skipping
from pytest_lan_hil.options import add_options, run_options

if TYPE_CHECKING:
    from pytest_lan_hil.workers import BoardScheduling

_LINES: pytest.StashKey[list[str]] = pytest.StashKey()
_WORKER_LINES: pytest.StashKey[list[str]] = pytest.StashKey()
_WORKER_RECORDS: pytest.StashKey[list[str]] = pytest.StashKey()
_WORKER_LOST: pytest.StashKey[bool] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register options and ini keys."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register fixtures and markers; with `--board`, load boards and bench."""
    config.pluginmanager.register(fixtures, fixtures.__name__)
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    dry = config.getoption("hil_dry_run")
    images, blocks = config.getoption("hil_ab"), config.getoption("hil_ab_blocks")
    if blocks is not None and not images:
        raise pytest.UsageError("--hil-ab-blocks needs --hil-ab BASE HEAD: the images to compare")
    if not config.getoption("board"):
        if images:
            raise pytest.UsageError("--hil-ab needs --board NAME: the board that both images run on")
        if dry:
            raise pytest.UsageError(
                "--hil-dry-run needs --board NAME: it says what would be flashed and measured"
            )
        return
    if dry and hasattr(config.option, "dist"):
        config.option.dist = "no"  # xdist's workers have nothing to do
    if images:
        from pytest_lan_hil import side_by_side

        side_by_side.check(config)
    from pytest_lan_hil.model.errors import HilError
    from pytest_lan_hil.run.session import RunSession

    try:
        session = RunSession(run_options(config))
        if not dry:
            session.require_writable_output()
    except HilError as error:
        if config.getoption("hil_debug"):
            raise
        raise pytest.UsageError(str(error)) from None
    config.stash[SESSION] = session
    if images:
        config.pluginmanager.register(side_by_side, side_by_side.__name__)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say in plain words what is measured on what."""
    session = config.stash.get(SESSION, None)
    return session.header() if session else []


# --- collection -----------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Check the markers; run every test that uses `board` once per board."""
    marks = [mark for mark in metafunc.definition.iter_markers() if mark.name in CHECKED]
    if marks:
        check_markers(metafunc, marks)
    session = metafunc.config.stash.get(SESSION, None)
    if session and uses_board(metafunc.definition):
        metafunc.parametrize("board", list(session.boards), indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--board`, tests that need one skip; with it, those that are for other boards."""
    session = config.stash.get(SESSION, None)
    for item in items:
        if not uses_board(item):
            continue
        if session is None:
            item.add_marker(pytest.mark.skip(reason=HOW_TO_RUN))
            continue
        if not is_for_its_board(item):
            names = ", ".join(wanted_boards(item.iter_markers("boards")))
            item.add_marker(pytest.mark.skip(reason=f"only for board {names}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the comparisons: each is corrected for all of its board."""
    hil = session.config.stash.get(SESSION, None)
    if hil is not None:
        hil.families = families(session.items, hil)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """`--hil-dry-run`: print the plan instead of running anything."""
    if not session.config.getoption("hil_dry_run"):
        return None
    if session.testsfailed:  # collection errors are reported as ever
        return None
    hil = session.config.stash[SESSION]
    from pytest_lan_hil.model.errors import CapabilityMissing
    from pytest_lan_hil.run.plan import plan_lines

    writer = session.config.get_terminal_writer()
    writer.line()
    for name, run in hil.runs.items():
        tests, skipped = [], []
        for item in planned(session.items):
            if board_name(item) != name:
                continue
            try:
                tests.append((item.nodeid, asked(item, hil)))
            except CapabilityMissing as missing:
                skipped.append((item.nodeid, missing.problem))
        for line in plan_lines(run, tests, skipped, compared_with=hil.compared_with(name)):
            writer.line(line)
    writer.line("dry run: nothing was touched")
    return True


# --- one test -------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """`--hil-until-decided`: repeat a test that is compared with something."""
    session = item.config.stash.get(SESSION, None)
    if session is None or session.options.until_decided_s is None or not any(planned([item])):
        return None
    from pytest_lan_hil.model.errors import CapabilityMissing
    from pytest_lan_hil.repeating import run_until_decided

    try:
        margins = asked(item, session).margins
    except CapabilityMissing:
        return None  # it skips, as it does without repeats
    compared = session.compared(item.nodeid, board_name(item), margins)
    if compared is None:
        return None
    run_until_decided(item, nextitem, compared)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin the record of a test that runs on a board."""
    session = item.config.stash.get(SESSION, None)
    if session is None or not uses_board(item) or not is_for_its_board(item):
        return
    from pytest_lan_hil.run.asked import Asked
    from pytest_lan_hil.run.test_run import TestRun

    name = board_name(item)
    run = session.run_on(name)
    item.stash[TEST] = TestRun(item.nodeid, run, Asked())  # a test that skips here is on the record, too
    with skipping():
        wanted = asked(item, session)
    compared = item.stash.get(COMPARED, None) or session.compared(item.nodeid, name, wanted.margins)
    test = TestRun(item.nodeid, run, wanted, compared=compared, inconclusive=session.options.inconclusive)
    test.explicit = "power" in getattr(item, "fixturenames", ())
    item.stash[TEST] = test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Measure while the body runs, judge afterwards."""
    test = item.stash.get(TEST, None)
    if test is None:
        return (yield)
    with skipping(), test.measuring():
        result = yield
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn outcomes into reports: a DUT at fault fails, a bench at fault is an error, each in plain words."""
    report = yield
    test = item.stash.get(TEST, None)
    if test is None:
        return report
    from pytest_lan_hil.run.reporting import finish_test, note_report

    note_report(
        test,
        item,
        call,
        report,
        record_path=item.config.stash[SESSION].record_path(test.run.board.name),
        debug=item.config.getoption("hil_debug"),
    )
    if report.when == "teardown":
        finish_test(test)
        del item.stash[TEST]
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
    """After the last fixture is gone: release the bench, then write and publish."""
    config = session.config
    hil = config.stash.get(SESSION, None)
    if hil is None:
        return
    from pytest_lan_hil.run.reporting import finish_interrupted

    interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
    if interrupted:
        finish_interrupted(item.stash.get(TEST, None) for item in session.items)
    published = hil.finish(interrupted=interrupted)
    lines = [line for publication in published for line in publication.lines]
    records = [str(publication.record) for publication in published if publication.record is not None]
    lost = len(records) < len(published)
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output["lan_hil"], output["lan_hil_records"], output["lan_hil_lost"] = lines, records, lost
    from_workers: list[str] = config.stash.get(_WORKER_LINES, [])
    lines += from_workers
    if output is None and len(hil.boards) > 1:
        lines += hil.overview([*records, *config.stash.get(_WORKER_RECORDS, [])])
    config.stash[_LINES] = lines
    if (lost or config.stash.get(_WORKER_LOST, False)) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what each board brought and where its record is; or how to run the tests that need one."""
    lines = config.stash.get(_LINES, [])
    if lines:
        from pytest_lan_hil.publish.terminal import for_encoding

        terminalreporter.section("hardware in the loop")
        for line in for_encoding(lines, sys.__stdout__.encoding if sys.__stdout__ else None):
            terminalreporter.write_line(line)
    if config.stash.get(SESSION, None) is not None:
        _annotate(terminalreporter, config)
    waiting = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and report.longrepr[2].endswith(HOW_TO_RUN)
    ]
    if waiting:
        terminalreporter.write_line(
            f"lan-hil: {len(waiting)} skipped {'test' if len(waiting) == 1 else 'tests'}: {HOW_TO_RUN}"
        )


def _annotate(terminalreporter: Any, config: pytest.Config) -> None:
    """GitHub Actions: mark the lines of failed and blocked tests."""
    from pytest_lan_hil.publish.github import annotation_line, wants_annotations
    from pytest_lan_hil.run.reporting import annotation_of

    if not wants_annotations():
        return
    stats = terminalreporter.stats
    reports = [*stats.get("failed", []), *stats.get("error", [])]
    found = (annotation_of(report, config.rootpath) for report in reports)
    terminalreporter.ensure_newline()
    for annotation in filter(None, found):
        terminalreporter.write_line(annotation_line(annotation))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> BoardScheduling | None:
    """xdist: keep each board's tests on one worker, unless every worker is to run all tests."""
    session = config.stash.get(SESSION, None)
    if session is None or config.getoption("dist") == "each":
        return None
    from pytest_lan_hil.workers import BoardScheduling

    return BoardScheduling(config, log, session.boards)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """xdist: collect the summary lines that a worker sent."""
    output = getattr(node, "workeroutput", {})
    stash = node.config.stash
    stash[_WORKER_LINES] = [*stash.get(_WORKER_LINES, []), *output.get("lan_hil", [])]
    stash[_WORKER_RECORDS] = [*stash.get(_WORKER_RECORDS, []), *output.get("lan_hil_records", [])]
    stash[_WORKER_LOST] = stash.get(_WORKER_LOST, False) or output.get("lan_hil_lost", False)
