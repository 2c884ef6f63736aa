"""The debug probe, through pyOCD: flash, reset, look into a core, and prove that the debugger is gone
afterwards.

Sessions are short. An attached debugger draws current and keeps sleep modes from working, so every session
ends with the core running, DHCSR.C_DEBUGEN cleared and the debug domain powered down, and what was read back
of that is kept (`Probe.detach_state`). Register names follow the ARMv7-M Architecture Reference Manual (ARM
DDI 0403E) and the Arm Debug Interface specification (ARM IHI 0031). pyOCD is imported by this module and its
two helpers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Protocol

from pyocd.core import exceptions
from pyocd.core.session import Session
from pyocd.flash.loader import FlashLoader

from pytest_lan_hil.dut.attached import DebugState, DetachWitness, FlashReport, PyocdLog, Target
from pytest_lan_hil.dut.diagnosis import CoreDiagnosis, examine
from pytest_lan_hil.dut.find import ProbeInfo, find_probe, list_probes
from pytest_lan_hil.dut.image import FirmwareImage, flash_sha256, read_back
from pytest_lan_hil.model.clock import Clock, clock_of
from pytest_lan_hil.model.errors import HilError, ProbeError

__all__ = ["CoreDiagnosis", "DebugState", "FlashReport", "Probe", "ProbeInfo", "Target", "list_probes"]

_CONNECTION_FIX = "check power, wiring and SWD pins of the board; `lan-hil doctor` shows what answers"


class CycleCounts(Protocol):
    """What a probe that counts cycles has to say once the block is over.

    Attributes:
        cycles: By the core's own counter: those of the running core.
        blocks: Address of a block of code to the cycles that it took; they add up to `cycles`.
        running_s: Seconds that these cycles took, on the probe's clock.
    """

    cycles: int
    blocks: Mapping[int, int]
    running_s: float


class Probe:
    """A debug probe and the target behind it; context managed.

    Attributes:
        uri: "kind:uid" of the probe that was found.
        uid: Its unique id.
        description: For people.
        simulated: True if no real probe stands behind it.
        clock: The probe's clock.
    """

    def __init__(self, handle: Any, info: ProbeInfo, target: str) -> None:
        self.uri = info.uri
        self.uid = info.uid
        self.description = info.description
        self.simulated = info.simulated
        self._handle = handle
        self._target_name = target
        # A simulated board exists as long as somebody holds it; a real one needs no holding.
        keep = getattr(handle, "keep_powered", None)
        self._power: Any = keep() if keep is not None else None
        self.clock: Clock = clock_of(handle)
        self._session: Session | None = None
        self._target: Target | None = None
        self._witness = DetachWitness()
        self._log = PyocdLog()
        self._state: DebugState | None = None
        self._attachments: list[tuple[float, float]] = []
        self._attached_at = 0.0

    @classmethod
    def open(cls, uri: str, *, target: str) -> Probe:
        """Find the probe; no session is opened yet.

        Args:
            uri: "kind:uid" as in `pyocd list` ("cmsisdap:...", "jlink:...", "stlink:..."), matched exactly,
                or "auto" for the only real probe that is attached.
            target: pyOCD target type.

        Raises:
            ProbeError: No such probe, or more than one; says what is attached. Never waits for one to appear.
        """
        handle, info = find_probe(uri)
        try:
            return cls(handle, info, target)
        except HilError:
            raise
        except Exception as error:
            raise ProbeError(f"opening probe {uri}: {error}", fix=_CONNECTION_FIX) from error

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End a session that is still open, and let the probe go; harmless in every state."""
        try:
            if self._session is not None:
                self._detach()
        finally:
            power, self._power = self._power, None
            if power is not None:
                power.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of results must know about a simulated board by now."""
        return tuple(getattr(self._handle, "notes", ()))

    def count_cycles(self) -> AbstractContextManager[CycleCounts] | None:
        """Counts the core's cycles while the block runs; None where the probe can't, as no real one can."""
        count = getattr(self._handle, "count_cycles", None)
        return count() if count is not None else None

    # Sessions ---------------------------------------------------------------------------------------------

    @property
    def attached_now(self) -> bool:
        """True while a debug session is open."""
        return self._session is not None

    def attached_between(self, start: float, stop: float) -> bool:
        """True if a debug session was open at any moment from `start` to `stop`, times of `clock`."""
        if self._session is not None and self._attached_at <= stop:
            return True
        return any(begin <= stop and end >= start for begin, end in self._attachments)

    @contextmanager
    def attached(self) -> Iterator[Target]:
        """A debug session for the duration of the block; inside another one, that one.

        The core goes on running until `Target.halt` is called; afterwards it runs in any case.

        Raises:
            ProbeError: The target can't be reached, or an access failed.
        """
        if self._target is not None:
            with self._translated("using the open debug session"):
                yield self._target
            return
        with self._until_detached(self._attach("attach")) as target:
            yield target

    @contextmanager
    def _attached_whatever_runs(self) -> Iterator[Target]:
        """As `attached`, but a target that refuses is attached once more with its reset pin held.

        Firmware that switches SWD off, sleeps deeply or stops a virtual chip can't do so before its first
        instruction. This resets the target, so it is for flashing only.
        """
        if self._target is not None:
            yield self._target
            return
        try:
            target = self._attach("attach")
        except ProbeError as refused:
            try:
                target = self._attach("under-reset")
            except ProbeError:
                raise refused from None
        with self._until_detached(target):
            yield target

    @contextmanager
    def _until_detached(self, target: Target) -> Iterator[Target]:
        try:
            with self._translated("in a debug session"):
                yield target
        finally:
            _insist(self._detach)

    def detach_state(self) -> DebugState:
        """What was read back of core and debug port when the last session closed.

        Opens and closes a session if there was none yet.

        Raises:
            ProbeError: The target can't be reached.
        """
        if self._state is None:
            with self.attached():
                pass
        assert self._state is not None
        return self._state

    def _attach(self, connect_mode: str) -> Target:
        with self._translated("attaching to the target"):
            self._attached_at = self.clock.monotonic()
            self._state = None
            options = _session_options(self._target_name) | {"connect_mode": connect_mode}
            session = Session(self._handle, auto_open=False, options=options)
            self._witness = DetachWitness()
            session.delegate = self._witness
            self._session = session
            try:
                session.open()
            except BaseException:
                self._detach()
                raise
            self._target = Target(session)
            return self._target

    def _detach(self) -> None:
        """Close the session, core running and debug domain down, and note what was read back of that."""
        session, self._session, self._target = self._session, None, None
        if session is None:
            return
        try:
            with self._log:
                self._state = self._witness.close(session, self.clock)
        finally:
            self._attachments.append((self._attached_at, self.clock.monotonic()))

    # Work -------------------------------------------------------------------------------------------------

    def flash(self, image: FirmwareImage, *, progress: Callable[[float], None] | None = None) -> FlashReport:
        """Bring the image into flash, prove it by reading back, and let it run from reset.

        Nothing is written when the flash already holds exactly these bytes. Erases and programs through
        pyOCD's flash algorithm for the target. Whatever interrupts it, the board is left reset and released.
        A core that its old firmware keeps from the debugger is caught under reset.

        Args:
            image: What to flash.
            progress: Called with the share done, 0 to 1, rising.

        Raises:
            ProbeError: The target can't be reached, the image is not for its flash, or what was read back
            differs.
        """
        start = self.clock.monotonic()
        report = _Progress(progress)
        with self._attached_whatever_runs() as target:
            try:
                loader = self._loader(image, report)
                written = read_back(image.segments, target.read_memory) != image.segments
                if written:
                    with self._translated(f"flashing {image.path}"):
                        # The old firmware's MPU, interrupts and DMA must not meet the flash algorithm.
                        target.reset_and_halt()
                        loader.commit()
                    self._verify(image, target)
            finally:
                _insist(target.reset)
        report(1.0)
        return FlashReport(
            written=written,
            bytes=image.flash_bytes,
            duration_s=self.clock.monotonic() - start,
            flash_sha256=image.flash_sha256,
        )

    def read_flash_sha256(self, image: FirmwareImage) -> str:
        """Hash of what the flash holds where `image` belongs; equals `image.flash_sha256` if it is that
        image.

        Raises:
            ProbeError: The target can't be reached.
        """
        with self.attached() as target:
            return flash_sha256(read_back(image.segments, target.read_memory))

    def reset(self) -> None:
        """Reset the target and let it run, with the debugger gone afterwards.

        Raises:
            ProbeError: The target can't be reached.
        """
        with self.attached() as target:
            target.reset()

    def diagnose(self, image: FirmwareImage | None = None) -> CoreDiagnosis:
        """What the core is doing. Stops it for some microseconds; it runs on afterwards unless it was halted.

        Raises:
            ProbeError: The target can't be reached.
        """
        with self.attached() as target:
            return examine(target, image)

    def _loader(self, image: FirmwareImage, progress: Callable[[float], None]) -> FlashLoader:
        """pyOCD's loader with the image in it, nothing written yet."""
        loader = FlashLoader(
            self._session,
            progress=progress,
            chip_erase="sector",
            smart_flash=False,
            trust_crc=False,
            keep_unwritten=False,
        )
        for segment in image.segments:
            try:
                loader.add_data(segment.address, segment.data)
            except ValueError as error:
                raise ProbeError(
                    f"flashing {image.path}: {len(segment.data)} bytes at 0x{segment.address:08x} are not in "
                    f"the flash of pyOCD target {self._target_name}: {error}",
                    fix="use the image that was linked for this board",
                ) from error
        return loader

    def _verify(self, image: FirmwareImage, target: Target) -> None:
        for wanted, found in zip(image.segments, read_back(image.segments, target.read_memory), strict=True):
            if wanted != found:
                offset = next(
                    i for i, pair in enumerate(zip(wanted.data, found.data, strict=True)) if len({*pair}) > 1
                )
                raise ProbeError(
                    f"flashing {image.path}: at 0x{wanted.address + offset:08x} the flash reads "
                    f"0x{found.data[offset]:02x}, written was 0x{wanted.data[offset]:02x}",
                    fix="try `pyocd erase --mass`; if it stays so, the flash is worn out or write-protected",
                )

    @contextmanager
    def _translated(self, attempted: str) -> Iterator[None]:
        """Turn whatever pyOCD raises into a ProbeError, its log attached; KeyboardInterrupt passes."""
        with self._log:
            try:
                yield
            except HilError:
                raise
            except exceptions.TargetSupportError as error:
                raise ProbeError(
                    f"{attempted} {self._target_name} with probe {self.uri}: {error}",
                    fix="`pyocd list --targets` shows the names; `pyocd pack install` gets more",
                ) from error
            except (exceptions.Error, OSError) as error:
                raise ProbeError(
                    f"{attempted} ({self._target_name}) with probe {self.uri}: "
                    f"{str(error) or type(error).__name__}{self._log.excerpt()}",
                    fix=_CONNECTION_FIX,
                ) from error


class _Progress:
    """pyOCD counts 0 to 1 for erasing and again for programming; this makes one rising count of it."""

    def __init__(self, report: Callable[[float], None] | None) -> None:
        self._report = report
        self._phase = 0
        self._last = 0.0
        self._shown = 0.0

    def __call__(self, share: float) -> None:
        share = min(share, 1.0)  # pyOCD's sum of parts may end a rounding error above it
        if share < self._last:
            self._phase = 1
        self._last = share
        total = 1.0 if share == 1.0 and self._phase else min((self._phase + share) / 2, 1.0)
        if self._report is not None and total > self._shown:
            self._shown = total
            self._report(total)


def _session_options(target: str) -> dict[str, object]:
    """pyOCD options: nothing from the user's directory, no surprises, and resume at the end."""
    import os

    return {
        "target_override": target,
        "resume_on_disconnect": True,
        "auto_unlock": False,
        "no_config": True,
        # There is no option for "no user script"; an empty file is one.
        "user_script": os.devnull,
        "project_dir": os.getcwd(),  # noqa: PTH109 - pyOCD changes to this directory, so it must be this one
        "hide_programming_progress": True,
        "cache.read_code_from_elf": False,
        "warning.cortex_m_default": False,
    }


def _insist(action: Callable[[], None]) -> None:
    """Run a clean-up that an impatient second Ctrl-C must not leave half done."""
    try:
        action()
    except KeyboardInterrupt:
        action()
        raise
