"""Registers of one device on an I2C bus, through an object with the methods of `smbus2.SMBus`.

https://smbus2.readthedocs.io. Used are `read_i2c_block_data`, `write_i2c_block_data` and `close`; registers
are sent most significant byte first (SBOS448G, 8.5.6; SLYS021A, 7.5.1.1).
"""

from __future__ import annotations

import errno
from typing import Any

from pytest_lan_hil.model.errors import InstrumentError


class BusError(InstrumentError):
    """A transfer on the I2C bus failed; the next one may succeed."""


# What Linux's adapters report, with what it means and what helps (Documentation/i2c/fault-codes).
_NO_ANSWER = (
    "no device answers there (NACK)",
    "check SDA, SCL, the supply of the module and its address pins: `i2cdetect -y BUS` lists what answers",
)
_MEANINGS = {
    errno.ENXIO: _NO_ANSWER,
    errno.EREMOTEIO: _NO_ANSWER,
    errno.EIO: ("the transfer failed (bad contact, missing pull-ups, or no device)", _NO_ANSWER[1]),
    errno.ETIMEDOUT: (
        "the bus is stuck: a device holds SCL low, or the pull-ups are missing",
        "check the wiring, power-cycle the module, or lower the bus speed",
    ),
    errno.EAGAIN: (
        "another bus master had the bus",
        "let nothing else use this I2C bus while measuring",
    ),
    errno.EBUSY: (
        "a kernel driver holds this device",
        "unbind it (`echo 1-0040 > /sys/bus/i2c/drivers/ina2xx/unbind`), or take it from the device tree",
    ),
}


class Registers:
    """The registers of one device.

    Args:
        bus: See the module.
        address: 7-bit address.
        name: Model, for messages.
        where: Bus, for messages.
    """

    def __init__(self, bus: Any, address: int, *, name: str, where: str) -> None:
        self._bus = bus
        self._address = address
        self.place = f"{name} at address 0x{address:02x} of {where}"

    def read(self, register: int, size: int) -> int:
        """An unsigned register of `size` bytes.

        Raises:
            BusError: The transfer failed.
        """
        try:
            data = self._bus.read_i2c_block_data(self._address, register, size)
        except OSError as error:
            raise self._failed(f"reading register 0x{register:02x}", error) from error
        return int.from_bytes(bytes(data), "big")

    def read_signed(self, register: int, size: int) -> int:
        """A register in two's complement.

        Raises:
            BusError: The transfer failed.
        """
        value = self.read(register, size)
        return value - (1 << 8 * size) if value >> (8 * size - 1) else value

    def write(self, register: int, value: int) -> None:
        """Write 16 bits.

        Raises:
            BusError: The transfer failed.
        """
        try:
            self._bus.write_i2c_block_data(self._address, register, [value >> 8, value & 0xFF])
        except OSError as error:
            raise self._failed(f"writing register 0x{register:02x}", error) from error

    def _failed(self, attempt: str, error: OSError) -> BusError:
        problem, fix = _MEANINGS.get(error.errno or 0, (str(error), _NO_ANSWER[1]))
        return BusError(f"{attempt} of the {self.place}: {problem}", fix=fix)
