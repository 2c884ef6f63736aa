"""PWR: regulator scale, Stop and Standby mode, backup write access. RM0402, chapter "PWR"."""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412 import timing as t
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block

_CR, _CSR = 0x00, 0x04
_LPDS, _PDDS, _CWUF, _CSBF, _PVDE, _DBP, _FPDS = 1, 2, 4, 8, 1 << 4, 1 << 8, 1 << 9
_LPLVDS, _MRLVDS = 1 << 10, 1 << 11
_WUF, _SBF, _VOSRDY = 1, 2, 1 << 14


class Pwr(Block):
    """The power controller.

    Args:
        fabric, note: As for every block.
        pll_on: The regulator follows VOS only while the PLL is on; else it is at scale 3.
        changed: Called when the regulator's scale or mode has changed.
    """

    def __init__(
        self,
        fabric: Fabric,
        *,
        note: Callable[[str], None],
        pll_on: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        super().__init__(fabric, "PWR", 0x4000_7000, note=note)
        self._pll_on = pll_on
        self._changed = changed
        self._status = 0
        self._vos_ready_at = 0
        self.declare("CR", _CR, reset=0x8000, mask=0x30_EFFF, on_write=self._write_cr)
        self.declare("CSR", _CSR, mask=0x3C0, on_read=self._read_csr)

    def _write_cr(self, value: int) -> None:
        if value & _CWUF:
            self._status &= ~_WUF
        if value & _CSBF:
            self._status &= ~_SBF
        if value & _PVDE:
            self.note("PWR_CR.PVDE: the programmable voltage detector is not modelled; it never trips")
        changed = value ^ self.values[_CR]
        if changed >> 14 & 3:
            if self._pll_on():
                self.note("PWR_CR.VOS was written while the PLL was on: the write is lost")
                value = value & ~0xC000 | self.values[_CR] & 0xC000
            else:
                self._vos_ready_at = self.fabric.now + t.VOS_READY_US * t.TICKS_PER_US
        self.values[_CR] = value & ~(_CWUF | _CSBF)
        self._changed()

    def _read_csr(self) -> int:
        ready = self._pll_on() and self.fabric.now >= self._vos_ready_at
        return self.values[_CSR] | self._status | (_VOSRDY if ready else 0)

    @property
    def scale(self) -> int:
        """Regulator voltage scale, 1 (fastest) to 3."""
        vos = self.values[_CR] >> 14 & 3
        return 4 - max(vos, 1) if self._pll_on() else 3

    @property
    def backup_writable(self) -> bool:
        """DBP."""
        return bool(self.values[_CR] & _DBP)

    @property
    def standby(self) -> bool:
        """PDDS: deep sleep is Standby mode."""
        return bool(self.values[_CR] & _PDDS)

    @property
    def low_power_regulator(self) -> bool:
        """LPDS: Stop mode on the low-power regulator."""
        return bool(self.values[_CR] & _LPDS)

    @property
    def low_voltage(self) -> bool:
        """The regulator of Stop mode is at low voltage (LPLVDS or MRLVDS)."""
        return bool(self.values[_CR] & (_LPLVDS if self.low_power_regulator else _MRLVDS))

    @property
    def flash_off(self) -> bool:
        """FPDS: the flash is in deep power-down in Stop mode."""
        return bool(self.values[_CR] & _FPDS)

    def woke_from_standby(self) -> None:
        """SBF and WUF."""
        self._status = _SBF | _WUF

    def after_power_on(self) -> None:
        """Flags are clear."""
        self._status = 0
