"""The virtual debug port answers as the Arm Debug Interface specification says."""

from __future__ import annotations

import pytest

from pytest_lan_hil.virtual import debug_port as dp


class FakeChip:
    """Memory at 0x20000000, and a record of what the ports asked for."""

    def __init__(self) -> None:
        self.memory = bytearray(0x2000)
        self.protected = False
        self.erasing = False
        self.calls: list[tuple[str, bool]] = []

    def read(self, address: int, size: int) -> int:
        offset = self._offset(address)
        return int.from_bytes(self.memory[offset : offset + size], "little")

    def write(self, address: int, value: int, size: int) -> None:
        offset = self._offset(address)
        self.memory[offset : offset + size] = value.to_bytes(size, "little")

    def _offset(self, address: int) -> int:
        if not 0x2000_0000 <= address < 0x2000_2000:
            raise dp.MemoryFault(f"nothing at 0x{address:08x}")
        return address - 0x2000_0000

    def set_debug_power(self, *, powered: bool) -> None:
        self.calls.append(("power", powered))

    def hold_reset(self, *, asserted: bool) -> None:
        self.calls.append(("reset", asserted))

    def erase_all(self) -> None:
        self.calls.append(("erase", True))
        self.protected = False


@pytest.fixture
def chip() -> FakeChip:
    return FakeChip()


@pytest.fixture
def port(chip: FakeChip) -> dp.DebugPort:
    """A port with the debug domain up and single increment of 32-bit accesses selected."""
    port = dp.DebugPort(chip)
    port.write_dp(dp.DP_CTRL_STAT, dp.CDBGPWRUPREQ | dp.CSYSPWRUPREQ)
    port.write_ap(dp.AHB_AP, dp.AP_CSW, 0x2300_0012)
    return port


def test_power_requests_are_acknowledged_and_reach_the_chip(chip: FakeChip) -> None:
    port = dp.DebugPort(chip)
    assert port.read_dp(dp.DP_CTRL_STAT) & (dp.CDBGPWRUPACK | dp.CSYSPWRUPACK) == 0
    port.write_dp(dp.DP_CTRL_STAT, dp.CDBGPWRUPREQ | dp.CSYSPWRUPREQ)
    assert port.read_dp(dp.DP_CTRL_STAT) & dp.CDBGPWRUPACK
    assert port.read_dp(dp.DP_CTRL_STAT) & dp.CSYSPWRUPACK
    port.write_dp(dp.DP_CTRL_STAT, dp.CDBGPWRUPREQ)
    assert not port.read_dp(dp.DP_CTRL_STAT) & dp.CSYSPWRUPACK
    port.write_dp(dp.DP_CTRL_STAT, 0)
    assert port.read_dp(dp.DP_CTRL_STAT) & (dp.CDBGPWRUPACK | dp.CSYSPWRUPACK) == 0
    assert chip.calls == [("power", True), ("power", False)]


def test_access_ports_fault_while_the_debug_domain_is_down(chip: FakeChip) -> None:
    port = dp.DebugPort(chip)
    with pytest.raises(dp.TransferFault, match="powered down"):
        port.read_ap(dp.AHB_AP, dp.AP_IDR)
    assert port.read_dp(dp.DP_CTRL_STAT) & dp.STICKYERR


def test_identification(port: dp.DebugPort) -> None:
    assert port.read_dp(dp.DP_IDR) == 0x2BA0_1477
    idrs = [port.read_ap(ap, dp.AP_IDR) for ap in range(4)]
    assert idrs == [0x2477_0011, 0x1288_0000, 0, 0]
    assert port.read_ap(dp.AHB_AP, dp.AP_BASE) == 0xE00F_F003


def test_a_failed_access_sticks_until_it_is_aborted(port: dp.DebugPort) -> None:
    port.write_ap(dp.AHB_AP, dp.AP_TAR, 0x4000_0000)
    with pytest.raises(dp.TransferFault, match="nothing at 0x40000000"):
        port.read_ap(dp.AHB_AP, dp.AP_DRW)
    port.write_dp(dp.DP_SELECT, 0)
    with pytest.raises(dp.TransferFault, match="STICKYERR"):
        port.read_ap(dp.AHB_AP, dp.AP_CSW)
    port.write_dp(dp.DP_ABORT, 1 << 2)
    assert not port.read_dp(dp.DP_CTRL_STAT) & dp.STICKYERR
    assert port.read_ap(dp.AHB_AP, dp.AP_IDR) == 0x2477_0011


def test_the_address_increments_within_four_kibibytes(port: dp.DebugPort, chip: FakeChip) -> None:
    port.write_ap(dp.AHB_AP, dp.AP_TAR, 0x2000_0FF8)
    for value in (1, 2, 3):
        port.write_ap(dp.AHB_AP, dp.AP_DRW, value)
    assert port.read_ap(dp.AHB_AP, dp.AP_TAR) == 0x2000_0004
    assert [chip.read(0x2000_0000 + a, 4) for a in (0xFF8, 0xFFC, 0, 0x1000)] == [1, 2, 3, 0]


def test_bytes_and_halfwords_travel_on_the_lanes_of_their_address(port: dp.DebugPort, chip: FakeChip) -> None:
    port.write_ap(dp.AHB_AP, dp.AP_CSW, 0x2300_0010)
    port.write_ap(dp.AHB_AP, dp.AP_TAR, 0x2000_0001)
    port.write_ap(dp.AHB_AP, dp.AP_DRW, 0x0000_AB00)
    port.write_ap(dp.AHB_AP, dp.AP_DRW, 0x00CD_0000)
    assert chip.memory[:4] == b"\x00\xab\xcd\x00"
    port.write_ap(dp.AHB_AP, dp.AP_CSW, 0x2300_0011)
    port.write_ap(dp.AHB_AP, dp.AP_TAR, 0x2000_0002)
    assert port.read_ap(dp.AHB_AP, dp.AP_DRW) == 0x00CD_0000


def test_packed_transfers_move_a_whole_word_in_pieces(port: dp.DebugPort, chip: FakeChip) -> None:
    chip.memory[:8] = bytes(range(8))
    port.write_ap(dp.AHB_AP, dp.AP_CSW, 0x2300_0020)
    port.write_ap(dp.AHB_AP, dp.AP_TAR, 0x2000_0000)
    assert port.read_ap(dp.AHB_AP, dp.AP_DRW) == 0x0302_0100
    assert port.read_ap(dp.AHB_AP, dp.AP_DRW) == 0x0706_0504


def test_banked_data_registers_do_not_move_the_address(port: dp.DebugPort, chip: FakeChip) -> None:
    port.write_ap(dp.AHB_AP, dp.AP_TAR, 0x2000_0100)
    port.write_ap(dp.AHB_AP, 0x18, 0x1234)
    assert chip.read(0x2000_0108, 4) == 0x1234
    assert port.read_ap(dp.AHB_AP, 0x18) == 0x1234
    assert port.read_ap(dp.AHB_AP, dp.AP_TAR) == 0x2000_0100


def test_the_last_result_can_be_read_again_from_rdbuff(port: dp.DebugPort, chip: FakeChip) -> None:
    chip.write(0x2000_0000, 0xCAFE, 4)
    port.write_ap(dp.AHB_AP, dp.AP_TAR, 0x2000_0000)
    port.read_ap(dp.AHB_AP, dp.AP_DRW)
    assert port.read_dp(dp.DP_RDBUFF) == 0xCAFE


def test_a_transfer_size_that_does_not_exist_reads_back_as_one_that_does(port: dp.DebugPort) -> None:
    port.write_ap(dp.AHB_AP, dp.AP_CSW, 0x2300_0015)
    assert port.read_ap(dp.AHB_AP, dp.AP_CSW) & 0x7 == 2


def test_a_protected_chip_answers_on_its_control_port_only(port: dp.DebugPort, chip: FakeChip) -> None:
    chip.protected = True
    assert port.read_ap(dp.CTRL_AP, dp.CTRL_AP_APPROTECTSTATUS) == 0
    with pytest.raises(dp.TransferFault, match="APPROTECT"):
        port.read_ap(dp.AHB_AP, dp.AP_DRW)
    port.write_dp(dp.DP_ABORT, 1 << 2)
    port.write_ap(dp.CTRL_AP, dp.CTRL_AP_ERASEALL, 1)
    assert port.read_ap(dp.CTRL_AP, dp.CTRL_AP_APPROTECTSTATUS) == 1
    assert ("erase", True) in chip.calls


def test_the_control_port_shows_an_erase_under_way_and_holds_reset(
    port: dp.DebugPort, chip: FakeChip
) -> None:
    chip.erasing = True
    assert port.read_ap(dp.CTRL_AP, dp.CTRL_AP_ERASEALLSTATUS) == 1
    chip.erasing = False
    assert port.read_ap(dp.CTRL_AP, dp.CTRL_AP_ERASEALLSTATUS) == 0
    port.write_ap(dp.CTRL_AP, dp.CTRL_AP_RESET, 1)
    port.write_ap(dp.CTRL_AP, dp.CTRL_AP_RESET, 0)
    assert chip.calls[-2:] == [("reset", True), ("reset", False)]


def test_banked_dp_registers_follow_select(port: dp.DebugPort) -> None:
    port.write_dp(dp.DP_SELECT, 1)
    port.write_dp(dp.DP_CTRL_STAT, 0x100)
    assert port.read_dp(dp.DP_CTRL_STAT) == 0x100
    port.write_dp(dp.DP_SELECT, 0)
    assert port.read_dp(dp.DP_CTRL_STAT) & dp.CDBGPWRUPACK
