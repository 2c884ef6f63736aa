"""The fixtures of the plugin. Each takes the test's `TestRun`, and hands out what it is asked for.

Like `plugin`, this is imported in every pytest session: nothing heavy at the top.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_lan_hil.config import Board
    from pytest_lan_hil.dut.console import Console
    from pytest_lan_hil.dut.dut import Dut
    from pytest_lan_hil.dut.recorded import RecordedDut
    from pytest_lan_hil.run.asked import Comparing
    from pytest_lan_hil.run.bench import OpenBench
    from pytest_lan_hil.run.fixtures import Accuracy, Metrics, Power
    from pytest_lan_hil.run.robustness import Robustness
    from pytest_lan_hil.run.session import RunSession
    from pytest_lan_hil.run.test_run import TestRun

SESSION: pytest.StashKey[RunSession] = pytest.StashKey()
TEST: pytest.StashKey[TestRun] = pytest.StashKey()
COMPARED: pytest.StashKey[Comparing] = pytest.StashKey()
HOW_TO_RUN = "needs a board: run `pytest --board NAME` (`lan-hil boards` lists them)"


@contextmanager
def skipping() -> Iterator[None]:
    """A bench that lacks what the test asks for is a reason to skip, said in its words."""
    from pytest_lan_hil.model.errors import CapabilityMissing

    try:
        yield
    except CapabilityMissing as missing:
        pytest.skip(str(missing.problem))


@pytest.fixture(scope="session")
def board(request: pytest.FixtureRequest) -> Board:
    """The board under test: its description from `boards/*.toml`."""
    session = request.config.stash.get(SESSION, None)
    if session is None:
        pytest.skip(HOW_TO_RUN)
    name = getattr(request, "param", None)
    if name is None:
        pytest.fail(
            "the `board`, `dut` and other fixtures of lan-hil must be arguments of the test", pytrace=False
        )
    return session.boards[name]


def _test_of(request: pytest.FixtureRequest) -> TestRun:
    test: TestRun = request.node.stash[TEST]
    return test


@pytest.fixture
def bench(request: pytest.FixtureRequest, board: Board) -> OpenBench:
    """The bench, open: probe, console, analyzer and their clock. The test skips if it lacks what it needs."""
    with skipping():
        return _test_of(request).open_bench()


@pytest.fixture
def dut(request: pytest.FixtureRequest, bench: OpenBench) -> Dut | RecordedDut:
    """The device under test: the image under test is flashed, proved by read-back, and freshly reset."""
    return _test_of(request).prepare()


@pytest.fixture
def console(bench: OpenBench) -> Console:
    """The DUT's serial console."""
    with skipping():
        bench.require(["console"])
    assert bench.console is not None
    return bench.console


@pytest.fixture
def power(request: pytest.FixtureRequest, bench: OpenBench) -> Power:
    """Record power where you want: `with power.capture() as capture: ...`, then `capture.power`."""
    with skipping():
        bench.require(["power"])
    from pytest_lan_hil.run.fixtures import Power

    return Power(_test_of(request))


@pytest.fixture
def accuracy(request: pytest.FixtureRequest, bench: OpenBench, dut: Dut) -> Accuracy:
    """Labelled recordings, named by the DUT: `accuracy.evaluate(DATASET)`, a folder beside the test file."""
    with skipping():
        bench.require(["console"])
    from pytest_lan_hil.run.fixtures import Accuracy

    return Accuracy(_test_of(request), request.path.parent)


@pytest.fixture
def robustness(request: pytest.FixtureRequest, bench: OpenBench, dut: Dut) -> Robustness:
    """Sounds that are no speech, and other speech: `robustness.false_positives()`, `.drift(DATASET)`."""
    with skipping():
        bench.require(["console"])
    from pytest_lan_hil.run.robustness import Robustness

    return Robustness(_test_of(request), dut, request.path.parent)


@pytest.fixture
def hil_metrics(request: pytest.FixtureRequest, bench: OpenBench) -> Metrics:
    """Add measurements of your own to the run's record: `hil_metrics.record("wakeups", [3, 4], unit="1")`."""
    from pytest_lan_hil.run.fixtures import Metrics

    return Metrics(_test_of(request))
