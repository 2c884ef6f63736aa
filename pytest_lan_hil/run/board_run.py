"""One board on one bench during a session: opened at the first test that needs it, closed at the end.

A bench that can't be opened, or an image that can't be proved, is remembered: the next test that needs it is
refused at once with the same message instead of waiting through the same time limits again.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from pytest_lan_hil.config import Bench, Board, Wiring
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.find import simulated_kind
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.dut.program import load_image_for
from pytest_lan_hil.instruments.jls import write_jls
from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import BlockedError, ConfigError, HilError
from pytest_lan_hil.model.record import DeviceIdentity, FirmwareIdentity, TestRecord
from pytest_lan_hil.publish.files import run_directory
from pytest_lan_hil.run.bench import OpenBench, is_replay, open_bench
from pytest_lan_hil.run.build import build_images
from pytest_lan_hil.run.project import new_run_id
from pytest_lan_hil.run.selftest import load_selftest


class BoardRun:
    """The life of one board in this session.

    Attributes:
        board, bench, wiring: What it runs on.
        run_id: Of its record.
        tests: Finished tests, in order.
        waveforms: Node id to the envelope of its last capture.
        simulated: True if a device is; for a bench that never opened, what its kind of probe says.
        devices: What was on the bench, once it was open.
        kept: Files of the captures that were kept.
        selftest: What the bench found out about itself earlier, or None.
    """

    def __init__(
        self, board: Board, bench: Bench, wiring: Wiring, *, wait_s: float, captures: Path | None = None
    ) -> None:
        self.board = board
        self.bench = bench
        self.wiring = wiring
        self.run_id = new_run_id(board.name)
        self.tests: list[TestRecord] = []
        self.waveforms: dict[str, Envelope] = {}
        self.simulated = wiring.probe is not None and simulated_kind(wiring.probe)
        self.devices: tuple[DeviceIdentity, ...] = ()
        if is_replay(wiring) and wiring.analyzer is not None:
            # Known before the file is read, so that a run that can't read it is told from a board's.
            self.devices = (
                DeviceIdentity("analyzer", wiring.analyzer, "a recorded capture", simulated=False),
            )
        self.selftest = load_selftest(bench)
        self.kept: list[Path] = []
        self._wait_s = wait_s
        self._captures = captures
        self._stack = ExitStack()
        self._open: OpenBench | None = None
        self._failure: BlockedError | None = None
        self._proved: FirmwareIdentity | None = None
        self._refused: dict[str, BlockedError] = {}
        self._problem = ""
        self._built = False
        self._unbuilt: ConfigError | None = None

    def keep(self, capture: Capture) -> None:
        """Keep the capture of the test that just ended, if captures are kept; never an error."""
        if self._captures is None:
            return
        folder = run_directory(self._captures, self.run_id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"capture-{len(self.tests):03d}.jls"
            write_jls(capture, path)
            self.kept.append(path)
        except (HilError, OSError) as error:
            self._note(f"keeping the capture of test {len(self.tests)}: {error}")

    @property
    def is_open(self) -> bool:
        """True while the bench is open."""
        return self._open is not None

    def shares_a_device_with(self, other: BoardRun) -> bool:
        """True if both benches name one device."""
        return bool(set(self.wiring.uris) & set(other.wiring.uris))

    def open(self) -> OpenBench:
        """The open bench; opens it the first time.

        Raises:
            BlockedError: It can't be opened (again at each call, without trying again).
        """
        if self._failure is not None:
            raise self._failure
        if self._open is None:
            try:
                self._open = self._stack.enter_context(
                    open_bench(self.board, self.bench, self.wiring, wait_s=self._wait_s)
                )
            except BlockedError as error:
                self._failure = error
                raise
            self._drop_foreign_selftest(self._open)
            self.simulated = self._open.simulated
            self.devices = self._open.devices
        return self._open

    def _drop_foreign_selftest(self, bench: OpenBench) -> None:
        """A self-test holds for the instrument that it was made with, and for no other."""
        if self.selftest is None:
            return
        instrument = bench.analyzer or bench.edges
        if instrument is None or str(instrument.identity) != self.selftest.analyzer:
            self._note(
                f"the self-test of bench {self.bench.name} was made with {self.selftest.analyzer} and is not"
                f" used: run `lan-hil selftest --bench {self.bench.name}` again"
            )
            self.selftest = None

    def prepare(self, image_name: str | None) -> FirmwareIdentity | None:
        """Bring the DUT to the start of a test: the right image, proved, freshly reset.

        A recorded capture has no image to prove: None.

        Raises:
            InputError: No such image, not for this chip, or it can't be built.
            BlockedError: The bench can't be opened, or the image can't be proved.
            DutError: The image was flashed and proved, but does not come up.
        """
        if is_replay(self.wiring):
            self.open()
            return None
        self._build_once()
        image = load_image_for(self.board, self.board.image(image_name))
        _, dut = self.open().flashable()
        if image.sha256 in self._refused:
            raise self._refused[image.sha256]
        if self._proved is None or self._proved.sha256 != image.sha256:
            self._proved = None
            try:
                self._proved = _flash_and_prove(dut, image)
            except BlockedError as error:
                self._refused[image.sha256] = error
                raise
        dut.image = image
        dut.reset()
        return self._proved

    def _build_once(self) -> None:
        if self._unbuilt is not None:
            raise self._unbuilt
        if not self._built:
            try:
                build_images(self.board, wait_s=self._wait_s)
            except ConfigError as error:
                self._unbuilt = error
                raise
            self._built = True

    def close(self, *, interrupted: bool) -> str:
        """Release everything; returns what went wrong on the way, now or earlier, or "".

        An interrupted board is left reset, so that it is not found in the middle of a capture. The bench can
        be opened again afterwards.
        """
        if interrupted and self._open is not None and self._open.probe is not None:
            try:
                self._open.probe.reset()
            except HilError as error:
                self._note(f"resetting {self.board.name} after the interruption: {error}")
        if self._open is not None and self._open.probe is not None:
            # What befell a simulated board since it was opened (a brown-out) stands in its notes.
            notes = self._open.probe.notes
            self.devices = tuple(
                replace(device, notes=notes) if device.role == "probe" else device for device in self.devices
            )
        self._open = None
        self._proved = None
        try:
            self._stack.close()
        except Exception as error:  # whatever a driver raises, what was measured is still to be written
            self._note(f"releasing {self.board.name}: {error or type(error).__name__}")
        return self._problem

    def _note(self, problem: str) -> None:
        self._problem = self._problem or problem


def _flash_and_prove(dut: Dut, image: FirmwareImage) -> FirmwareIdentity:
    report = dut.flash(image)
    build = dut.prove_identity(image)
    return FirmwareIdentity(
        image=str(image.path),
        sha256=image.sha256,
        flash_sha256=report.flash_sha256,
        build=build,
        proved=True,
    )
