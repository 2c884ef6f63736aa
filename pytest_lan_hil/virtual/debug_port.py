"""The debug port behind a probe's two wires: an SW-DP with an AHB-AP, and what other access ports a chip has.

Follows the Arm Debug Interface Architecture Specification v5.2 (ARM IHI 0031, chapter B2). A DPv1: it has no
TARGETID.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from pytest_lan_hil.model.errors import BlockedError
from pytest_lan_hil.virtual import ahb_ap
from pytest_lan_hil.virtual.ahb_ap import AhbAp
from pytest_lan_hil.virtual.wire import TransferFault

DPIDR = 0x2BA0_1477
AHB_AP = 0

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
_ACKNOWLEDGE = {CSYSPWRUPREQ: CSYSPWRUPACK, CDBGPWRUPREQ: CDBGPWRUPACK, CDBGRSTREQ: CDBGRSTACK}

T = TypeVar("T")


class Chip(ahb_ap.Chip, Protocol):
    """What the debug port needs from the chip behind it."""

    @property
    def powered(self) -> bool:
        """The supply is high enough for debug port and core."""
        ...

    def set_debug_power(self, *, powered: bool) -> None:
        """The debug domain is powered up or down."""
        ...


class AccessPort(Protocol):
    """An access port: registers at offsets 0x00 to 0xFC. Either method may raise TransferFault."""

    def read(self, offset: int) -> int:
        """A register as the debugger reads it."""
        ...

    def write(self, offset: int, value: int) -> None:
        """A register as the debugger writes it."""
        ...


class _NoPort:
    """An access port that does not exist: it reads as zero and takes writes without an error."""

    def read(self, offset: int) -> int:  # noqa: ARG002 - an access port's signature
        return 0

    def write(self, offset: int, value: int) -> None:
        pass


_NO_PORT = _NoPort()


class DebugPort:
    """An SW-DP. All its methods raise TransferFault where the wire would answer FAULT, and BlockedError where
    it would not answer because the chip has too little supply.

    Args:
        chip: Behind the AHB-AP, which is access port 0.
        further: The chip's other access ports, by number.
    """

    def __init__(self, chip: Chip, further: Mapping[int, AccessPort]) -> None:
        self._chip = chip
        self._further = dict(further)
        self._powered = False
        self.reset()

    def reset(self) -> None:
        """Back to the state after power-on: nothing is asked for, nothing failed."""
        self._ahb = AhbAp(self._chip)
        self._ports: dict[int, AccessPort] = {AHB_AP: self._ahb, **self._further}
        self._ctrl = 0
        self._sticky = 0
        self._select = 0
        self._rdbuff = 0
        self._dlcr = 0
        self._set_power(powered=False)

    def _require_supply(self) -> None:
        if not self._chip.powered:
            raise BlockedError(
                "the board's supply is too low for its chip: it is held in power-on reset (brown-out), and "
                "its debug "
                "port does not answer",
                fix="raise the supply (supply_v of board and bench; fault=brown_out scripts it on purpose)",
            )

    # -- debug port --------------------------------------------------------------------------------------

    def read_dp(self, address: int) -> int:
        """Read IDR, CTRL/STAT (or DLCR in bank 1), RESEND or RDBUFF."""
        self._require_supply()
        if address == DP_IDR:
            return DPIDR
        if address == DP_CTRL_STAT:
            return self._dlcr if self._select & 0xF == 1 else self._ctrl_stat()
        return self._rdbuff

    def write_dp(self, address: int, value: int) -> None:
        """Write ABORT, CTRL/STAT (or DLCR in bank 1) or SELECT."""
        self._require_supply()
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
        acknowledged = sum(ack for request, ack in _ACKNOWLEDGE.items() if self._ctrl & request)
        return self._ctrl | acknowledged | self._sticky

    def _set_power(self, *, powered: bool) -> None:
        if powered != self._powered:
            self._powered = powered
            self._chip.set_debug_power(powered=powered)

    # -- access ports ------------------------------------------------------------------------------------

    def read_ap(self, ap: int, offset: int) -> int:
        """Read a register of access port `ap`; ports that do not exist read as zero."""
        self._rdbuff = self._try(self._ports.get(ap, _NO_PORT).read, offset)
        return self._rdbuff

    def write_ap(self, ap: int, offset: int, value: int) -> None:
        """Write a register of access port `ap`."""
        self._try(self._ports.get(ap, _NO_PORT).write, offset, value)

    def read_ap_block(self, ap: int, offset: int, count: int) -> list[int]:
        """Read the same register `count` times over."""
        if ap == AHB_AP and offset == ahb_ap.DRW:
            values = self._try(self._ahb.read_words, count)
            self._rdbuff = values[-1] if values else self._rdbuff
            return values
        return [self.read_ap(ap, offset) for _ in range(count)]

    def write_ap_block(self, ap: int, offset: int, values: Sequence[int]) -> None:
        """Write the same register with each of `values` in turn."""
        if ap == AHB_AP and offset == ahb_ap.DRW:
            self._try(self._ahb.write_words, values)
        else:
            for value in values:
                self.write_ap(ap, offset, value)

    def _try(self, access: Callable[..., T], *arguments: object) -> T:
        """One access to a port; a fault sticks until it is aborted."""
        self._require_supply()
        if self._sticky & STICKYERR:
            raise TransferFault("an earlier transfer failed (STICKYERR)")
        try:
            if not self._powered:
                raise TransferFault("the debug domain is powered down")
            return access(*arguments)
        except TransferFault:
            self._sticky |= STICKYERR
            raise
