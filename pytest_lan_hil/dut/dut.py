"""The device under test, flashed and talkative: what the `dut` fixture gives.

Speaks the grammar of `protocol` over a `Console`, looks into the chip through a `Probe`, and finds out why a
device fell silent before it says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from pytest_lan_hil.dut import protocol
from pytest_lan_hil.dut.console import Console, Cursor
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.dut.probe import Probe, Target
from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.model.errors import (
    ConsoleError,
    DutFault,
    DutProtocolError,
    DutTimeout,
    IdentityError,
    ImageError,
    ProbeError,
)

ANSWER_S = 5.0
"""Default time limit for an answer, seconds of the DUT's clock."""

STACK_PATTERN = 0xA5A5_A5A5
"""What the firmware's start-up paints the stack with."""

# Per inference, on top of ANSWER_S: far above any audio hop, so that only a dead DUT runs into it.
_PER_INFERENCE_S = 1.0

_M = TypeVar("_M")


@dataclass(frozen=True, slots=True)
class InferResult:
    """What `infer` answered.

    Attributes:
        count, warmups: As the DUT confirmed them.
        results: The last inference's output.
        lap_us: The DUT's own time stamps around the measured inferences; empty in MLPerf's energy mode.
    """

    count: int
    warmups: int
    results: tuple[float, ...]
    lap_us: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BuildIdentity:
    """Which build the running firmware says it is; all empty if it can't say."""

    git: str = ""
    image: str = ""
    version: str = ""

    @property
    def known(self) -> bool:
        """True if the firmware can say what it is."""
        return bool(self.git or self.image or self.version)

    def __str__(self) -> str:
        return f"git={self.git},image={self.image},version={self.version}" if self.known else ""


class Dut:
    """One board that runs a firmware.

    Args:
        probe: Its debug probe.
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
        self._listens = True

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
    def clock(self) -> Clock:
        """The clock that the DUT lives in."""
        return self._console.clock if self._console is not None else self._probe.clock

    # MLPerf Tiny DUT API ----------------------------------------------------------------------------------

    def command(self, text: str, *, timeout_s: float | None = None) -> list[str]:
        """Send one command ("name", terminator optional) and return the lines of its answer, `m-ready` left
        out.

        Raises:
            InputError: The command can't be sent.
            DutProtocolError: The DUT answered with an error.
            DutTimeout, DutFault, ConsoleError: It did not answer; see `silence`.
        """
        sent = protocol.command(text)
        if not self._in_step:
            self._get_in_step()
        cursor = self.console.cursor()
        self.console.write(sent)
        limit = self._timeout_s if timeout_s is None else timeout_s
        lines = self._answer(cursor, limit, f"the answer to {sent!r}")
        for line in lines:
            message = protocol.parse_line(line)
            if isinstance(message, protocol.DeviceError):
                raise DutProtocolError(f"the DUT answered {sent!r} with an error: {message.text}")
        return lines

    def name(self) -> str:
        """What the device calls itself."""
        answer = self._ask("name", protocol.Name)
        return f"{answer.device} {answer.vendor}".strip()

    def profile(self) -> str:
        """Firmware profile and model, as the DUT reports them."""
        lines = [protocol.parse_line(line) for line in self.command("profile")]
        texts = [line.text for line in lines if isinstance(line, (protocol.ProfileText, protocol.Model))]
        if not texts:
            raise DutProtocolError(f"the DUT answered 'profile%' without m-profile: {lines}")
        return ", ".join(texts)

    def timestamp(self) -> int | None:
        """The DUT's time in microseconds; None if it stamps with a pin instead (MLPerf's energy mode)."""
        for line in self.command("timestamp"):
            message = protocol.parse_line(line)
            if isinstance(message, protocol.Lap):
                return message.microseconds
        return None

    def load(self, data: bytes) -> None:
        """Fill the DUT's input buffer, each piece acknowledged before the next is sent."""
        first, *pieces = protocol.load_commands(data)
        answer = self._ask(first, protocol.Expecting)
        if answer.count != len(data):
            raise DutProtocolError(f"the DUT expects {answer.count} bytes, told were {len(data)}")
        last: list[str] = []
        for piece in pieces:
            last = self.command(piece)
        if not any(isinstance(protocol.parse_line(line), protocol.LoadDone) for line in last):
            raise DutProtocolError(f"the DUT did not confirm {len(data)} loaded bytes; it answered {last}")

    def infer(self, count: int = 1, warmups: int = 0, *, timeout_s: float | None = None) -> InferResult:
        """Run `warmups` inferences, then `count` that count.

        Args:
            count: At least 1.
            warmups: At least 0.
            timeout_s: Default: generous for the number of inferences.
        """
        limit = timeout_s if timeout_s is not None else self._timeout_s + _PER_INFERENCE_S * (count + warmups)
        lines = self.command(protocol.infer_command(count, warmups), timeout_s=limit)
        messages = [protocol.parse_line(line) for line in lines]
        if not any(isinstance(message, protocol.InferDone) for message in messages):
            raise DutProtocolError(f"the DUT did not report m-infer-done; it answered {lines}")
        return InferResult(
            count=_only(messages, protocol.InferStart, lines).count,
            warmups=_only(messages, protocol.WarmupStart, lines).count,
            results=_only(messages, protocol.Results, lines).values,
            lap_us=tuple(message.microseconds for message in messages if isinstance(message, protocol.Lap)),
        )

    def results(self) -> tuple[float, ...]:
        """Output of the last inference."""
        return self._ask("results", protocol.Results).values

    # This project's own commands --------------------------------------------------------------------------

    def identity(self) -> BuildIdentity:
        """Which build runs; empty if the firmware has no `lnn id`."""
        try:
            answer = self._ask("lnn id", protocol.Identity)
        except DutProtocolError as error:
            if _unknown(error):
                return BuildIdentity()
            raise
        return BuildIdentity(answer.git, answer.image, answer.version)

    def status(self) -> dict[str, str]:
        """Counters of the firmware (`lnn status`)."""
        return dict(self._ask("lnn status", protocol.Status).entries)

    def set_pace(self, milliseconds: int) -> int:
        """Time between the starts of two inferences (0: back to back, as MLPerf's performance mode); returns
        it."""
        return self._ask(f"lnn pace {milliseconds}", protocol.Pace).milliseconds

    def run_for(self, seconds: float) -> None:
        """Let the firmware listen for this long, console silent; one without `lnn listen` is simply left
        alone."""
        if self._listens:
            try:
                lines = self.command(
                    protocol.listen_command(seconds), timeout_s=self._timeout_s + 1.1 * seconds
                )
            except DutProtocolError as error:
                if not _unknown(error):
                    raise
                self._listens = False
            else:
                _only([protocol.parse_line(line) for line in lines], protocol.ListenDone, lines)
                return
        self.sleep(seconds)

    def sleep(self, seconds: float) -> None:
        """Let time pass on the DUT's clock."""
        self.clock.sleep(seconds)

    # Through the probe ------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Reset the DUT and wait until its firmware is ready.

        Raises:
            ProbeError: The probe failed.
            DutTimeout, DutFault, ConsoleError: The firmware does not come up; see `silence`.
        """
        cursor = self._console.cursor() if self._console is not None else None
        self._probe.reset()
        self._in_step = True
        if cursor is not None:
            self._answer(cursor, self._timeout_s, "m-ready after reset")

    def prove_identity(self, image: FirmwareImage) -> str:
        """Prove that `image` is what runs: by the bytes in flash, and by what the console says where it can.

        Returns:
            The build identity that the console reported, "" if it can't.

        Raises:
            IdentityError: It is something else.
        """
        self.image = image
        found = self._probe.read_flash_sha256(image)
        if found != image.flash_sha256:
            raise IdentityError(
                f"the flash of the DUT does not hold {image.path}: its bytes hash to {found[:16]}..., "
                f"the image's to {image.flash_sha256[:16]}...",
                fix="flash it again with `lan-hil flash`; another process may be using this board",
            )
        if self._console is None or not image.build_id:
            return ""
        self.reset()
        reported = str(self.identity())
        if reported != image.build_id:
            raise IdentityError(
                f"the firmware that answers on the console is not {image.path}: it says "
                f"{reported or 'nothing'}, the image says {image.build_id}",
                fix="check that `console` and `probe` in the bench file belong to the same board",
            )
        return reported

    def stack_high_water(self) -> int:
        """Bytes of the main stack that were ever used, from the pattern that start-up painted it with.

        Raises:
            ImageError: The image does not say where its stack is.
            ProbeError: The probe failed.
        """
        if self.image is None or self.image.stack is None:
            raise ImageError(
                "measuring the stack: the image does not say where it is",
                fix="use an ELF whose linker script defines __stack_bottom and __stack_top",
            )
        bottom, top = self.image.stack
        with self._probe.attached() as target:
            memory = target.read_memory(bottom, top - bottom)
        return len(memory) - _painted(memory)

    @contextmanager
    def debug(self) -> Iterator[Target]:
        """A debug session on purpose; whatever is measured while it is open is declared invalid."""
        with self._probe.attached() as target:
            yield target

    # Silence ----------------------------------------------------------------------------------------------

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

    def _answer(self, cursor: Cursor, timeout_s: float, waiting_for: str) -> list[str]:
        """Lines up to `m-ready`; a fault that the firmware reports ends the wait if its core is in it."""
        stop = self.console.clock.monotonic() + timeout_s
        lines: list[str] = []
        while True:
            try:
                left = max(stop - self.console.clock.monotonic(), 0.0)
                line = cursor.next_line(timeout_s=left, waiting_for=waiting_for).text
            except DutTimeout as error:
                self._in_step = False
                limit = DutTimeout(error.problem.replace(f"within {left:g} s", f"within {timeout_s:g} s"))
                raise self.silence(limit) from error
            message = protocol.parse_line(line)
            if isinstance(message, protocol.Ready):
                self._answered = True
                return lines
            if isinstance(message, protocol.DeviceError) and message.text.startswith("fault "):
                self._stop_if_faulted(waiting_for, message.text)
            lines.append(line)

    def _stop_if_faulted(self, waiting_for: str, reported: str) -> None:
        """Raise DutFault if the core is where the console says; firmware that has reset itself goes on."""
        diagnosis = self._probe.diagnose(self.image)
        if diagnosis.faulted:
            self._in_step = False
            raise DutFault(
                f"waiting for {waiting_for} on console {self.console.uri}: the firmware reports "
                f"{reported!r}{self._raised_in(reported)}; the {diagnosis}",
                fix="look at the function named here",
            )

    def _raised_in(self, reported: str) -> str:
        """The function at the `pc=0x...` of a fault report: the handler's own name helps nobody."""
        found = re.search(r"\bpc=0x([0-9a-f]{8})\b", reported)
        function = self.image.function_at(int(found[1], 16)) if self.image and found else ""
        return f", raised in {function}()" if function else ""

    def _get_in_step(self) -> None:
        """After a missed answer: ask for the name, and skip everything until that is answered."""
        cursor = self.console.cursor()
        self.console.write(protocol.command("name"))
        stop = self.console.clock.monotonic() + self._timeout_s
        lines: list[str] = []
        while not any(isinstance(protocol.parse_line(line), protocol.Name) for line in lines):
            left = max(stop - self.console.clock.monotonic(), 0.0)
            lines = self._answer(cursor, left, "the answer to 'name%'")
        self._in_step = True

    def _ask(self, text: str, kind: type[_M]) -> _M:
        lines = self.command(text)
        return _only([protocol.parse_line(line) for line in lines], kind, lines)


def _only(messages: list[protocol.Message], kind: type[_M], lines: list[str]) -> _M:
    found = [message for message in messages if isinstance(message, kind)]
    if len(found) != 1:
        raise DutProtocolError(f"the DUT's answer should hold one {kind.__name__}, it was {lines}")
    return found[0]


def _unknown(error: DutProtocolError) -> bool:
    return "unknown command" in error.problem.lower()


def _painted(memory: bytes) -> int:
    """Bytes at the bottom that still hold the pattern, whole words."""
    word = STACK_PATTERN.to_bytes(4, "little")
    count = 0
    while memory[count : count + 4] == word:
        count += 4
    return count
