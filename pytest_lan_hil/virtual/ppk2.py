"""A virtual PPK2 in the supply of a virtual board: entry point `pytest_lan_hil.ppk2_ports`.

It is the port that the `ppk2_api` package talks to, with the methods of `serial.Serial` that it needs.
Commands and answers follow the package and Nordic's pc-nrfconnect-ppk. Samples come as virtual time passes,
100,000 a virtual second and not one less, from the same phase and with the same noise in every capture: two
runs that do the same get the same bytes. Nothing waits on wall time, and no thread is needed: whoever calls
`deliver_to` is handed the bytes; else they wait in the port, however many, to be read.

A virtual board has power from the start, and keeps it when the PPK2's output is switched off (its current
reads as zero then); switched on again, it starts from a power-on reset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from serial import PortNotOpenError, SerialException

from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.virtual.board import acquire, release
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.measured import MeasuredBoard
from pytest_lan_hil.virtual.options import faults_of, refuse_unknown, require_supply, understood, wired_pins
from pytest_lan_hil.virtual.ppk2_front_end import FRONT_END_NOTES, FrontEnd, metadata
from pytest_lan_hil.virtual.ppk2_stream import LINES, Stream
from pytest_lan_hil.virtual.sampling import Noise

_OPTIONS = (*LINES, "serial", "seed", "fault")
# Opcode to the bytes that follow it.
_COMMANDS = {0x06: 0, 0x07: 0, 0x0C: 1, 0x0D: 2, 0x11: 1, 0x19: 0, 0x20: 0}
_START, _STOP, _OUTPUT, _VOLTAGE, _MODE, _METADATA, _RESET = _COMMANDS
_SOURCE = 2


class PoweredBoard(MeasuredBoard, Protocol):
    """What a PPK2 needs of a board; see `board.VirtualBoard`."""

    def set_supply(self, supply_v: float) -> None:
        """The supply voltage."""
        ...

    def power_on_reset(self) -> None:
        """The supply was switched off and on."""
        ...


def open_port(target: str, options: Mapping[str, str]) -> VirtualPpk2:
    """Entry point `pytest_lan_hil.ppk2_ports`: a virtual PPK2 in the supply of a virtual board.

    Args:
        target: Board, for instance "nrf52840".
        options: d0 to d7 = pin ("P0.13"); serial (default "VIRTUAL1"); seed (default 1); fault (see
            `faults`).

    Raises:
        InputError: An unknown option, pin or board, or a number that is none.
        LeaseError: Another process holds the board.
    """
    refuse_unknown("PPK2", sorted(set(options) - set(_OPTIONS)), ", ".join(_OPTIONS))
    with understood("PPK2", "ppk2+virtual:nrf52840?mode=source&d0=P0.13&seed=1"):
        seed = int(options.get("seed") or 1)
        pins = wired_pins(target, options, LINES)
    faults = faults_of(options)
    board = acquire(target)
    return VirtualPpk2(
        board,
        target=target,
        serial=options.get("serial") or "VIRTUAL1",
        pins=pins,
        seed=seed,
        faults=faults,
        release=lambda: release(board),
    )


class VirtualPpk2:
    """The port of a virtual PPK2.

    Args:
        board: Whose supply is measured.
        target: Its name.
        serial: Serial number; the errors and calibration constants follow from it.
        pins: Line ("d0") to pin name ("P0.13").
        seed: Of the noise.
        faults: Scripted faults.
        release: Called once, by `close`.

    Attributes:
        simulated: Always True.
        clock: Virtual time.
        notes: What a reader of the measurements must know.
        port: For messages.
        baudrate, timeout: Kept, not used.
    """

    simulated = True

    def __init__(
        self,
        board: PoweredBoard,
        *,
        target: str,
        serial: str,
        pins: Mapping[str, str],
        seed: int,
        faults: Faults,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._board = board
        self._target = target
        self._pins = dict(pins)
        self._faults = faults
        self._release = release
        self._front_end = FrontEnd(serial, Noise(seed))
        self._stream: Stream | None = None
        self._sink: Callable[[bytes], None] | None = None
        self._received = bytearray()
        self._command = bytearray()
        self._supply_mv, self._mode = 3000, 1
        self._powered = True
        self._gone = False
        self._refusal: InputError | None = None
        self.serial = serial
        self.port = f"virtual PPK2 {serial}"
        self.clock: Clock = board.clock
        self.notes: tuple[str, ...] = (*FRONT_END_NOTES, *board.identity_notes)
        self.is_open = True
        self.baudrate = 115200
        self.timeout: float | None = 0.0

    # -- serial.Serial -----------------------------------------------------------------------------------

    @property
    def in_waiting(self) -> int:
        """Bytes that have come; no time passes.

        Raises:
            SerialException: It was unplugged (a scripted fault), or closed.
            InputError: It was told to supply a voltage that the board can't take.
        """
        self._require()
        return len(self._received)

    def read(self, size: int = 1) -> bytes:
        """Up to `size` of the bytes that have come; no time passes.

        Raises:
            SerialException, InputError: As `in_waiting`.
        """
        self._require()
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def write(self, data: bytes) -> int:
        """Take commands in; one may come in parts.

        Raises:
            SerialException: It was unplugged or closed.
        """
        if not self.is_open:
            raise PortNotOpenError
        if self._gone:
            raise SerialException("the device was unplugged")
        self._command += data
        while self._command:
            following = _COMMANDS.get(self._command[0])
            if following is None:  # a real one ignores what it does not know
                del self._command[0]
            elif len(self._command) <= following:
                break
            else:
                command = bytes(self._command[: following + 1])
                del self._command[: following + 1]
                with self._board.lock:
                    self._do(command[0], command[1:])
        return len(data)

    def flush(self) -> None:
        """What was written has arrived already."""

    def close(self) -> None:
        """Let the board go; harmless in every state."""
        if not self.is_open:
            return
        with self._board.lock:
            self._end()
        self.is_open = False
        self._release()

    def deliver_to(self, sink: Callable[[bytes], None] | None) -> None:
        """Hand what comes to `sink` from now on; None: keep it for `read` again."""
        self._sink = sink

    # -- commands ----------------------------------------------------------------------------------------

    def _do(self, opcode: int, argument: bytes) -> None:
        if opcode == _START:
            self._begin()
        elif opcode in (_STOP, _RESET):
            self._end()
        elif opcode == _OUTPUT:
            self._switch(on=bool(argument[0]))
        elif opcode == _VOLTAGE:
            self._supply_mv = int.from_bytes(argument, "big")
            self._apply()
        elif opcode == _MODE:
            self._mode = argument[0]
            self._apply()
        elif opcode == _METADATA:
            self._deliver(metadata(self._front_end, supply_mv=self._supply_mv, mode=self._mode))

    def _begin(self) -> None:
        self._end()
        self._stream = Stream(
            self._board,
            self._front_end,
            pins=self._pins,
            faults=self._faults,
            supply_v=self._supply_mv / 1000,
            powered=self._powered,
            deliver=self._deliver,
            vanish=self._vanish,
        )
        self._board.attach(self._stream)

    def _end(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.deliver(self._board.now)
            stream.close()
            self._board.detach(stream)

    def _vanish(self) -> None:
        self._end()
        self._gone = True

    def _switch(self, *, on: bool) -> None:
        if on and not self._powered:
            self._board.power_on_reset()
        self._powered = on
        self._apply()

    def _apply(self) -> None:
        supply_v = self._supply_mv / 1000
        if self._mode == _SOURCE and self._powered:
            try:
                require_supply(self._target, supply_v)
            except InputError as error:
                # The package would swallow an error here; it is told at the next read instead.
                self._refusal = error
            else:
                self._refusal = None
                self._board.set_supply(supply_v)

    def _deliver(self, data: bytes) -> None:
        if self._sink is not None:
            self._sink(data)
        else:
            self._received += data

    def _require(self) -> None:
        if not self.is_open:
            raise PortNotOpenError
        if self._gone:
            raise SerialException("the device was unplugged")
        if self._refusal is not None:
            raise self._refusal
