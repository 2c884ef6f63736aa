"""The pytest face: options, markers, fixtures and hooks. Parses, delegates to `run`, reports.

pytest imports this module in every session of every project that has the package installed, so nothing heavy
is imported at the top: `run` and what hangs below it are loaded once `--board` is given.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lan_hil import fixtures
from pytest_lan_hil.fixtures import HOW_TO_RUN, SESSION, TEST, skipping
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.options import add_options, run_options

if TYPE_CHECKING:
    from pytest_lan_hil.config import Board
    from pytest_lan_hil.workers import BoardScheduling

_LINES: pytest.StashKey[list[str]] = pytest.StashKey()
_WORKER_LINES: pytest.StashKey[list[str]] = pytest.StashKey()
_WORKER_RECORDS: pytest.StashKey[list[str]] = pytest.StashKey()
_WORKER_LOST: pytest.StashKey[bool] = pytest.StashKey()

_BUDGETS = tuple(row.marker for row in QUANTITIES.values())
_MARKERS = (
    *(
        f"{row.marker}({row.unit_key}{', percentile=95' if row.statistic == 'p95' else ''}): fail unless"
        f" {row.title} ({row.unit}) keeps this limit, or the board's target"
        for row in QUANTITIES.values()
    ),
    "firmware(image): flash this image (a name of the board's [images] or a file) instead of the default",
    "boards(*names): run only on these boards",
    "needs(*capabilities): skip on a bench that lacks one of them (power, power.waveform, edges, ...)",
)
_CHECKED = (*_BUDGETS, "firmware", "boards", "needs")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register options and ini keys."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register fixtures and markers; with `--board`, load boards and bench."""
    config.pluginmanager.register(fixtures, fixtures.__name__)
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    dry = config.getoption("hil_dry_run")
    if not config.getoption("board"):
        if dry:
            raise pytest.UsageError(
                "--hil-dry-run needs --board NAME: it says what would be flashed and measured"
            )
        return
    if dry and hasattr(config.option, "dist"):
        config.option.dist = "no"  # xdist's workers have nothing to do
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


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say in plain words what is measured on what."""
    session = config.stash.get(SESSION, None)
    return session.header() if session else []


# --- collection -----------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Check the markers; run every test that uses `board` once per board."""
    marks = [mark for mark in metafunc.definition.iter_markers() if mark.name in _CHECKED]
    if marks:
        _check_markers(metafunc, marks)
    session = metafunc.config.stash.get(SESSION, None)
    if session and _uses_board(metafunc.definition):
        metafunc.parametrize("board", list(session.boards), indirect=True, scope="session")


def _check_markers(metafunc: pytest.Metafunc, marks: list[pytest.Mark]) -> None:
    from pytest_lan_hil.model.errors import InputError
    from pytest_lan_hil.run.budgets import check_marker

    session = metafunc.config.stash.get(SESSION, None)
    boards = list(session.boards.values()) if session else []
    try:
        wanted = _wanted_boards(marks)
        boards = [board for board in boards if not wanted or board.name in wanted]
        for mark in marks:
            check_marker(mark.name, mark.args, mark.kwargs, boards)
            if mark.name in _BUDGETS and "dut" not in metafunc.fixturenames:
                name = metafunc.definition.name
                raise InputError(
                    f"@pytest.mark.{mark.name} on {name}, which doesn't use the `dut` fixture",
                    fix=f"write `def {name}(dut):` and call dut.infer(...) or dut.run_for(seconds)",
                )
            if mark.name == "needs" and "bench" not in metafunc.fixturenames:
                name = metafunc.definition.name
                raise InputError(
                    f"@pytest.mark.needs on {name}, which uses no bench", fix=f"write `def {name}(dut):`"
                )
    except InputError as error:
        where = f"{metafunc.definition.path}:{metafunc.function.__code__.co_firstlineno}"
        raise pytest.Collector.CollectError(f"{where}: {error}") from None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--board`, tests that need one skip; with it, those that are for other boards."""
    session = config.stash.get(SESSION, None)
    for item in items:
        if not _uses_board(item):
            continue
        if session is None:
            item.add_marker(pytest.mark.skip(reason=HOW_TO_RUN))
            continue
        if not _is_for_its_board(item):
            names = ", ".join(_wanted_boards(item.iter_markers("boards")))
            item.add_marker(pytest.mark.skip(reason=f"only for board {names}"))


def _uses_board(item: pytest.Item) -> bool:
    """True if the test needs our `board`: not if it, or its project, means something else by that name."""
    info: Any = getattr(item, "_fixtureinfo", None)
    found = info.name2fixturedefs.get("board", ()) if info is not None else ()
    return any(fixture.func.__module__ == fixtures.__name__ for fixture in found[-1:])


def _wanted_boards(marks: Iterable[pytest.Mark]) -> list[str]:
    """The boards that a test is for; none named means all."""
    return [name for mark in marks if mark.name == "boards" for name in mark.args]


def _is_for_its_board(item: pytest.Item) -> bool:
    wanted = _wanted_boards(item.iter_markers("boards"))
    return not wanted or _board_name(item) in wanted


def _board_name(item: pytest.Item) -> str:
    """The board that a test runs on; "" for a test that runs on none."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params["board"]) if callspec is not None and _uses_board(item) else ""


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
        items = [
            item
            for item in session.items
            if _board_name(item) == name and not item.get_closest_marker("skip")
        ]
        tests, skipped = [], []
        for item in items:
            try:
                tests.append((item.nodeid, *_asked(item, run.board)))
            except CapabilityMissing as missing:
                skipped.append((item.nodeid, missing.problem))
        for line in plan_lines(run, tests, skipped):
            writer.line(line)
    writer.line("dry run: nothing was touched")
    return True


def _asked(item: pytest.Item, board: Board) -> tuple[list[Any], str | None]:
    """Budgets and image name that the item's markers ask for on this board; the closest marker wins.

    Raises:
        CapabilityMissing: The board can never know one of the quantities.
    """
    from pytest_lan_hil.run.budgets import parse_budget
    from pytest_lan_hil.run.sources import require_known

    budgets = []
    for name in _BUDGETS:
        mark = item.get_closest_marker(name)
        if mark is not None:
            request = parse_budget(name, mark.args, mark.kwargs)
            require_known(request.quantity, board)
            budgets.append(request.for_board(board.name, board.targets))
    firmware = item.get_closest_marker("firmware")
    return budgets, (str(firmware.args[0]) if firmware else None)


# --- one test -------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin the record of a test that runs on a board."""
    session = item.config.stash.get(SESSION, None)
    if session is None or not _uses_board(item) or not _is_for_its_board(item):
        return
    from pytest_lan_hil.run.test_run import TestRun

    run = session.run_on(_board_name(item))
    item.stash[TEST] = TestRun(item.nodeid, run, (), None)  # a test that skips here is on the record, too
    with skipping():
        budgets, image_name = _asked(item, run.board)
    needs = [need for mark in item.iter_markers("needs") for need in mark.args]
    test = TestRun(item.nodeid, run, budgets, image_name, needs)
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
    waiting = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and report.longrepr[2].endswith(HOW_TO_RUN)
    ]
    if waiting:
        terminalreporter.write_line(
            f"lan-hil: {len(waiting)} skipped {'test' if len(waiting) == 1 else 'tests'}: {HOW_TO_RUN}"
        )


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
