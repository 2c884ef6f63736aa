"""Start-up code of the maker's SDK runs: its anomaly workarounds can be written, their neighbours can't."""

from __future__ import annotations

import pytest

from pytest_lan_hil.virtual.board import VirtualBoard
from pytest_lan_hil.virtual.silicon.unmodelled import UnmodelledAccess


@pytest.fixture(scope="module")
def bus():
    return VirtualBoard("nrf52840").chip.bus


# The addresses and values that SystemInit of Nordic's MDK writes on an nRF52840.
@pytest.mark.parametrize(
    ("address", "value"),
    [
        (0x4000_568C, 0x0003_8148),
        (0x4000_F518, 0xFB),
        (0x4000_0EE4, 0xF),
        (0x4002_9640, 0x200),
        (0x4007_AC84, 2),
    ],
)
def test_workaround_is_kept(bus, address, value):
    bus.debug_write(address, value, 4)
    assert bus.debug_read(address, 4) == value


@pytest.mark.parametrize(("address", "name"), [(0x4000_5504, "NFCT"), (0x4002_9500, "QSPI")])
def test_the_rest_of_the_peripheral_is_not_modelled_and_named(bus, address, name):
    with pytest.raises(UnmodelledAccess, match=f"{name}.*anomaly"):
        bus.debug_read(address, 4)
