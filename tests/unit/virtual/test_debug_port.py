"""The virtual debug port and its AHB-AP answer as the Arm Debug Interface specification says."""

from __future__ import annotations

import pytest

from pytest_lan_hil.model.errors import BlockedError
from pytest_lan_hil.virtual import ahb_ap as ahb
from pytest_lan_hil.virtual import debug_port as dp
from pytest_lan_hil.virtual.silicon.bus import Bus, BusFault
from pytest_lan_hil.virtual.silicon.nrf52840 import ctrl_ap as ctrl
from pytest_lan_hil.virtual.wire import TransferFault

RAM, FLASH = 0x2000_0000, 0x0
CTRL_AP = ctrl.PORT_NUMBER


class FakeChip:
    """8 KiB of RAM and of flash, and a record of what the ports asked for; it is its own core."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.bus.add_memory("RAM", RAM, 0x2000, writable=True)
        self.bus.add_memory("FLASH", FLASH, 0x2000, writable=False)
        self.core = self
        self.protected = False
        self.powered = True
        self.power: list[bool] = []
        self.single: list[int] = []
        self.stored: list[tuple[int, int]] = []

    def debug_read(self, address: int, size: int) -> int:
        self.single.append(address)
        self._check(address)
        return int.from_bytes(self.bus.read_memory(address, size), "little")

    def debug_write(self, address: int, value: int, size: int) -> None:
        self.single.append(address)
        if self._check(address).writable:
            self.bus.write_memory(address, value.to_bytes(size, "little"))
        else:
            self.stored.append((address, value))

    def _check(self, address: int):
        memory = self.bus.memory_at(address)
        if memory is None:
            raise BusFault(f"nothing at 0x{address:08x}")
        return memory

    def set_debug_power(self, *, powered: bool) -> None:
        self.power.append(powered)

    def word(self, address: int) -> int:
        return int.from_bytes(self.bus.read_memory(address, 4), "little")


class FakeFabric:
    now = 0


class Control:
    """A real CTRL-AP, whose erase lasts 100 ticks, and what it asked for."""

    def __init__(self, chip: FakeChip) -> None:
        self.fabric = FakeFabric()
        self.chip = chip
        self.held: list[bool] = []
        self.port = ctrl.CtrlAp(
            self.fabric, erase_all=self.erase, protected=lambda: chip.protected, hold_reset=self.held.append
        )

    def erase(self) -> int:
        self.chip.protected = False
        return self.fabric.now + 100


@pytest.fixture
def chip() -> FakeChip:
    return FakeChip()


@pytest.fixture
def control(chip: FakeChip) -> Control:
    return Control(chip)


@pytest.fixture
def port(chip: FakeChip, control: Control) -> dp.DebugPort:
    """A port with the debug domain up and single increment of 32-bit accesses selected."""
    port = dp.DebugPort(chip, {CTRL_AP: control.port})
    port.write_dp(dp.DP_CTRL_STAT, dp.CDBGPWRUPREQ | dp.CSYSPWRUPREQ)
    port.write_ap(dp.AHB_AP, ahb.CSW, 0x2300_0012)
    return port


def test_power_requests_are_acknowledged_and_reach_the_chip(chip: FakeChip) -> None:
    port = dp.DebugPort(chip, {})
    assert port.read_dp(dp.DP_CTRL_STAT) & (dp.CDBGPWRUPACK | dp.CSYSPWRUPACK) == 0
    port.write_dp(dp.DP_CTRL_STAT, dp.CDBGPWRUPREQ | dp.CSYSPWRUPREQ)
    assert port.read_dp(dp.DP_CTRL_STAT) & dp.CDBGPWRUPACK
    assert port.read_dp(dp.DP_CTRL_STAT) & dp.CSYSPWRUPACK
    port.write_dp(dp.DP_CTRL_STAT, dp.CDBGPWRUPREQ)
    assert not port.read_dp(dp.DP_CTRL_STAT) & dp.CSYSPWRUPACK
    port.write_dp(dp.DP_CTRL_STAT, 0)
    assert port.read_dp(dp.DP_CTRL_STAT) & (dp.CDBGPWRUPACK | dp.CSYSPWRUPACK) == 0
    assert chip.power == [True, False]


def test_without_supply_every_request_is_forgotten(port: dp.DebugPort, chip: FakeChip) -> None:
    port.reset()
    assert chip.power == [True, False]
    assert port.read_dp(dp.DP_CTRL_STAT) == 0
    with pytest.raises(TransferFault, match="powered down"):
        port.read_ap(dp.AHB_AP, ahb.IDR)


def test_access_ports_fault_while_the_debug_domain_is_down(chip: FakeChip) -> None:
    port = dp.DebugPort(chip, {})
    with pytest.raises(TransferFault, match="powered down"):
        port.read_ap(dp.AHB_AP, ahb.IDR)
    assert port.read_dp(dp.DP_CTRL_STAT) & dp.STICKYERR


def test_identification(port: dp.DebugPort) -> None:
    assert port.read_dp(dp.DP_IDR) == 0x2BA0_1477
    idrs = [port.read_ap(ap, ahb.IDR) for ap in range(4)]
    assert idrs == [0x2477_0011, 0x1288_0000, 0, 0]
    assert port.read_ap(dp.AHB_AP, ahb.BASE) == 0xE00F_F003


def test_a_chip_without_further_access_ports_has_none(chip: FakeChip) -> None:
    port = dp.DebugPort(chip, {})
    port.write_dp(dp.DP_CTRL_STAT, dp.CDBGPWRUPREQ)
    port.write_ap(CTRL_AP, ctrl.ERASEALL, 1)
    assert [port.read_ap(ap, ahb.IDR) for ap in (0, 1)] == [0x2477_0011, 0]


def test_a_failed_access_sticks_until_it_is_aborted(port: dp.DebugPort) -> None:
    port.write_ap(dp.AHB_AP, ahb.TAR, 0x4000_0000)
    with pytest.raises(TransferFault, match="nothing at 0x40000000"):
        port.read_ap(dp.AHB_AP, ahb.DRW)
    port.write_dp(dp.DP_SELECT, 0)
    with pytest.raises(TransferFault, match="STICKYERR"):
        port.read_ap(dp.AHB_AP, ahb.CSW)
    port.write_dp(dp.DP_ABORT, 1 << 2)
    assert not port.read_dp(dp.DP_CTRL_STAT) & dp.STICKYERR
    assert port.read_ap(dp.AHB_AP, ahb.IDR) == 0x2477_0011


def test_the_address_increments_within_four_kibibytes(port: dp.DebugPort, chip: FakeChip) -> None:
    port.write_ap(dp.AHB_AP, ahb.TAR, RAM + 0xFF8)
    for value in (1, 2, 3):
        port.write_ap(dp.AHB_AP, ahb.DRW, value)
    assert port.read_ap(dp.AHB_AP, ahb.TAR) == RAM + 4
    assert [chip.word(RAM + a) for a in (0xFF8, 0xFFC, 0, 0x1000)] == [1, 2, 3, 0]


def test_bytes_and_halfwords_travel_on_the_lanes_of_their_address(port: dp.DebugPort, chip: FakeChip) -> None:
    port.write_ap(dp.AHB_AP, ahb.CSW, 0x2300_0010)
    port.write_ap(dp.AHB_AP, ahb.TAR, RAM + 1)
    port.write_ap(dp.AHB_AP, ahb.DRW, 0x0000_AB00)
    port.write_ap(dp.AHB_AP, ahb.DRW, 0x00CD_0000)
    assert chip.bus.read_memory(RAM, 4) == b"\x00\xab\xcd\x00"
    port.write_ap(dp.AHB_AP, ahb.CSW, 0x2300_0011)
    port.write_ap(dp.AHB_AP, ahb.TAR, RAM + 2)
    assert port.read_ap(dp.AHB_AP, ahb.DRW) == 0x00CD_0000


def test_packed_transfers_move_a_whole_word_in_pieces(port: dp.DebugPort, chip: FakeChip) -> None:
    chip.bus.write_memory(RAM, bytes(range(8)))
    port.write_ap(dp.AHB_AP, ahb.CSW, 0x2300_0020)
    port.write_ap(dp.AHB_AP, ahb.TAR, RAM)
    assert port.read_ap(dp.AHB_AP, ahb.DRW) == 0x0302_0100
    assert port.read_ap_block(dp.AHB_AP, ahb.DRW, 1) == [0x0706_0504]


def test_banked_data_registers_do_not_move_the_address(port: dp.DebugPort, chip: FakeChip) -> None:
    port.write_ap(dp.AHB_AP, ahb.TAR, RAM + 0x100)
    port.write_ap(dp.AHB_AP, 0x18, 0x1234)
    assert chip.word(RAM + 0x108) == 0x1234
    assert port.read_ap(dp.AHB_AP, 0x18) == 0x1234
    assert port.read_ap(dp.AHB_AP, ahb.TAR) == RAM + 0x100


def test_a_block_in_memory_moves_whole_and_leaves_the_address_behind_it(
    port: dp.DebugPort, chip: FakeChip
) -> None:
    port.write_ap(dp.AHB_AP, ahb.TAR, RAM + 0x40)
    port.write_ap_block(dp.AHB_AP, ahb.DRW, [1, 2, 0xFFFF_FFFF])
    assert port.read_ap(dp.AHB_AP, ahb.TAR) == RAM + 0x4C
    port.write_ap(dp.AHB_AP, ahb.TAR, RAM + 0x40)
    assert port.read_ap_block(dp.AHB_AP, ahb.DRW, 4) == [1, 2, 0xFFFF_FFFF, 0]
    assert port.read_dp(dp.DP_RDBUFF) == 0
    assert chip.single == [], "no access went through the core one by one"


@pytest.mark.parametrize("start", [RAM + 0xFF8, RAM + 0x1FF8])
def test_a_block_that_crosses_four_kibibytes_wraps_as_single_accesses_do(
    port: dp.DebugPort, chip: FakeChip, start: int
) -> None:
    port.write_ap(dp.AHB_AP, ahb.TAR, start)
    port.write_ap_block(dp.AHB_AP, ahb.DRW, [1, 2, 3])
    assert [chip.word(start), chip.word(start + 4), chip.word(start & ~0xFFF)] == [1, 2, 3]


def test_a_block_store_to_flash_is_left_to_the_flash_controller(port: dp.DebugPort, chip: FakeChip) -> None:
    port.write_ap(dp.AHB_AP, ahb.TAR, FLASH + 0x100)
    port.write_ap_block(dp.AHB_AP, ahb.DRW, [7, 8])
    assert chip.stored == [(0x100, 7), (0x104, 8)]
    assert chip.word(0x100) == 0


def test_a_block_outside_memory_faults_at_the_first_word_that_nothing_answers(
    port: dp.DebugPort, chip: FakeChip
) -> None:
    port.write_ap(dp.AHB_AP, ahb.TAR, 0x4000_0000)
    with pytest.raises(TransferFault, match="nothing at 0x40000000"):
        port.read_ap_block(dp.AHB_AP, ahb.DRW, 8)
    assert chip.single == [0x4000_0000]
    assert port.read_dp(dp.DP_CTRL_STAT) & dp.STICKYERR


def test_the_last_result_can_be_read_again_from_rdbuff(port: dp.DebugPort, chip: FakeChip) -> None:
    chip.bus.write_memory(RAM, (0xCAFE).to_bytes(4, "little"))
    port.write_ap(dp.AHB_AP, ahb.TAR, RAM)
    port.read_ap(dp.AHB_AP, ahb.DRW)
    assert port.read_dp(dp.DP_RDBUFF) == 0xCAFE


def test_a_transfer_size_that_does_not_exist_reads_back_as_one_that_does(port: dp.DebugPort) -> None:
    port.write_ap(dp.AHB_AP, ahb.CSW, 0x2300_0015)
    assert port.read_ap(dp.AHB_AP, ahb.CSW) & 0x7 == 2


def test_a_protected_chip_answers_on_its_control_port_only(port: dp.DebugPort, chip: FakeChip) -> None:
    chip.protected = True
    assert port.read_ap(CTRL_AP, ctrl.APPROTECTSTATUS) == 0
    assert not port.read_ap(dp.AHB_AP, ahb.CSW) & 0x40, "DeviceEn tells that memory can't be reached"
    for refused in (
        lambda: port.read_ap(dp.AHB_AP, ahb.DRW),
        lambda: port.read_ap_block(dp.AHB_AP, ahb.DRW, 2),
        lambda: port.write_ap_block(dp.AHB_AP, ahb.DRW, [1, 2]),
    ):
        with pytest.raises(TransferFault, match="APPROTECT"):
            refused()
        port.write_dp(dp.DP_ABORT, 1 << 2)
    port.write_ap(CTRL_AP, ctrl.ERASEALL, 1)
    assert port.read_ap(CTRL_AP, ctrl.APPROTECTSTATUS) == 1


def test_the_control_port_shows_an_erase_under_way_and_holds_reset(
    port: dp.DebugPort, control: Control
) -> None:
    port.write_ap(CTRL_AP, ctrl.ERASEALL, 1)
    assert port.read_ap(CTRL_AP, ctrl.ERASEALLSTATUS) == 1
    control.fabric.now = 100
    assert port.read_ap(CTRL_AP, ctrl.ERASEALLSTATUS) == 0
    port.write_ap(CTRL_AP, ctrl.RESET, 1)
    assert port.read_ap(CTRL_AP, ctrl.RESET) == 1
    port.write_ap(CTRL_AP, ctrl.RESET, 0)
    assert control.held == [True, False]


def test_banked_dp_registers_follow_select(port: dp.DebugPort) -> None:
    port.write_dp(dp.DP_SELECT, 1)
    port.write_dp(dp.DP_CTRL_STAT, 0x100)
    assert port.read_dp(dp.DP_CTRL_STAT) == 0x100
    port.write_dp(dp.DP_SELECT, 0)
    assert port.read_dp(dp.DP_CTRL_STAT) & dp.CDBGPWRUPACK


def test_a_chip_without_supply_does_not_answer(port: dp.DebugPort, chip: FakeChip) -> None:
    chip.powered = False
    for access in (
        lambda: port.read_dp(dp.DP_IDR),
        lambda: port.write_dp(dp.DP_SELECT, 0),
        lambda: port.read_ap(0, 0xFC),
    ):
        with pytest.raises(BlockedError, match="brown-out"):
            access()
