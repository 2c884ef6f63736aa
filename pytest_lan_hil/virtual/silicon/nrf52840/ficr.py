"""FICR: what the factory wrote; and the meaning of the UICR words that the hardware itself reads.

Follows the nRF52840 Product Specification, chapters "FICR" and "UICR". The identity is that of a virtual
part: DEVICEID is not one that Nordic gave to a chip.
"""

from __future__ import annotations

import hashlib

from pytest_lan_hil.virtual.silicon.bus import Peripheral

FICR_BASE = 0x1000_0000
FICR_SIZE = 0x1000

# Temperature sensor coefficients, FICR.TEMP.*: the reset values in the SVD.
TEMP_COEFFICIENTS = (
    0xFFFFF320, 0xFFFFF343, 0xFFFFF35D, 0xFFFFF400, 0xFFFFF452, 0xFFFFF37B,
    0xFFFF3FCC, 0xFFFF3F98, 0xFFFF3F98, 0xFFFF0012, 0xFFFF004D, 0xFFFF3E10,
    0xFFFFFFE2, 0xFFFFFF00, 0xFFFFFF14, 0xFFFFFF19, 0xFFFFFF50,
)  # fmt: skip

VARIANT_AAC0 = 0x4141_4330  # build code C0: the port protection of before revision F (no hardened APPROTECT)
PACKAGE_QI = 0x2004

APPROTECT_OFFSET = 0x208
PSELRESET_OFFSETS = (0x200, 0x204)
RESET_PIN = 18


def port_protected(uicr: bytes) -> bool:
    """True if UICR.APPROTECT keeps the debugger out (build codes before F: any PALL but 0xFF)."""
    return uicr[APPROTECT_OFFSET] != 0xFF


class Ficr(Peripheral):
    """Factory information: read only, 0xFF where nothing is written.

    Args:
        serial: Makes DEVICEID, the same for the same name.
    """

    def __init__(self, serial: str) -> None:
        self.name = "FICR"
        self.base = FICR_BASE
        self.size = FICR_SIZE
        digest = hashlib.sha256(b"virtual nRF52840 " + serial.encode()).digest()
        words: dict[int, int] = {
            0x010: 0x1000,  # CODEPAGESIZE
            0x014: 256,  # CODESIZE, pages
            0x060: int.from_bytes(digest[0:4], "little"),  # DEVICEID
            0x064: int.from_bytes(digest[4:8], "little"),
            0x0A0: 0xFFFF_FFFF,  # DEVICEADDRTYPE: random
            0x0A4: int.from_bytes(digest[8:12], "little"),  # DEVICEADDR
            0x0A8: int.from_bytes(digest[12:16], "little"),
            0x100: 0x0005_2840,  # INFO.PART
            0x104: VARIANT_AAC0,
            0x108: PACKAGE_QI,
            0x10C: 0x100,  # INFO.RAM, KiB
            0x110: 0x400,  # INFO.FLASH, KiB
        }
        for k in range(4):
            words[0x080 + 4 * k] = int.from_bytes(digest[16 + k : 20 + k], "little")  # ER
            words[0x090 + 4 * k] = int.from_bytes(digest[20 + k : 24 + k], "little")  # IR
        for k, value in enumerate(TEMP_COEFFICIENTS):
            words[0x404 + 4 * k] = value
        image = bytearray(b"\xff" * FICR_SIZE)
        for offset, value in words.items():
            image[offset : offset + 4] = value.to_bytes(4, "little")
        self._image = bytes(image)

    def read(self, offset: int, size: int) -> int:
        """Any width."""
        return int.from_bytes(self._image[offset : offset + size], "little")

    def write(self, offset: int, value: int, size: int) -> None:
        """Writing has no effect."""

    def reset(self) -> None:
        """Nothing to reset."""
