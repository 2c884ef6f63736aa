"""One board on one bench during a session: opened at the first test that needs it, closed at the end.

A bench that can't be opened, or an image that can't be proved, is remembered: the next test that needs it is
refused at once with the same message instead of waiting through the same time limits again.
"""

from __future__ import annotations

from contextlib import ExitStack

from pytest_lan_hil.config import Bench, Board, Wiring
from pytest_lan_hil.dut.find import simulated_kind
from pytest_lan_hil.dut.image import FirmwareImage, check_fits, load_image
from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.model.errors import BlockedError, HilError
from pytest_lan_hil.model.record import DeviceIdentity, FirmwareIdentity, TestRecord
from pytest_lan_hil.run.bench import OpenBench, open_bench
from pytest_lan_hil.run.project import new_run_id


class BoardRun:
    """The life of one board in this session.

    Attributes:
        board, bench, wiring: What it runs on.
        run_id: Of its record.
        tests: Finished tests, in order.
        waveforms: Node id to the envelope of its last capture.
        simulated: True if a device is; for a bench that never opened, what its kind of probe says.
        devices: What was on the bench, once it was open.
    """

    def __init__(self, board: Board, bench: Bench, wiring: Wiring, *, wait_s: float) -> None:
        self.board = board
        self.bench = bench
        self.wiring = wiring
        self.run_id = new_run_id(board.name)
        self.tests: list[TestRecord] = []
        self.waveforms: dict[str, Envelope] = {}
        self.simulated = wiring.probe is not None and simulated_kind(wiring.probe)
        self.devices: tuple[DeviceIdentity, ...] = ()
        self._wait_s = wait_s
        self._stack = ExitStack()
        self._open: OpenBench | None = None
        self._failure: BlockedError | None = None
        self._proved: FirmwareIdentity | None = None
        self._refused: dict[str, BlockedError] = {}
        self._problem = ""

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
            self.simulated = self._open.simulated
            self.devices = self._open.devices
        return self._open

    def prepare(self, image_name: str | None) -> FirmwareIdentity:
        """Bring the DUT to the start of a test: the right image, proved, freshly reset.

        Raises:
            InputError: No such image, or not for this chip.
            BlockedError: The bench can't be opened, or the image can't be proved.
            DutError: The image was flashed and proved, but does not come up.
        """
        image = load_image(self.board.image(image_name))
        check_fits(image, self.board)
        bench = self.open()
        if image.sha256 in self._refused:
            raise self._refused[image.sha256]
        if self._proved is None or self._proved.sha256 != image.sha256:
            self._proved = None
            try:
                self._proved = _flash_and_prove(bench, image)
            except BlockedError as error:
                self._refused[image.sha256] = error
                raise
        bench.dut.image = image
        bench.dut.reset()
        return self._proved

    def close(self, *, interrupted: bool) -> str:
        """Release everything; returns what went wrong on the way, now or earlier, or "".

        An interrupted board is left reset, so that it is not found in the middle of a capture. The bench can
        be opened again afterwards.
        """
        if interrupted and self._open is not None:
            try:
                self._open.probe.reset()
            except HilError as error:
                self._note(f"resetting {self.board.name} after the interruption: {error}")
        self._open = None
        self._proved = None
        try:
            self._stack.close()
        except Exception as error:  # whatever a driver raises, what was measured is still to be written
            self._note(f"releasing {self.board.name}: {error or type(error).__name__}")
        return self._problem

    def _note(self, problem: str) -> None:
        self._problem = self._problem or problem


def _flash_and_prove(bench: OpenBench, image: FirmwareImage) -> FirmwareIdentity:
    report = bench.probe.flash(image)
    build = bench.dut.prove_identity(image)
    return FirmwareIdentity(
        image=str(image.path),
        sha256=image.sha256,
        flash_sha256=report.flash_sha256,
        build=build,
        proved=True,
    )
