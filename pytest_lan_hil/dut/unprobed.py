"""A DUT that has a console and nothing else: no debug probe, so it can't be reset or looked into.

`Dut` asks the probe why a device is silent; here only the console can tell.
"""

from __future__ import annotations

from pytest_lan_hil.dut.answering import ANSWER_S
from pytest_lan_hil.dut.attached import Target
from pytest_lan_hil.dut.console import RECEIVED, Console
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.find import ProbeInfo
from pytest_lan_hil.dut.probe import Probe
from pytest_lan_hil.model.errors import ConsoleError, DutFault, DutTimeout, ProbeError


class NoProbe(Probe):
    """Stands where no probe is wired; every access says so."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, ProbeInfo("", "", "no debug probe", console.simulated), "")

    def _attach(self, connect_mode: str) -> Target:
        del connect_mode
        raise ProbeError(
            "looking into the DUT: it was opened by its console alone, without a debug probe",
            fix="name a board and a bench that has a probe: --board NAME --bench NAME",
        )


class UnprobedDut(Dut):
    """A `Dut` on its console alone."""

    def __init__(self, console: Console, *, timeout_s: float = ANSWER_S) -> None:
        super().__init__(NoProbe(console), console, timeout_s=timeout_s)
        self._in_step = False  # it may just have been reset by opening the port, and be about to greet

    def silence(self, error: DutTimeout) -> Exception:
        """What to raise for a DUT that did not answer.

        ConsoleError if not one message of the API ever came; else the timeout itself.
        """
        said = [line.text for line in self.console.lines if line.direction == RECEIVED]
        if any(text.startswith(("m-", "e-[")) for text in said):
            return error
        return ConsoleError(
            f"{error.problem}; it has not answered once in this session",
            fix="check power, the wiring of TX and RX, the baud rate, and that the firmware speaks the MLPerf"
            " Tiny API",
        )

    def _stop_if_faulted(self, waiting_for: str, reported: str) -> None:
        self._in_step = False
        raise DutFault(
            f"waiting for {waiting_for} on console {self.console.uri}: the firmware reports {reported!r}",
            fix="a board with a debug probe tells the function: --board NAME --bench NAME",
        )
