"""A virtual I2C bus with one INA219 or INA228 on it: entry point `pytest_lan_hil.i2c_buses`.

The object has the methods of `smbus2.SMBus` that the instrument uses, and fails as Linux does: OSError with
EREMOTEIO for an address at which nothing answers. A transfer takes no virtual time.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.virtual import ina219, ina228
from pytest_lan_hil.virtual.board import acquire, release
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.ina_front import Figures, Front, Repetition
from pytest_lan_hil.virtual.measured import MeasuredBoard
from pytest_lan_hil.virtual.options import faults_of, refuse_unknown, require_supply, understood

_OPTIONS = ("chip", "address", "shunt_ohm", "shunt_tolerance", "supply_v", "seed", "fault")
_ADDRESS = "0x40"


class Device(Protocol):
    """A device on the bus."""

    def read(self, register: int) -> bytes:
        """A whole register."""
        ...

    def write(self, register: int, value: int) -> None:
        """Write 16 bits."""
        ...

    def close(self) -> None:
        """Let go of the board."""
        ...


_CHIPS: dict[str, tuple[Callable[[Front, int], Device], Figures, tuple[str, ...]]] = {
    "ina219": (ina219.VirtualIna219, ina219.FIGURES, ina219.NOTES),
    "ina228": (ina228.VirtualIna228, ina228.FIGURES, ina228.NOTES),
}


class VirtualSMBus:
    """See the module.

    Args:
        board: Whose time passes.
        devices: By address.
        faults: `analyzer_vanish` (so many seconds into each capture nothing answers any more) and `drop`
            (transfers time out for a while).
        notes: What a reader of the results must know.
        release: Called once when the bus is closed.
    """

    simulated = True

    def __init__(
        self,
        board: MeasuredBoard,
        devices: Mapping[int, Device],
        *,
        faults: Faults,
        notes: tuple[str, ...],
        release: Callable[[], None],
    ) -> None:
        self._board = board
        self._devices = dict(devices)
        self._faults = faults
        self._release: Callable[[], None] | None = release
        self._began_at: float | None = None
        self.notes = notes

    @property
    def clock(self) -> Clock:
        """Virtual seconds."""
        return self._board.clock

    def repeat(self, act: Callable[[], float]) -> Repetition:
        """Call `act` as virtual time passes; see `ina_front.Repetition`. A capture begins with it."""
        self._began_at = self._board.clock.monotonic()
        return Repetition(self._board, act)

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]:
        """Read `length` bytes of a register.

        Raises:
            OSError: As Linux raises it.
        """
        with self._board.lock:
            data = self._answering(i2c_addr).read(register)
        # A master that reads on past a register's end reads an idle bus.
        return list(data[:length].ljust(length, b"\xff"))

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: Sequence[int]) -> None:
        """Write the two bytes of a register; fewer change nothing.

        Raises:
            OSError: As Linux raises it.
        """
        with self._board.lock:
            device = self._answering(i2c_addr)
            if len(data) >= 2:
                device.write(register, int.from_bytes(bytes(data[:2]), "big"))

    def close(self) -> None:
        """Close the bus. May be repeated."""
        if self._release is None:
            return
        release_board, self._release = self._release, None
        try:
            with self._board.lock:
                for device in self._devices.values():
                    device.close()
        finally:
            release_board()

    def _answering(self, address: int) -> Device:
        if self._release is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if address not in self._devices or self._is_in("analyzer_vanish", math.inf):
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
        if self._is_in("drop", 0.0):
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        return self._devices[address]

    def _is_in(self, fault: str, longer_s: float) -> bool:
        """True while a scripted fault of that name, and `longer_s` after it, lasts."""
        if self._began_at is None:
            return False
        now_s = self._board.clock.monotonic() - self._began_at
        return any(one.at <= now_s < one.at + one.length + longer_s for one in self._faults.named(fault))


def bus_on(
    board: MeasuredBoard,
    *,
    chip: str,
    shunt_ohm: float,
    shunt_tolerance: float = 0.01,
    supply_v: float = 3.0,
    address: int = 0x40,
    seed: int = 1,
    faults: Faults | None = None,
    release: Callable[[], None] = lambda: None,
) -> VirtualSMBus:
    """A bus with one chip whose shunt lies in the supply of `board`; see `open_bus`."""
    made, figures, notes = _CHIPS[chip]
    front = Front(
        board, figures, supply_v=supply_v, shunt_ohm=shunt_ohm, shunt_tolerance=shunt_tolerance, seed=seed
    )
    with board.lock:
        device = made(front, seed)
    return VirtualSMBus(
        board,
        {address: device},
        faults=faults or Faults(),
        notes=(*notes, *board.identity_notes),
        release=release,
    )


def open_bus(target: str, options: Mapping[str, str]) -> VirtualSMBus:
    """Entry point `pytest_lan_hil.i2c_buses`: an INA219 or INA228 in the supply of a virtual board.

    Args:
        target: Board, for instance "nrf52840".
        options: chip ("ina219" or "ina228"); shunt_ohm; shunt_tolerance (default 0.01); address (0x40);
            supply_v (3.0); seed (1); fault (see `faults`).

    Raises:
        InputError: An unknown option or board, or a number that is none.
        LeaseError: Another process holds the board.
    """
    refuse_unknown(
        "I2C bus",
        sorted(set(options) - set(_OPTIONS)),
        f"{', '.join(_OPTIONS[1:])}, and those of the instrument",
    )
    with understood("I2C bus", "ina219+virtual:nrf52840?shunt_ohm=10&supply_v=3.0&seed=1"):
        chip = options["chip"]
        shunt_ohm = float(options["shunt_ohm"])
        tolerance = float(options.get("shunt_tolerance") or 0.01)
        supply_v = float(options.get("supply_v") or 3.0)
        seed = int(options.get("seed") or 1)
        address = int(options.get("address") or _ADDRESS, 0)
    require_supply(target, supply_v)
    faults = faults_of(options)
    board = acquire(target)
    board.set_supply(supply_v)
    return bus_on(
        board, chip=chip, shunt_ohm=shunt_ohm, shunt_tolerance=tolerance, supply_v=supply_v, address=address,
        seed=seed, faults=faults, release=lambda: release(board),
    )  # fmt: skip
