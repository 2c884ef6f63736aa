"""`lan-hil monitor serve`: the stack on this machine, fed by virtual boards."""

from __future__ import annotations

import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pytest_lan_hil.cli.output import note
from pytest_lan_hil.cli.project import find_project
from pytest_lan_hil.config import Board, load_board
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.monitor.alerts import WATCHDOG, Alert
from pytest_lan_hil.run.monitor.services import Ending, Running, Service, started, until_told_to_end
from pytest_lan_hil.run.monitor.stack import Addresses, choose_addresses, running_stack

_LAN_HIL = (sys.executable, "-c", "from pytest_lan_hil.cli import main; main()")
_RUN_EVERY_S = 60.0
_LOOK_S = 0.5
_LATENCY = (
    "histogram_quantile(0.95, sum by (le, board, bench) (rate(lan_inference_latency_seconds_bucket[1m])))"
)
_GRAPH = f"/graph?g0.tab=0&g0.range_input=5m&g0.expr={quote(_LATENCY)}"

# The virtual board of the device in the field is another than the one that runs are made on.
_FIELD_BENCH = """\
title = "A device in the field, virtual"
probe = "virtual:{virtual}-field"
console = "virtual://{virtual}-field/uart0"
"""
# A quantity that the board has a target for, to what the board does in its test.
_TESTS = {"latency": "dut.infer(100, warmups=5)", "power": "dut.run_for(2)", "memory": "dut.infer(5)"}


@dataclass(frozen=True, slots=True)
class _Feeding:
    """What feeds the stack, and with what."""

    folder: Path
    boards: Sequence[Board]
    addresses: Addresses
    ending: Ending
    stop: float

    @property
    def is_over(self) -> bool:
        return self.ending.is_set() or time.monotonic() >= self.stop

    @property
    def environment(self) -> dict[str, str]:
        """Boards, benches and leases of their own: nothing that the user has is touched."""
        state = {"LAN_HIL_STATE": "state", "LAN_HIL_VIRTUAL_STATE": "virtual"}
        return {name: str(self.folder / below) for name, below in state.items()}

    def service(self, name: str, *command: str, ready: str = "") -> Service:
        return Service(name, command, ready, self.environment)


def serve(
    board_names: Sequence[str], *, duration_s: float | None, browser: Callable[[str], object] | None
) -> None:
    """Run until Ctrl-C, or for `duration_s`; `browser` is shown Prometheus' page.

    Raises:
        InputError: A board that no virtual silicon stands for.
        BlockedError: A program is not installed, does not start, or ends by itself.
    """
    boards = _virtual_boards(board_names)
    stop = float("inf") if duration_s is None else time.monotonic() + duration_s
    with (
        until_told_to_end() as ending,
        tempfile.TemporaryDirectory(prefix="lan-hil-monitor-", ignore_cleanup_errors=True) as name,
    ):
        feeding = _Feeding(Path(name), boards, choose_addresses(), ending, stop)
        _write_inputs(feeding)
        with running_stack(feeding.folder, feeding.addresses, _tell_alert, ending) as services:
            if not feeding.is_over:
                _announce(feeding)
                if browser is not None:
                    browser(f"http://{feeding.addresses.prometheus}{_GRAPH}")
            _feed(feeding, services)
    note("stopped")


def open_page(url: str) -> None:
    """Show a page in the user's browser, if there is one."""
    with suppress(webbrowser.Error):
        webbrowser.open(url)


def _virtual_boards(names: Sequence[str]) -> list[Board]:
    search = find_project().search()
    boards = [load_board(name, search) for name in dict.fromkeys(names)]
    for board in boards:
        if board.virtual is None:
            raise InputError(
                f"board {board.name} has no virtual silicon, so nothing can feed the stack in its place",
                fix='name one that has (--board nrf52840), or add  virtual = "..."  to its file',
            )
    return boards


def _write_inputs(feeding: _Feeding) -> None:
    """The bench of the devices in the field, their inventory, and the tests of each board."""
    folder = feeding.folder
    (folder / "field.toml").write_text(_FIELD_BENCH, encoding="utf-8")
    (folder / "devices.toml").write_text(
        "".join(
            f'[[devices]]\nid = "{board.name}-1"\nboard = "{board.name}"\nsite = "field"\n'
            f'port = "virtual://{board.virtual}-field/uart0"\nwork = "lnn listen 2000"\n'
            for board in feeding.boards
        ),
        encoding="utf-8",
    )
    for board in feeding.boards:
        tests = folder / f"tests-{board.name}"
        tests.mkdir()
        (tests / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (tests / "test_targets.py").write_text(_tests(board), encoding="utf-8")


def _tests(board: Board) -> str:
    """A test for each target of the board; one without a target would be refused."""
    cases = [
        f"@pytest.mark.{quantity}_budget\ndef test_{quantity}(dut):\n    {body}\n"
        for quantity, body in _TESTS.items()
        if quantity in board.targets
    ]
    return "\n\n".join(["import pytest\n", *cases]) if cases else ""


def _feed(feeding: _Feeding, services: Sequence[Running]) -> None:
    """Flash the devices in the field, follow them, and make runs until the end.

    Raises:
        BlockedError: A part of the stack ended by itself.
    """
    for board in feeding.boards:
        flashing = ("flash", "--board", str(board.path), "--bench", str(feeding.folder / "field.toml"))
        _carry_out(feeding, services, feeding.service(f"flash-{board.name}", *_LAN_HIL, *flashing))
    address = feeding.addresses.exporter
    reading = ("--inventory", str(feeding.folder / "devices.toml"), "--every", "2", "--stale-after", "30")
    exporter = feeding.service(
        "exporter", *_LAN_HIL, "monitor", "exporter", *reading, "--listen", address,
        ready=f"http://{address}/-/healthy",
    )  # fmt: skip
    if feeding.is_over:
        return
    with started(exporter, feeding.folder) as following:
        following.wait_ready(feeding.ending)
        while not feeding.is_over:
            begun = time.monotonic()
            for board in feeding.boards:
                if board.targets.keys() & _TESTS.keys():
                    _carry_out(feeding, [*services, following], _run(feeding, board))
            while not feeding.is_over and time.monotonic() < begun + _RUN_EVERY_S:
                _require([*services, following])
                feeding.ending.wait(_LOOK_S)


def _run(feeding: _Feeding, board: Board) -> Service:
    """A run of pytest that ends in the Pushgateway."""
    tests = feeding.folder / f"tests-{board.name}"
    where = (str(tests), "-c", str(tests / "pytest.ini"), "--rootdir", str(tests), "-p", "no:cacheprovider")
    what = ("--board", str(board.path), "--bench", "virtual", "--hil-output", str(feeding.folder / "runs"))
    gateway = ("--pushgateway", f"http://{feeding.addresses.pushgateway}")
    return feeding.service(f"run-{board.name}", sys.executable, "-m", "pytest", "-q", *where, *what, *gateway)


def _carry_out(feeding: _Feeding, services: Sequence[Running], service: Service) -> None:
    """Run a job to its end, and say how it went; end it when the stack ends.

    Raises:
        BlockedError: A part of the stack ended by itself meanwhile.
    """
    if feeding.is_over:
        return
    with started(service, feeding.folder) as job:
        while job.exit_code is None and not feeding.is_over:
            _require(services)
            feeding.ending.wait(0.1)
        if job.exit_code is not None:
            end = "done" if job.exit_code == 0 else f"exit code {job.exit_code}\n{job.tail()}"
            note(f"{service.name}: {end}")


def _require(services: Sequence[Running]) -> None:
    for service in services:
        service.require()


def _tell_alert(alert: Alert) -> None:
    if alert.labels.get("alertname") != WATCHDOG:
        note(str(alert))


def _announce(feeding: _Feeding) -> None:
    addresses = feeding.addresses
    names = ", ".join(board.name for board in feeding.boards)
    for line in (
        f"Prometheus    http://{addresses.prometheus}{_GRAPH}",
        f"Alertmanager  http://{addresses.alertmanager}",
        f"Pushgateway   http://{addresses.pushgateway}",
        f"exporter      http://{addresses.exporter}/metrics",
        f"fed by the virtual bench, all simulated: {names} in the field, and a run of each every minute",
        "Ctrl-C stops everything",
    ):
        print(line, flush=True)
