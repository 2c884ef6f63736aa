"""UARTE: EasyDMA, byte timing, receiver FIFO and errors."""

from __future__ import annotations

import pytest

from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICK_HZ, DmaError
from pytest_lan_hil.virtual.silicon.nrf52840.uarte import Uarte
from pytest_lan_hil.virtual.uart_line import UartLine

STARTRX, STOPRX, STARTTX, FLUSHRX = 0x000, 0x004, 0x008, 0x02C
RXDRDY, ENDRX, TXDRDY, ENDTX, ERROR, RXTO = 0x108, 0x110, 0x11C, 0x120, 0x124, 0x144
SHORTS, INTENSET, ERRORSRC, ENABLE = 0x200, 0x304, 0x480, 0x500
BYTE = 10 * TICK_HZ // 115108
RAM = 0x2000_0100


@pytest.fixture
def line(rig):
    return UartLine(rig.timeline, Faults())


@pytest.fixture
def uarte(rig, line):
    uarte = Uarte(rig.fabric, "UARTE0", 0x4000_2000, 2, line=line)
    uarte.reset()
    line.receiver = uarte
    for offset, value in ((0x50C, 6), (0x514, 8), (0x524, 0x01D60000), (ENABLE, 8)):
        uarte.write(offset, value, 4)
    return uarte


def transmit(rig, uarte, data):
    rig.memory.write_memory(RAM, data)
    uarte.write(0x544, RAM, 4)
    uarte.write(0x548, len(data), 4)
    uarte.write(STARTTX, 1, 4)


def receive_into(uarte, size, address=RAM):
    uarte.write(0x534, address, 4)
    uarte.write(0x538, size, 4)
    uarte.write(STARTRX, 1, 4)


def test_bytes_leave_at_the_line_rate(rig, uarte, line):
    transmit(rig, uarte, b"hello")
    rig.run(2 * BYTE)
    assert line.host_read() == b"he"
    assert uarte.read(ENDTX, 4) == 0
    rig.run(3 * BYTE)
    assert line.host_read() == b"llo"
    assert uarte.read(ENDTX, 4) == 1
    assert uarte.read(0x54C, 4) == 5


def test_endtx_interrupt(rig, uarte):
    uarte.write(INTENSET, 1 << 8, 4)
    transmit(rig, uarte, b"ab")
    rig.run(2 * BYTE - 1)
    assert not rig.irqs.levels.get(2)
    rig.run(1)
    assert rig.irqs.levels[2]


def test_host_bytes_fill_the_buffer_one_by_one(rig, uarte, line):
    receive_into(uarte, 4)
    line.host_write(b"wxyz")
    rig.run(TICK_HZ // 115200 * 10 * 2 + 100)
    assert rig.memory.read_memory(RAM, 4) == b"wx\0\0"
    assert uarte.read(RXDRDY, 4) == 1
    assert uarte.read(ENDRX, 4) == 0
    rig.run(BYTE * 3)
    assert rig.memory.read_memory(RAM, 4) == b"wxyz"
    assert uarte.read(ENDRX, 4) == 1
    assert uarte.read(0x53C, 4) == 4


def test_endrx_startrx_shortcut_receives_without_a_gap(rig, uarte, line):
    uarte.write(SHORTS, 1 << 5, 4)
    receive_into(uarte, 1)
    uarte.write(0x534, RAM + 1, 4)
    line.host_write(b"ab")
    rig.run(3 * BYTE)
    assert rig.memory.read_memory(RAM, 2) == b"ab"
    assert uarte.read(ERRORSRC, 4) == 0


def test_fifo_holds_six_bytes_then_overruns(rig, uarte, line):
    receive_into(uarte, 1)
    line.host_write(b"0123456789")
    rig.run(12 * BYTE)
    assert uarte.read(ERROR, 4) == 1
    assert uarte.read(ERRORSRC, 4) == 1
    receive_into(uarte, 6, RAM + 0x40)
    assert rig.memory.read_memory(RAM + 0x40, 6) == b"123456"
    uarte.write(ERRORSRC, 1, 4)
    assert uarte.read(ERRORSRC, 4) == 0


def test_bytes_are_lost_while_the_receiver_is_off(rig, uarte, line):
    line.host_write(b"lost")
    rig.run(6 * BYTE)
    receive_into(uarte, 4)
    line.host_write(b"kept")
    rig.run(6 * BYTE)
    assert rig.memory.read_memory(RAM, 4) == b"kept"


def test_stoprx_ends_the_transfer_then_times_out(rig, uarte, line):
    receive_into(uarte, 8)
    line.host_write(b"ab")
    rig.run(3 * BYTE)
    uarte.write(STOPRX, 1, 4)
    assert uarte.read(ENDRX, 4) == 1
    assert uarte.read(0x53C, 4) == 2
    assert uarte.read(RXTO, 4) == 0
    rig.run(6 * BYTE)
    assert uarte.read(RXTO, 4) == 1
    assert not rig.fabric.hfclk_requested


def test_flushrx_moves_the_fifo_to_ram(rig, uarte, line):
    receive_into(uarte, 1)
    line.host_write(b"abc")
    rig.run(5 * BYTE)
    uarte.write(0x534, RAM + 0x80, 4)
    uarte.write(0x538, 6, 4)
    uarte.write(FLUSHRX, 1, 4)
    assert rig.memory.read_memory(RAM + 0x80, 2) == b"bc"
    assert uarte.read(0x53C, 4) == 2


def test_pointer_outside_ram_stops_loudly(rig, uarte):
    uarte.write(0x544, 0x1000, 4)
    uarte.write(0x548, 4, 4)
    with pytest.raises(DmaError, match=r"UARTE0\.TXD.*0x00001000"):
        uarte.write(STARTTX, 1, 4)


def test_wrong_host_rate_reads_garbage_and_makes_framing_errors(rig, uarte, line):
    line.host_baud = 9600
    transmit(rig, uarte, b"hello")
    rig.run(6 * BYTE)
    assert line.host_read() != b"hello"
    receive_into(uarte, 1)
    line.host_write(b"x")
    rig.run(TICK_HZ // 9600 * 11)
    assert uarte.read(ERRORSRC, 4) & 4


def test_legacy_uart_sends_through_txd(rig, uarte, line):
    uarte.write(ENABLE, 4, 4)
    uarte.write(STARTTX, 1, 4)
    uarte.write(0x51C, ord("A"), 4)
    rig.run(BYTE)
    assert line.host_read() == b"A"
    assert uarte.read(TXDRDY, 4) == 1


def test_scripted_silence_and_garbage(rig):
    line = UartLine(rig.timeline, Faults.parse("console_garbage@0.001:16,console_silent@0.002"))
    line.transmitted(ord("a"), 115200)
    rig.run(TICK_HZ // 1000)
    assert line.host_waiting == 17
    rig.run(TICK_HZ // 1000)
    line.transmitted(ord("b"), 115200)
    assert line.host_waiting == 17
