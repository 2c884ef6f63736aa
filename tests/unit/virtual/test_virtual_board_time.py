"""How a host waits on a virtual board: looks at whole milliseconds, and none while nothing can happen."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from pytest_lan_hil.virtual.board import VirtualBoard

MS = 512_000
WFI, STAY, BACK = 0xBF30, 0xE7FE, 0xE7FD  # wfi; b .; b .-2 (back to the wfi)


def board(*code: int) -> VirtualBoard:
    """A board that runs this code from reset, past its first two milliseconds."""
    made = VirtualBoard("nrf52840")
    made.chip.bus.write_memory(0, struct.pack("<2I", 0x2000_1000, 0x101))
    made.chip.bus.write_memory(0x100, struct.pack(f"<{len(code)}H", *code))
    made.chip.reset("power_on")
    made.advance(2 * MS)
    return made


def wait_for_event(made: VirtualBoard, after: int, limit_s: float) -> tuple[bool, int, int]:
    """Wait for something that happens `after` ticks: (seen, ticks it took, looks)."""
    happened: list[int] = []
    looks = 0

    def done() -> bool:
        nonlocal looks
        looks += 1
        return bool(happened)

    start = made.now
    made.chip.timeline.schedule(start + after, lambda: happened.append(1))
    return made.advance_until(done, limit_s), made.now - start, looks


def test_a_host_that_waits_on_a_sleeping_chip_sees_it_at_the_next_whole_millisecond() -> None:
    assert wait_for_event(board(WFI, BACK), 10 * MS + 1, 1.0) == (True, 11 * MS, 2)


def test_what_happens_exactly_at_a_look_is_seen_by_it() -> None:
    assert wait_for_event(board(WFI, BACK), 10 * MS, 1.0) == (True, 10 * MS, 2)


def test_a_running_chip_is_looked_at_every_millisecond() -> None:
    seen, took, looks = wait_for_event(board(STAY), 5 * MS - MS // 2, 1.0)
    assert (seen, looks) == (True, 6)
    assert took == pytest.approx(5 * MS, abs=MS // 100)


def test_waiting_ends_at_its_limit_however_long_the_chip_sleeps() -> None:
    assert wait_for_event(board(WFI, BACK), 50 * MS, 0.02) == (False, 20 * MS, 2)


def test_another_thread_need_not_wait_longer_than_a_tenth_of_a_virtual_second() -> None:
    made = board(WFI, BACK)
    steps: list[int] = []
    advance_to: Callable[[int], None] = made._advance_to

    def watched(target: int) -> None:
        steps.append(target - made.now)
        advance_to(target)

    made._advance_to = watched
    assert not made.advance_until(lambda: False, 1.0)
    assert max(steps) == 100 * MS


@pytest.mark.parametrize("name", ["nrf52840", "stm32f412"])
def test_a_wait_shorter_than_a_tick_still_takes_time(name: str) -> None:
    made = VirtualBoard(name)
    before = made.now
    made.advance_until(lambda: False, 1e-15)
    assert made.now > before
    before = made.now
    made.clock.sleep(1e-15)
    assert made.now > before
