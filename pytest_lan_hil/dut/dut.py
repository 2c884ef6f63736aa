"""The device under test, flashed and talkative: what the `dut` fixture gives.

Speaks the grammar of `protocol` (see `answering`), and looks into the chip through a `Probe`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pytest_lan_hil.dut import protocol
from pytest_lan_hil.dut.answering import ANSWER_S, Answering, only
from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.dut.memory import MemoryUse, memory_use, stack_use
from pytest_lan_hil.dut.memory_bytes import MemoryBytes
from pytest_lan_hil.dut.probe import FlashReport, Probe, Target
from pytest_lan_hil.dut.work import Work, seconds_of
from pytest_lan_hil.model.errors import (
    DutFault,
    DutProtocolError,
    IdentityError,
    ImageError,
)

# Longest that one inference may take on average where nobody knows how long it should, and at a pace that is
# known: far above it, so that only a dead DUT runs into it.
_PER_INFERENCE_S = 1.0
_PER_PACED_S = 0.1
_PACES = 4
# From so many on, the time limit is worth the question for the pace.
_MANY = 10


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


class Dut(Answering):
    """One board that runs a firmware.

    Args:
        probe: Its debug probe.
        console: Its console, or None if the bench has none wired.
        timeout_s: Time limit for an answer.

    Attributes:
        image: The image that is on it, once it has been flashed; needed to name functions and find the stack.
        work: What it was given to do, in order.
    """

    def __init__(self, probe: Probe, console: Console | None, *, timeout_s: float = ANSWER_S) -> None:
        super().__init__(probe, console, timeout_s=timeout_s)
        self.work: list[Work] = []
        self._listens = True
        self._counts = True
        self._paces = True
        self._pace_ms: int | None = None

    # MLPerf Tiny DUT API ----------------------------------------------------------------------------------

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
            timeout_s: Default: generous for the number of inferences at the DUT's pace, for which it is asked
                where there are many.
        """
        sent = protocol.infer_command(count, warmups)
        limit = self._infer_limit_s(count + warmups) if timeout_s is None else timeout_s
        lines = self.command(sent, timeout_s=limit)
        messages = [protocol.parse_line(line) for line in lines]
        if not any(isinstance(message, protocol.InferDone) for message in messages):
            raise DutProtocolError(f"the DUT did not report m-infer-done; it answered {lines}")
        done = InferResult(
            count=only(lines, protocol.InferStart).count,
            warmups=only(lines, protocol.WarmupStart).count,
            results=only(lines, protocol.Results).values,
            lap_us=tuple(message.microseconds for message in messages if isinstance(message, protocol.Lap)),
        )
        self.work.append(Work(done.count, seconds_of(done.lap_us), back_to_back=self._pace_ms == 0))
        return done

    def _infer_limit_s(self, inferences: int) -> float:
        if inferences >= _MANY and self._pace_ms is None:
            self._ask_pace()
        each_s = _PER_INFERENCE_S
        if self._pace_ms:  # back to back, nobody knows how long one takes
            each_s = max(_PACES * self._pace_ms / 1e3, _PER_PACED_S)
        return self._timeout_s + each_s * inferences

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

    def counters(self) -> dict[str, int] | None:
        """Those of `status` that are whole numbers; None if the firmware has no `lnn status`."""
        if not self._counts:
            return None
        try:
            entries = self.status()
        except DutProtocolError as error:
            if not _unknown(error):
                raise
            self._counts = False
            return None
        return {key: int(value) for key, value in entries.items() if re.fullmatch(r"-?[0-9]+", value)}

    def set_pace(self, milliseconds: int) -> int:
        """Time between the starts of two inferences (0: back to back, as MLPerf's performance mode); returns
        it."""
        self._pace_ms = self._ask(f"lnn pace {milliseconds}", protocol.Pace).milliseconds
        return self._pace_ms

    def _ask_pace(self) -> None:
        """Find out the pace; a firmware that has none is asked once."""
        if not self._paces:
            return
        try:
            self._pace_ms = self._ask("lnn pace", protocol.Pace).milliseconds
        except DutProtocolError as error:
            if not _unknown(error):
                raise
            self._paces = False

    def run_for(self, seconds: float) -> None:
        """Let the firmware listen for this long, console silent; one without `lnn listen` is simply left
        alone."""
        self.work.append(Work(0, seconds))
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
                only(lines, protocol.ListenDone)
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
        self._pace_ms = None
        if cursor is not None:
            self._answer(cursor, self._timeout_s, "m-ready after reset")

    def flash(self, image: FirmwareImage, *, progress: Callable[[float], None] | None = None) -> FlashReport:
        """Bring the image onto the DUT (see `Probe.flash`), and say so among what its console said.

        Raises:
            ProbeError: See `Probe.flash`.
        """
        if self._console is not None:
            self._console.remark(f"flashing {image.path.name}, sha256 {image.sha256[:12]}")
        return self._probe.flash(image, progress=progress)

    def prove_identity(self, image: FirmwareImage) -> str:
        """Prove that `image` is what runs: by the bytes in flash, and by what the console says where it can.

        Returns:
            The build identity that the console reported, "" if it can't.

        Raises:
            IdentityError: It is something else.
        """
        self.image = image
        # Another firmware may know what the last one did not.
        self._listens = self._counts = self._paces = True
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

    def memory_bytes(self) -> MemoryBytes:
        """What the firmware ever used of the memory: what a budget judges.

        Raises:
            HilError: See `memory_use`.
        """
        use = self.memory_use()
        told = f"the image and the memory behind {self._probe.description}"
        return MemoryBytes(use.total, told, notes=use.notes)

    def memory_use(self) -> MemoryUse:
        """RAM that the firmware takes: static, and the stack and heap that it ever used.

        Raises:
            ImageError: The image does not say where its stack is, or has no sections.
            DutFault: The core is in a fault handler: what its stack looks like now says nothing.
            DutError: The stack is full, or ran into its guard.
            MeasurementInvalid: The stack is not painted, or the heap can't be told.
            ProbeError: The probe failed.
        """
        image = self._known_image()
        self._refuse_fault("measuring the memory")
        with self._probe.attached() as target:
            return memory_use(image, target.read_memory)

    def stack_high_water(self) -> int:
        """Bytes of the main stack that were ever used, from the pattern that start-up painted it with.

        Raises:
            As `memory_use`.
        """
        image = self._known_image()
        self._refuse_fault("measuring the stack")
        with self._probe.attached() as target:
            return stack_use(image, target.read_memory).used

    def _known_image(self) -> FirmwareImage:
        if self.image is None:
            raise ImageError(
                "measuring the stack: no image was flashed, which would say where it is",
                fix="flash an ELF first: `lan-hil flash`",
            )
        return self.image

    def _refuse_fault(self, attempted: str) -> None:
        if self._probe.diagnose().faulted:
            raise DutFault(
                f"{attempted}: the {self._probe.diagnose(self.image)}", fix="look at the function named here"
            )

    @contextmanager
    def debug(self) -> Iterator[Target]:
        """A debug session on purpose; whatever is measured while it is open is declared invalid."""
        with self._probe.attached() as target:
            yield target


def _unknown(error: DutProtocolError) -> bool:
    return "unknown command" in error.problem.lower()
