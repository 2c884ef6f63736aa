"""STM32F412: USART with DMA, idle line, errors; and bulk reception on both chips."""

from __future__ import annotations

import struct
import time

import pytest
from stm32_rig import AHB1ENR, APB1ENR, APB2ENR, BACK, CPSID, EXTI, ISER, RAM, RTCAPB, SCR, STAY, WFI, Chip

from pytest_lan_hil.model.errors import BlockedError
from pytest_lan_hil.virtual.board import VirtualBoard

GPIOD, USART, DMA = 0x4002_0C00, 0x4000_4800, 0x4002_6000
RX, TX = DMA + 0x10 + 0x18 * 1, DMA + 0x10 + 0x18 * 3
EN, HTIE, TCIE, CIRC, MINC, OUT = 1, 8, 16, 1 << 8, 1 << 10, 1 << 6
UE, TE, RE, IDLEIE, RXNEIE, TCIE1 = 1 << 13, 8, 4, 1 << 4, 1 << 5, 1 << 6
FE, ORE, IDLE, RXNE, TC, TXE = 2, 8, 16, 32, 64, 128
HT1, TC1, TE1 = 1 << 10, 1 << 11, 1 << 9
BUFFER = RAM + 0x2000
BYTE_US = 10e6 / 115200


def usart(chip: Chip, control: int = UE | TE | RE, dma: int = 0x40) -> Chip:
    """USART3 at 115200 on PD8 and PD9."""
    chip.set(AHB1ENR, 8 | 1 << 21)
    chip.write(APB1ENR, RTCAPB | 1 << 18)
    chip.write(GPIOD + 0x24, 0x77)
    chip.write(GPIOD, 0xA << 16)
    chip.write(USART + 8, 139)
    chip.write(USART + 0x14, dma)
    chip.write(USART + 0xC, control)
    return chip


def receive(chip: Chip, count: int, mode: int = 0) -> None:
    chip.write(RX, 0)
    chip.write(DMA + 8, 0xF40)
    chip.write(RX + 8, USART + 4)
    chip.write(RX + 12, BUFFER)
    chip.write(RX + 4, count)
    chip.write(RX, 4 << 25 | MINC | mode | EN)


@pytest.fixture(params=[(CPSID, STAY), (CPSID, WFI, BACK)], ids=["awake", "asleep"])
def chip(request: pytest.FixtureRequest) -> Chip:
    return usart(Chip(*request.param))


def send(chip: Chip, data: bytes, *, bytes_more: float = 0.5) -> None:
    chip.board.uart0.host_write(data)
    chip.us((len(data) + bytes_more) * BYTE_US)


def test_bytes_go_to_memory_one_by_one(chip: Chip) -> None:
    receive(chip, 8)
    send(chip, b"abc")
    assert chip.memory(BUFFER, 3) == b"abc"
    assert chip.read(RX + 4) == 5
    assert not chip.read(USART) & RXNE
    send(chip, b"defgh")
    assert chip.memory(BUFFER, 8) == b"abcdefgh"
    assert chip.read(DMA) & (HT1 | TC1) == HT1 | TC1
    assert not chip.read(RX) & EN, "a transfer that is not circular switches itself off"


def test_a_circular_transfer_raises_half_and_end_in_turn(chip: Chip) -> None:
    chip.write(ISER, 1 << 12)
    receive(chip, 8, CIRC | HTIE | TCIE)
    seen = []
    for part in (b"abc", b"d", b"efg", b"h", b"ijkl"):
        send(chip, part)
        seen.append(chip.read(DMA) & (HT1 | TC1))
        chip.write(DMA + 8, 0xF40)
    assert seen == [0, HT1, 0, TC1, HT1]
    assert chip.memory(BUFFER, 8) == b"ijklefgh"
    assert chip.read(RX) & EN


def test_the_end_of_a_transfer_wakes_the_core_at_its_own_byte() -> None:
    chip = usart(Chip(CPSID, WFI, STAY))
    chip.write(ISER, 1 << 12)
    receive(chip, 16, TCIE)
    chip.board.uart0.host_write(bytes(range(20)))
    chip.us(15.9 * BYTE_US)
    assert chip.chip.core.sleeping
    chip.us(0.2 * BYTE_US)
    assert not chip.chip.core.sleeping


def test_an_idle_line_is_seen_one_frame_after_the_last_byte(chip: Chip) -> None:
    chip.write(ISER + 4, 1 << 39 - 32)
    chip.write(USART + 0xC, UE | RE | IDLEIE)
    receive(chip, 100)
    send(chip, b"hello", bytes_more=0.9)
    assert not chip.pend(39)
    chip.us(0.2 * BYTE_US)
    assert chip.pend(39)
    assert chip.read(USART) & IDLE
    chip.read(USART + 4)
    assert not chip.read(USART) & IDLE, "reading SR, then DR"


def test_a_byte_that_nobody_fetches_waits_and_the_next_overruns(chip: Chip) -> None:
    send(chip, b"x")
    assert chip.read(USART) & RXNE
    receive(chip, 1)
    assert chip.memory(BUFFER, 1) == b"x", "a stream that comes late gets it"
    send(chip, b"yz")
    assert chip.read(USART) & (RXNE | ORE) == RXNE | ORE
    assert chip.read(USART + 4) == ord("y")
    assert not chip.read(USART) & ORE


def test_a_wrong_rate_is_a_framing_error(chip: Chip) -> None:
    chip.board.uart0.host_baud = 9600
    chip.board.uart0.host_write(b"x")
    chip.us(1200)
    assert chip.read(USART) & FE


def test_nothing_arrives_without_clock_pin_or_receiver(chip: Chip) -> None:
    receive(chip, 8)
    for at, off, on in (
        (APB1ENR, RTCAPB, RTCAPB | 1 << 18),
        (GPIOD, 0, 0xA << 16),
        (USART + 0xC, UE, UE | RE),
    ):
        chip.write(at, off)
        send(chip, b"lost")
        chip.write(at, on)
    send(chip, b"kept")
    assert chip.memory(BUFFER, 4) == b"kept"


def test_dma_sends_at_the_line_rate_and_tc_comes_with_the_last_stop_bit() -> None:
    chip = usart(Chip(CPSID, WFI, BACK), dma=0x80)
    chip.bus.write_memory(BUFFER, b"hello")
    chip.write(USART, ~TC & 0xFFFF_FFFF)
    chip.write(TX + 8, USART + 4)
    chip.write(TX + 12, BUFFER)
    chip.write(TX + 4, 5)
    chip.write(TX, 4 << 25 | MINC | OUT | EN)
    chip.us(3.9 * BYTE_US)
    assert chip.board.uart0.host_read() == b"hel"
    assert chip.read(DMA) >> 22 & 0x20, "the last byte has left memory"
    assert not chip.read(USART) & TC
    chip.us(1.2 * BYTE_US)
    assert chip.board.uart0.host_read() == b"lo"
    assert chip.read(USART) & (TC | TXE) == TC | TXE


def test_a_transfer_to_nowhere_is_a_transfer_error() -> None:
    chip = usart(Chip())
    receive(chip, 4)
    chip.write(RX, 0)
    chip.write(RX + 12, 0x1000_0000)
    chip.write(RX, 4 << 25 | MINC | EN)
    send(chip, b"x")
    assert chip.read(DMA) & TE1
    assert not chip.read(RX) & EN


@pytest.mark.parametrize("control", [4 << 25 | MINC | 1 << 11 | EN, 7 << 25 | MINC | EN])
def test_what_dma_does_not_model_stops_with_a_message(control: int) -> None:
    chip = usart(Chip())
    chip.write(RX + 4, 4)
    with pytest.raises(BlockedError, match="DMA1 stream 1"):
        chip.write(RX, control)


def test_a_start_bit_wakes_from_stop_mode_and_its_byte_is_lost() -> None:
    chip = usart(Chip(CPSID, STAY, WFI, STAY))
    receive(chip, 8)
    chip.set(APB2ENR, 1 << 14)
    chip.write(0x4001_3810, 3 << 4)  # PD9 on EXTI9
    chip.write(EXTI, 1 << 9)
    chip.write(EXTI + 0xC, 1 << 9)
    chip.write(ISER, 1 << 23)
    chip.write(SCR, 4)
    chip.chip.core.write_register(15, 0x0800_0104)
    chip.us(100)
    assert chip.chip.core.sleeping
    chip.board.uart0.host_write(b"!ab")
    chip.us(50)
    assert not chip.chip.core.sleeping
    chip.us(4 * BYTE_US)
    assert chip.memory(BUFFER, 2) == b"ab"


def bulk_stm32() -> tuple[VirtualBoard, int]:
    chip = usart(Chip(CPSID, WFI, BACK))
    receive(chip, 65_535, CIRC)
    return chip.board, BUFFER


def bulk_nrf52840() -> tuple[VirtualBoard, int]:
    board = VirtualBoard("nrf52840")
    board.chip.bus.write_memory(0, struct.pack("<2I", RAM + 0x1000, 0x101))
    board.chip.bus.write_memory(0x100, struct.pack("<3H", CPSID, WFI, BACK))
    board.chip.reset("power_on")
    board.clock.sleep(0.001)
    registers = (
        (0x50C, 6),
        (0x514, 8),
        (0x524, 0x01D6_0000),
        (0x500, 8),
        (0x534, BUFFER),
        (0x538, 65_535),
        (0, 1),
    )
    for offset, value in registers:
        board.chip.core.debug_write(0x4000_2000 + offset, value, 4)
    return board, BUFFER


@pytest.mark.parametrize("make", [bulk_stm32, bulk_nrf52840])
def test_a_sleeping_core_receives_a_long_block_in_a_few_events(make) -> None:
    board, buffer = make()
    data = bytes(k * 7 & 0xFF for k in range(40_000))
    schedule, events = board.chip.timeline.schedule, []
    board.chip.timeline.schedule = lambda at, what: (events.append(at), schedule(at, what))[1]
    began = time.process_time()
    board.uart0.host_write(data)
    board.clock.sleep(0.1)
    got = round(0.1 / 10 * 115200)
    assert board.chip.bus.read_memory(buffer, got - 2) == data[: got - 2], "in time, whenever somebody looks"
    board.clock.sleep(3.6)
    assert board.chip.bus.read_memory(buffer, len(data)) == data
    assert len(events) < 100
    assert time.process_time() - began < 1.0


def test_a_stream_that_software_switches_off_says_that_its_transfer_has_ended(chip: Chip) -> None:
    receive(chip, 8)
    send(chip, b"abc")
    assert not chip.read(DMA) & TC1
    chip.write(RX, 4 << 25 | MINC)
    assert chip.read(DMA) & TC1
    assert chip.read(RX + 4) == 5
