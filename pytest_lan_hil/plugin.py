"""The pytest face: options, markers, fixtures and hooks. Parses, delegates to `run`, reports.

pytest imports this module in every session of every project that has the package installed, so nothing heavy
is imported at the top: `run` and what hangs below it are loaded once `--board` is given.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_lan_hil.config import Board
    from pytest_lan_hil.dut.console import Console
    from pytest_lan_hil.dut.dut import Dut
    from pytest_lan_hil.run.bench import OpenBench
    from pytest_lan_hil.run.fixtures import Metrics, Power
    from pytest_lan_hil.run.publication import Publication
    from pytest_lan_hil.run.session import RunSession
    from pytest_lan_hil.run.test_run import TestRun

SESSION: pytest.StashKey[RunSession] = pytest.StashKey()
TEST: pytest.StashKey[TestRun] = pytest.StashKey()
PUBLISHED: pytest.StashKey[list[Publication]] = pytest.StashKey()
_WORKER_LINES: pytest.StashKey[list[str]] = pytest.StashKey()

_BUDGETS = ("power_budget", "latency_budget", "energy_budget", "memory_budget")
_MARKERS = (
    "power_budget(mw, statistic mean): fail if the mean power over the measured part exceeds it (mW)",
    "latency_budget(ms, percentile=95): fail if that percentile of the latency per inference exceeds it (ms)",
    "energy_budget(uj): fail if the mean energy per inference exceeds it (uJ)",
    "memory_budget(kb): fail if static RAM plus the stack's high-water mark exceeds it (KB of 1024 bytes)",
    "firmware(image): flash this image (a name of the board's [images] or a file) instead of the default",
    "boards(*names): run only on these boards",
)
_HOW_TO_RUN = "needs a board: run `pytest --board NAME` (`lan-hil boards` lists them)"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register options and ini keys."""
    group = parser.getgroup("lan-hil", "hardware-in-the-loop tests")
    group.addoption(
        "--board",
        action="append",
        default=[],
        metavar="NAME",
        help="board to test; may be given several times",
    )
    group.addoption(
        "--bench",
        metavar="NAME|FILE",
        help="bench to use (else LAN_HIL_BENCH, ini hil_bench, else the one real probe attached)",
    )
    group.addoption(
        "--hil-output",
        metavar="DIR",
        help="folder of run records (else LAN_HIL_OUTPUT, ini hil_output, else .hil)",
    )
    group.addoption(
        "--pushgateway",
        metavar="URL",
        help="push metrics there at the end (else LAN_HIL_PUSHGATEWAY, ini hil_pushgateway)",
    )
    group.addoption(
        "--hil-job", metavar="NAME", help="Pushgateway job (else LAN_HIL_JOB, ini hil_job, else lan_hil)"
    )
    group.addoption(
        "--hil-wait",
        type=float,
        default=60.0,
        metavar="S",
        help="how long to wait for a bench that another process holds",
    )
    group.addoption(
        "--hil-dry-run", action="store_true", help="say what would be flashed and measured, touch nothing"
    )
    group.addoption("--hil-debug", action="store_true", help="show tracebacks of bench and DUT errors")
    parser.addini("hil_bench", "bench to use: name or file")
    parser.addini("hil_output", "folder of run records")
    parser.addini("hil_pushgateway", "URL of the Pushgateway")
    parser.addini("hil_job", "Pushgateway job")
    parser.addini("hil_boards", "further folders of board files", type="paths", default=[])


def _setting(config: pytest.Config, option: str, name: str) -> str | None:
    """Command line, then environment, then ini file."""
    chosen = (
        config.getoption(option) or os.environ.get(f"LAN_HIL_{name.upper()}") or config.getini(f"hil_{name}")
    )
    return str(chosen) if chosen else None


def pytest_configure(config: pytest.Config) -> None:
    """Register markers; with `--board`, load boards and bench."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    boards = config.getoption("board")
    if not boards:
        return
    from pytest_lan_hil.model.errors import HilError
    from pytest_lan_hil.run.options import RunOptions
    from pytest_lan_hil.run.session import RunSession

    output = _setting(config, "hil_output", "output")
    options = RunOptions(
        rootdir=config.rootpath,
        boards=tuple(dict.fromkeys(boards)),
        bench=_setting(config, "bench", "bench"),
        output=Path(output) if output else config.rootpath / ".hil",
        board_folders=tuple(config.getini("hil_boards")),
        pushgateway=_setting(config, "pushgateway", "pushgateway"),
        job=_setting(config, "hil_job", "job") or "lan_hil",
        wait_s=config.getoption("hil_wait"),
    )
    try:
        config.stash[SESSION] = RunSession(options)
    except HilError as error:
        if config.getoption("hil_debug"):
            raise
        raise pytest.UsageError(str(error)) from None


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say in plain words what is measured on what."""
    session = config.stash.get(SESSION, None)
    return session.header() if session else []


# --- collection -----------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Check the markers; run every test that uses `board` once per board."""
    marks = [
        mark for mark in metafunc.definition.iter_markers() if mark.name in (*_BUDGETS, "firmware", "boards")
    ]
    if marks:
        _check_markers(metafunc, marks)
    session = metafunc.config.stash.get(SESSION, None)
    if session and "board" in metafunc.fixturenames:
        metafunc.parametrize("board", list(session.boards), indirect=True, scope="session")


def _check_markers(metafunc: pytest.Metafunc, marks: list[pytest.Mark]) -> None:
    from pytest_lan_hil.model.errors import InputError
    from pytest_lan_hil.run.budgets import check_marker

    session = metafunc.config.stash.get(SESSION, None)
    boards = list(session.boards.values()) if session else []
    try:
        for mark in marks:
            check_marker(mark.name, mark.args, mark.kwargs, boards)
            if mark.name in _BUDGETS and "dut" not in metafunc.fixturenames:
                name = metafunc.definition.name
                raise InputError(
                    f"@pytest.mark.{mark.name} on {name}, which doesn't use the `dut` fixture",
                    fix=f"write `def {name}(dut):` and call dut.infer(...) or dut.run_for(seconds)",
                )
    except InputError as error:
        where = f"{metafunc.definition.path}:{metafunc.function.__code__.co_firstlineno}"
        raise pytest.Collector.CollectError(f"{where}: {error}") from None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--board`, tests that need one skip; with it, keep each board's tests on one xdist worker."""
    session = config.stash.get(SESSION, None)
    grouped = session is not None and config.pluginmanager.hasplugin("xdist")
    for item in items:
        if "board" not in getattr(item, "fixturenames", ()):
            continue
        if session is None:
            item.add_marker(pytest.mark.skip(reason=_HOW_TO_RUN))
            continue
        if grouped:
            item.add_marker(pytest.mark.xdist_group(f"board-{_board_name(item)}"))
        wanted = [name for mark in item.iter_markers("boards") for name in mark.args]
        if wanted and _board_name(item) not in wanted:
            item.add_marker(pytest.mark.skip(reason=f"only for board {', '.join(wanted)}"))


def _board_name(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return str(callspec.params["board"]) if callspec and "board" in callspec.params else ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """`--hil-dry-run`: print the plan instead of running anything."""
    if not session.config.getoption("hil_dry_run"):
        return None
    if session.testsfailed:  # collection errors are reported as ever
        return None
    hil = session.config.stash.get(SESSION, None)
    if hil is None:
        raise pytest.UsageError(
            "--hil-dry-run needs --board NAME: it says what would be flashed and measured"
        )
    from pytest_lan_hil.run.plan import plan_lines

    writer = session.config.get_terminal_writer()
    writer.line()
    for name, run in hil.runs.items():
        items = [
            item
            for item in session.items
            if _board_name(item) == name and not item.get_closest_marker("skip")
        ]
        tests = [(item.nodeid, *_asked(item, run.board)) for item in items]
        for line in plan_lines(run, tests):
            writer.line(line)
    writer.line("dry run: nothing was touched")
    return True


def _asked(item: pytest.Item, board: Board) -> tuple[list[Any], str | None]:
    """Budgets and image name that the item's markers ask for on this board; the closest marker wins."""
    from pytest_lan_hil.run.budgets import parse_budget

    budgets = []
    for name in _BUDGETS:
        mark = item.get_closest_marker(name)
        if mark is not None:
            budgets.append(parse_budget(name, mark.args, mark.kwargs).for_board(board.name, board.targets))
    firmware = item.get_closest_marker("firmware")
    return budgets, (str(firmware.args[0]) if firmware else None)


# --- one test -------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin the record of a test that runs on a board."""
    session = item.config.stash.get(SESSION, None)
    if session is None or not _board_name(item):
        return
    from pytest_lan_hil.run.test_run import TestRun

    run = session.runs[_board_name(item)]
    budgets, image_name = _asked(item, run.board)
    test = TestRun(item.nodeid, run, budgets, image_name)
    test.explicit = "power" in getattr(item, "fixturenames", ())
    item.stash[TEST] = test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Measure while the body runs, judge afterwards."""
    test = item.stash.get(TEST, None)
    if test is None:
        return (yield)
    with test.measuring():
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

    note_report(test, item, call, report, debug=item.config.getoption("hil_debug"))
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
    config.stash[PUBLISHED] = hil.finish(interrupted=interrupted)
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output["lan_hil"] = [line for publication in config.stash[PUBLISHED] for line in publication.lines]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table of each board, and where its record is."""
    published = config.stash.get(PUBLISHED, [])
    lines = [line for publication in published for line in publication.lines]
    if _WORKER_LINES in config.stash:
        lines += config.stash[_WORKER_LINES]
    if lines:
        terminalreporter.section("hardware in the loop")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """xdist: collect the summary lines that a worker sent."""
    lines = getattr(node, "workeroutput", {}).get("lan_hil", [])
    node.config.stash.setdefault(_WORKER_LINES, []).extend(lines)


# --- fixtures -------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def board(request: pytest.FixtureRequest) -> Board:
    """The board under test: its description from `boards/*.toml`."""
    session = request.config.stash.get(SESSION, None)
    if session is None:
        pytest.skip(_HOW_TO_RUN)
    return session.boards[request.param]


def _test_of(request: pytest.FixtureRequest) -> TestRun:
    test: TestRun = request.node.stash[TEST]
    return test


@pytest.fixture
def bench(request: pytest.FixtureRequest, board: Board) -> OpenBench:
    """The bench, open: probe, console, analyzer and their clock."""
    return _test_of(request).open_bench()


@pytest.fixture
def dut(request: pytest.FixtureRequest, bench: OpenBench) -> Dut:
    """The device under test: the image under test is flashed, proved by read-back, and freshly reset."""
    return _test_of(request).prepare()


@pytest.fixture
def console(bench: OpenBench) -> Console:
    """The DUT's serial console."""
    if bench.console is None:
        pytest.skip(f"bench {bench.bench.name} has no console")
    return bench.console


@pytest.fixture
def power(request: pytest.FixtureRequest, bench: OpenBench) -> Power:
    """Record power where you want: `with power.capture() as capture: ...`, then `capture.power`."""
    if bench.analyzer is None:
        pytest.skip(f"bench {bench.bench.name} has no analyzer, so it can't measure power")
    from pytest_lan_hil.run.fixtures import Power

    return Power(_test_of(request))


@pytest.fixture
def hil_metrics(request: pytest.FixtureRequest, bench: OpenBench) -> Metrics:
    """Add measurements of your own to the run's record: `hil_metrics.record("wakeups", [3, 4], unit="1")`."""
    from pytest_lan_hil.run.fixtures import Metrics

    return Metrics(_test_of(request))
