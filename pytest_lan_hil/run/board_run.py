"""One board on one bench during a session: opened at the first test that needs it, closed at the end.

A bench that can't be opened, or a DUT whose image can't be proved, is remembered: the next test is refused
at once with the same message instead of waiting through the same time limits again.
"""

from __future__ import annotations

from contextlib import ExitStack

from pytest_lan_hil.config import Bench, Board, Wiring
from pytest_lan_hil.dut.image import FirmwareImage, check_fits, load_image
from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.model.errors import BlockedError, HilError
from pytest_lan_hil.model.record import DeviceIdentity, FirmwareIdentity, TestRecord
from pytest_lan_hil.run.bench import OpenBench, open_bench


class BoardRun:
    """The life of one board in this session."""

    def __init__(self, board: Board, bench: Bench, wiring: Wiring, *, wait_s: float) -> None:
        self.board = board
        self.bench = bench
        self.wiring = wiring
        self.tests: list[TestRecord] = []
        self.waveforms: dict[str, Envelope] = {}
        self.simulated = False
        self.devices: tuple[DeviceIdentity, ...] = ()
        self._wait_s = wait_s
        self._stack = ExitStack()
        self._open: OpenBench | None = None
        self._failure: BlockedError | None = None
        self._proved: FirmwareIdentity | None = None
        self._image: FirmwareImage | None = None

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
        path = self.board.image(image_name)
        image = load_image(path)
        check_fits(image, self.board)
        bench = self.open()
        if self._image is None or self._image.sha256 != image.sha256:
            self._proved = None
            self._image = None
            report = bench.probe.flash(image)
            build = bench.dut.prove_identity(image)
            self._proved = FirmwareIdentity(
                image=str(path),
                sha256=image.sha256,
                flash_sha256=report.flash_sha256,
                build=build,
                proved=True,
            )
            self._image = image
        assert self._proved is not None
        bench.dut.image = image
        bench.dut.reset()
        return self._proved

    def close(self, *, interrupted: bool) -> str:
        """Release everything; returns what went wrong on the way, or "".

        An interrupted board is left reset, so that it is not found in the middle of a capture.
        """
        problem = ""
        if interrupted and self._open is not None:
            try:
                self._open.probe.reset()
            except HilError as error:
                problem = f"resetting {self.board.name} after the interruption: {error}"
        self._open = None
        try:
            self._stack.close()
        except HilError as error:
            problem = problem or f"releasing {self.board.name}: {error}"
        return problem
