"""The registers behind a debug probe's two wires: SW-DP, AHB-AP and Nordic's CTRL-AP. Chip and pyOCD stay
outside.

Follows the Arm Debug Interface Architecture Specification v5.2 (ARM IHI 0031, DP chapter B2, MEM-AP chapter
C2), the Cortex-M4 TRM (ARM 100166, "AHB-AP programmers model") and the nRF52840 Product Specification,
chapter "CTRL-AP". The debug port of the nRF52840 is a DPv1: it has no TARGETID.
"""

from __future__ import annotations

from typing import Protocol

DPIDR = 0x2BA0_1477
AHB_AP_IDR = 0x2477_0011
AHB_AP_BASE = 0xE00F_F003  # ROM table at 0xE00FF000, entry present, ADIv5 format
CTRL_AP_IDR = 0x1288_0000

AHB_AP = 0
CTRL_AP = 1

DP_IDR, DP_CTRL_STAT, DP_SELECT, DP_RDBUFF = 0x0, 0x4, 0x8, 0xC
DP_ABORT, DP_RESEND = 0x0, 0x8

CSYSPWRUPACK, CSYSPWRUPREQ = 1 << 31, 1 << 30
CDBGPWRUPACK, CDBGPWRUPREQ = 1 << 29, 1 << 28
CDBGRSTACK, CDBGRSTREQ = 1 << 27, 1 << 26
WDATAERR, STICKYERR, STICKYCMP, STICKYORUN = 1 << 7, 1 << 5, 1 << 4, 1 << 1
# Written straight: power requests, reset request, transaction counter, mask lane, transfer mode, overrun
# detect.
_CTRL_WRITABLE = CSYSPWRUPREQ | CDBGPWRUPREQ | CDBGRSTREQ | 0x003F_FF0C | 0x1
_ABORT_CLEARS = {1 << 1: STICKYCMP, 1 << 2: STICKYERR, 1 << 3: WDATAERR, 1 << 4: STICKYORUN}

AP_CSW, AP_TAR, AP_DRW, AP_BD0, AP_BD3, AP_CFG, AP_BASE, AP_IDR = (
    0x00,
    0x04,
    0x0C,
    0x10,
    0x1C,
    0xF4,
    0xF8,
    0xFC,
)
CSW_DEVICE_ENABLED = 1 << 6
CSW_WRITABLE = (
    0x2F00_0037  # MasterType, HPROT[3:0], AddrInc, Size (Cortex-M4 TRM, AHB-AP CSW bit assignments)
)
CSW_RESET = 0x0300_0002 | CSW_DEVICE_ENABLED
# The address increments within 4 KiB: pyOCD's AP table for IDR 0x24770011, which cites the Cortex-M4 TRM.
TAR_WRAP = 0x1000

CTRL_AP_RESET, CTRL_AP_ERASEALL, CTRL_AP_ERASEALLSTATUS, CTRL_AP_APPROTECTSTATUS = 0x00, 0x04, 0x08, 0x0C


class TransferFault(Exception):
    """The DP answered FAULT: a sticky error is set, or this access set it."""


class MemoryFault(Exception):
    """The bus answered an access with an error."""


class Chip(Protocol):
    """What the ports need from the chip behind them."""

    @property
    def protected(self) -> bool:
        """True while access port protection keeps the AHB-AP shut."""
        ...

    @property
    def erasing(self) -> bool:
        """True while an erase of everything is under way."""
        ...

    def read(self, address: int, size: int) -> int:
        """One aligned access of 1, 2 or 4 bytes. Raises MemoryFault."""
        ...

    def write(self, address: int, value: int, size: int) -> None:
        """One aligned access of 1, 2 or 4 bytes. Raises MemoryFault."""
        ...

    def set_debug_power(self, *, powered: bool) -> None:
        """The debug domain is powered up or down."""
        ...

    def hold_reset(self, *, asserted: bool) -> None:
        """CTRL-AP holds the chip in soft reset, or releases it."""
        ...

    def erase_all(self) -> None:
        """Start to erase flash, UICR and RAM, and lift the protection."""
        ...


class DebugPort:
    """An SW-DP with an AHB-AP as AP 0 and a CTRL-AP as AP 1.

    All methods raise TransferFault as the wire would answer FAULT.
    """

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._ctrl = 0
        self._sticky = 0
        self._select = 0
        self._rdbuff = 0
        self._dlcr = 0
        self._powered = False
        self._csw = CSW_RESET
        self._tar = 0
        self._ctrl_reset = 0
        self._ctrl_eraseall = 0

    @property
    def powered(self) -> bool:
        """True while the debug domain is up."""
        return self._powered

    # DP ---------------------------------------------------------------------------------------------------

    def read_dp(self, address: int) -> int:
        """Read IDR, CTRL/STAT (or DLCR in bank 1), RESEND or RDBUFF."""
        if address == DP_IDR:
            return DPIDR
        if address == DP_CTRL_STAT:
            return self._dlcr if self._select & 0xF == 1 else self._ctrl_stat()
        return self._rdbuff

    def write_dp(self, address: int, value: int) -> None:
        """Write ABORT, CTRL/STAT (or DLCR in bank 1) or SELECT."""
        if address == DP_ABORT:
            for clear, flag in _ABORT_CLEARS.items():
                if value & clear:
                    self._sticky &= ~flag
        elif address == DP_CTRL_STAT and self._select & 0xF == 1:
            self._dlcr = value & 0x300
        elif address == DP_CTRL_STAT:
            self._ctrl = value & _CTRL_WRITABLE
            self._set_power(powered=bool(value & CDBGPWRUPREQ))
        elif address == DP_SELECT:
            self._select = value

    def _ctrl_stat(self) -> int:
        acks = 0
        if self._ctrl & CSYSPWRUPREQ:
            acks |= CSYSPWRUPACK
        if self._ctrl & CDBGPWRUPREQ:
            acks |= CDBGPWRUPACK
        if self._ctrl & CDBGRSTREQ:
            acks |= CDBGRSTACK
        return self._ctrl | acks | self._sticky

    def _set_power(self, *, powered: bool) -> None:
        if powered != self._powered:
            self._powered = powered
            self._chip.set_debug_power(powered=powered)

    # APs --------------------------------------------------------------------------------------------------

    def read_ap(self, ap: int, register: int) -> int:
        """Read register (offset 0x00 to 0xFC) of access port `ap`; ports that do not exist read as zero."""
        self._require_up()
        value = 0
        if ap == AHB_AP:
            value = self._read_ahb(register)
        elif ap == CTRL_AP:
            value = self._read_ctrl_ap(register)
        self._rdbuff = value
        return value

    def write_ap(self, ap: int, register: int, value: int) -> None:
        """Write register (offset 0x00 to 0xFC) of access port `ap`."""
        self._require_up()
        if ap == AHB_AP:
            self._write_ahb(register, value)
        elif ap == CTRL_AP:
            self._write_ctrl_ap(register, value)

    def require_memory_access(self) -> None:
        """Raise TransferFault unless the AHB-AP may access memory (for probes with block transfers)."""
        self._require_up()
        if self._chip.protected:
            self._fault("the chip is protected: APPROTECT keeps the AHB-AP shut")

    def _require_up(self) -> None:
        if self._sticky & STICKYERR:
            raise TransferFault("an earlier transfer failed (STICKYERR)")
        if not self._powered:
            self._fault("the debug domain is powered down")

    def _fault(self, why: str) -> None:
        self._sticky |= STICKYERR
        raise TransferFault(why)

    def _read_ahb(self, register: int) -> int:
        if register == AP_IDR:
            return AHB_AP_IDR
        if register == AP_BASE:
            return AHB_AP_BASE
        if register == AP_CSW:
            return self._csw if not self._chip.protected else self._csw & ~CSW_DEVICE_ENABLED
        if register == AP_TAR:
            return self._tar
        if register == AP_DRW:
            return self._transfer(None)
        if AP_BD0 <= register <= AP_BD3:
            return self._access(self._tar & ~0xF | register & 0xC, None, 4)
        return 0

    def _write_ahb(self, register: int, value: int) -> None:
        if register == AP_CSW:
            kept = value & CSW_WRITABLE
            if kept & 0x7 > 2:  # only 8, 16 and 32 bit exist
                kept = kept & ~0x7 | 2
            self._csw = kept | CSW_DEVICE_ENABLED
        elif register == AP_TAR:
            self._tar = value
        elif register == AP_DRW:
            self._transfer(value)
        elif AP_BD0 <= register <= AP_BD3:
            self._access(self._tar & ~0xF | register & 0xC, value, 4)

    def _transfer(self, value: int | None) -> int:
        """One access through DRW: data on the byte lanes of the address, then TAR steps as CSW says."""
        size = 1 << (self._csw & 0x7)
        increment = self._csw >> 4 & 0x3
        count = 4 // size if increment == 2 else 1
        result = 0
        for _ in range(count):
            lane = 8 * (self._tar & 3 & ~(size - 1))
            part = None if value is None else value >> lane & ((1 << 8 * size) - 1)
            result |= self._access(self._tar, part, size) << lane
            if increment:
                self._tar = self._tar & ~(TAR_WRAP - 1) | (self._tar + size) & (TAR_WRAP - 1)
        return result

    def _access(self, address: int, value: int | None, size: int) -> int:
        self.require_memory_access()
        try:
            if value is None:
                return self._chip.read(address & ~(size - 1), size)
            self._chip.write(address & ~(size - 1), value, size)
        except MemoryFault as error:
            self._sticky |= STICKYERR
            raise TransferFault(str(error)) from error
        return 0

    def _read_ctrl_ap(self, register: int) -> int:
        if register == AP_IDR:
            return CTRL_AP_IDR
        if register == CTRL_AP_RESET:
            return self._ctrl_reset
        if register == CTRL_AP_ERASEALL:
            return self._ctrl_eraseall
        if register == CTRL_AP_ERASEALLSTATUS:
            return int(self._chip.erasing)
        if register == CTRL_AP_APPROTECTSTATUS:
            return int(not self._chip.protected)
        return 0

    def _write_ctrl_ap(self, register: int, value: int) -> None:
        if register == CTRL_AP_RESET:
            self._ctrl_reset = value & 1
            self._chip.hold_reset(asserted=bool(value & 1))
        elif register == CTRL_AP_ERASEALL:
            self._ctrl_eraseall = value & 1
            if value & 1:
                self._chip.erase_all()
