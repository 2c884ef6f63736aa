"""Registers of otherwise absent peripherals that the maker's start-up code writes to work around anomalies.

Nordic's SystemInit for the nRF52840 (MDK) writes them before main. The anomalies themselves are not modelled,
so the values are kept and have no effect. Every other register of these peripherals is not modelled.
"""

from __future__ import annotations

from pytest_lan_hil.virtual.silicon.bus import Peripheral
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled


class WorkaroundRegister(Peripheral):
    """One word that can be written and read back.

    Args:
        name: Of its peripheral, as in the SVD.
        base: Of its peripheral.
        offset: Of the register.
        anomaly: Its number in Nordic's errata document.
        value: After reset.
    """

    size = 0x1000

    def __init__(self, name: str, base: int, offset: int, *, anomaly: int, value: int = 0) -> None:
        self.name = name
        self.base = base
        self._offset = offset
        self._anomaly = anomaly
        self._reset_value = self._value = value

    def reset(self) -> None:
        """Back to the value after reset."""
        self._value = self._reset_value

    def _require(self, offset: int, size: int) -> None:
        if offset != self._offset or size != 4:
            raise NotModelled(
                f"{self.name} is not modelled, but for the register that works around anomaly {self._anomaly}"
            )

    def read(self, offset: int, size: int) -> int:
        """What was written last."""
        self._require(offset, size)
        return self._value

    def write(self, offset: int, value: int, size: int) -> None:
        """Kept, without effect."""
        self._require(offset, size)
        self._value = value


def workaround_registers() -> list[WorkaroundRegister]:
    """All of them. (The one of anomaly 115 lies within POWER's block.)"""
    return [
        WorkaroundRegister("NFCT", 0x4000_5000, 0x68C, anomaly=98),
        WorkaroundRegister("CCM", 0x4000_F000, 0x518, anomaly=103, value=0xFB),
        WorkaroundRegister("QSPI", 0x4002_9000, 0x640, anomaly=120),
        WorkaroundRegister("ANOMALY-246", 0x4007_A000, 0xC84, anomaly=246),
    ]
