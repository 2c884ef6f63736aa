"""Commands and answers: what a DUT's console says up to `m-ready`, and why it says nothing.

Speaks the grammar of `protocol` over a `Console`; before a silent device is called silent, the probe looks
at its core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pytest_lan_hil.dut import protocol
from pytest_lan_hil.dut.console import SENT, Console, Cursor
from pytest_lan_hil.dut.fault_report import explain_fault
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.dut.probe import Probe
from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.model.errors import ConsoleError, DutFault, DutProtocolError, DutTimeout, ProbeError

_SAGS = "look for a supply that sags (a brown-out), a watchdog, or a fault whose handler resets"

ANSWER_S = 5.0
"""Default time limit for an answer, seconds of the DUT's clock."""

OnMessage = Callable[[protocol.Message], None] | None
_M = TypeVar("_M")


class Answering:
    """A device that answers commands on its console.

    Args:
        probe: What can look at its core.
        console: Its console, or None if the bench has none wired.
        timeout_s: Time limit for an answer.

    Attributes:
        image: The image that is on it, once it has been flashed; needed to name functions and find the stack.
    """

    def __init__(self, probe: Probe, console: Console | None, *, timeout_s: float = ANSWER_S) -> None:
        self.image: FirmwareImage | None = None
        self._probe = probe
        self._console = console
        self._timeout_s = timeout_s
        self._answered = False
        self._in_step = True
        # Where the last answer ended, and when.
        self._last: tuple[Cursor, float] | None = None

    @property
    def console(self) -> Console:
        """The console.

        Raises:
            ConsoleError: The bench has none.
        """
        if self._console is None:
            raise ConsoleError(
                "talking to the DUT: this bench has no console",
                fix='add console = "/dev/..." to the bench file',
            )
        return self._console

    @property
    def probe(self) -> Probe:
        """What flashes and resets it: its debug probe, or what stands in for one."""
        return self._probe

    @property
    def in_step(self) -> bool:
        """False after an answer that did not come: what comes next may be that answer, or never come."""
        return self._in_step

    @property
    def clock(self) -> Clock:
        """The clock that the DUT lives in."""
        return self._console.clock if self._console is not None else self._probe.clock

    def command(self, text: str, *, timeout_s: float | None = None, heed: OnMessage = None) -> list[str]:
        """Send one command ("name", terminator optional) and return the lines of its answer, `m-ready` left
        out; `heed` is called with each message as it comes.

        Raises:
            InputError: The command can't be sent.
            DutProtocolError: The DUT answered with an error.
            DutFault: It restarted instead, or has restarted by itself since the last answer.
            DutTimeout, DutFault, ConsoleError: It did not answer; see `silence`.
        """
        sent = protocol.command(text)
        self._refuse_restart(sent)
        if not self._in_step:
            self._get_in_step()
        cursor = self.console.cursor()
        self.console.write(sent)
        limit = self._timeout_s if timeout_s is None else timeout_s
        lines = self._answer(cursor, limit, f"the answer to {sent!r}", heed)
        messages = [protocol.parse_line(line) for line in lines]
        if any(isinstance(message, protocol.InitDone) for message in messages):
            raise DutFault(
                f"the DUT restarted while it worked on {sent!r}: its console said {lines}, and "
                "m-init-done is its greeting after a reset",
                fix=_SAGS,
            )
        for message in messages:
            if isinstance(message, protocol.DeviceError):
                raise DutProtocolError(f"the DUT answered {sent!r} with an error: {message.text}")
        return lines

    def silence(self, error: DutTimeout) -> Exception:
        """What to raise for a DUT that did not answer, once the probe has looked at its core.

        DutFault if the core is in a fault handler or locked up; ConsoleError if nothing sound ever came over
        these wires though the core is (wiring, baud rate); else the timeout itself, with what the core was
        doing.
        """
        try:
            diagnosis = self._probe.diagnose(self.image)
        except ProbeError as problem:
            return DutTimeout(
                f"{error.problem}; its core could not be examined: {problem.problem}", fix=problem.fix
            )
        if diagnosis.faulted:
            return DutFault(f"{error.problem}; the {diagnosis}", fix="look at the function named here")
        if not (self._answered or any(line.text.startswith("m-") for line in self.console.lines)):
            return ConsoleError(
                f"{error.problem}; it has not answered once in this session, but its {diagnosis}",
                fix="check the wiring of TX and RX, `baudrate` of the board and `console` of the bench",
            )
        return DutTimeout(f"{error.problem}; its {diagnosis}")

    def _answer(self, cursor: Cursor, limit_s: float, waiting_for: str, heed: OnMessage = None) -> list[str]:
        """Lines up to `m-ready`; a fault that the firmware reports ends the wait if its core is in it."""
        lines: list[str] = []
        try:
            for line in cursor.lines(timeout_s=limit_s, waiting_for=waiting_for):
                message = protocol.parse_line(line.text)
                if isinstance(message, protocol.Ready):
                    self._answered = True
                    self._last = cursor, line.time_s
                    return lines
                if isinstance(message, protocol.DeviceError) and message.text.startswith("fault "):
                    self._stop_if_faulted(waiting_for, message.text)
                if heed is not None:
                    heed(message)
                lines.append(line.text)
        except DutTimeout as error:
            self._in_step = False
            raise self.silence(error) from error
        raise AssertionError("a cursor's lines do not end")

    def _refuse_restart(self, sent: str) -> None:
        """Raise DutFault if the DUT has greeted since its last answer, and nobody can have asked for it.

        Whoever talked to it on the console meanwhile, or opened a debug session, may have reset it on
        purpose.
        """
        last, self._last = self._last, None
        if last is None:
            return
        cursor, answered_s = last
        said = cursor.rest()
        greeted = [line for line in said if isinstance(protocol.parse_line(line.text), protocol.InitDone)]
        if not greeted or any(line.direction == SENT for line in said):
            return
        if self._probe.attached_between(answered_s, self.clock.monotonic()):
            return
        raise DutFault(
            f"the DUT restarted by itself {greeted[0].time_s - answered_s:.3g} s after its last answer,"
            f" before it was sent {sent!r}: its console said {[line.text for line in said]}, and m-init-done"
            " is its greeting after a reset",
            fix=f"{_SAGS}; after a reset that the test made itself, call dut.reset()",
        )

    def _stop_if_faulted(self, waiting_for: str, reported: str) -> None:
        """Raise DutFault if the core is where the console says; firmware that has reset itself goes on."""
        diagnosis = self._probe.diagnose(self.image)
        if diagnosis.faulted:
            self._in_step = False
            raise DutFault(
                f"waiting for {waiting_for} on console {self.console.uri}: the firmware reports "
                f"{reported!r}{explain_fault(reported, self.image)}; the {diagnosis}",
                fix="look at the function named here",
            )

    def _get_in_step(self) -> None:
        """After a missed answer: ask for the name, and skip everything until that is answered."""
        cursor = self.console.cursor()
        self.console.write(protocol.command("name"))
        stop = self.clock.monotonic() + self._timeout_s
        lines: list[str] = []
        while not any(isinstance(protocol.parse_line(line), protocol.Name) for line in lines):
            left = max(stop - self.clock.monotonic(), 0.0)
            lines = self._answer(cursor, left, "the answer to 'name%'")
        self._in_step = True

    def _ask(self, text: str, kind: type[_M]) -> _M:
        return only(self.command(text), kind)


def only(lines: list[str], kind: type[_M]) -> _M:
    """The one message of this kind in an answer.

    Raises:
        DutProtocolError: There is none, or more than one.
    """
    found = [message for message in map(protocol.parse_line, lines) if isinstance(message, kind)]
    if len(found) != 1:
        raise DutProtocolError(f"the DUT's answer should hold one {kind.__name__}, it was {lines}")
    return found[0]
