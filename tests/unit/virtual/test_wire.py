"""What a probe's traffic costs in virtual time."""

from __future__ import annotations

import pytest

from pytest_lan_hil.virtual.wire import FRAME_BITS, Wire

TICK_HZ = 1_000_000


@pytest.fixture
def spent() -> list[int]:
    return []


@pytest.fixture
def wire(spent: list[int]) -> Wire:
    return Wire(spent.append, TICK_HZ)


def test_transfers_share_a_round_trip_of_one_usb_frame(wire: Wire, spent: list[int]) -> None:
    for k in range(10):
        wire.transfer(k)
    assert spent == []
    wire.round_trip()
    assert spent == [1000]


def test_asking_for_a_result_that_has_come_takes_no_further_time(wire: Wire, spent: list[int]) -> None:
    wire.transfer("read")
    wire.round_trip()
    wire.round_trip()
    assert spent == [1000]


def test_a_long_transfer_takes_its_frames_at_the_swd_clock(wire: Wire, spent: list[int]) -> None:
    wire.transfer("block", frames=1024)
    wire.round_trip()
    wire.set_clock(4e6)
    wire.transfer("another", frames=1024)
    wire.round_trip()
    assert spent == [1024 * FRAME_BITS, 1024 * round(FRAME_BITS / 4)]


def test_polling_gets_more_patient_and_impatient_again_when_the_answer_changes(
    wire: Wire, spent: list[int]
) -> None:
    for answer in [0] * 8 + [1, 0]:
        wire.transfer(("status", answer))
        wire.round_trip()
    assert [ticks // 1000 for ticks in spent] == [1, 2, 4, 8, 16, 32, 64, 64, 1, 1]
