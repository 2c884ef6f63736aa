"""The virtual GPIO chip, opened as a bench file would: virtual time delivers events, queued as by Linux."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable

import numpy as np
import pytest
from fake_board import FakeBoard

from pytest_lan_hil.instruments import gpiod_open
from pytest_lan_hil.instruments.gpiod_chip import LineSettings
from pytest_lan_hil.instruments.gpiod_source import GpiodSource
from pytest_lan_hil.instruments.registry import open_edges
from pytest_lan_hil.model.errors import InputError, InstrumentError
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.gpio_chip import VirtualGpioChip, open_chip

PIN, OTHER = "P0.13", "P0.14"
# 8 ms high in every 10 ms, from 100 ms on.
PULSES = [(0.1 + k * 0.01 + at, PIN, level) for k in range(90) for at, level in ((0, True), (0.008, False))]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., GpiodSource]:
    """Opens a URI on a scripted board instead of a virtual one."""

    def open_it(board: FakeBoard, uri: str = "gpiod+virtual:b", *, lines=None, **chip) -> GpiodSource:
        class Entry:
            name = "virtual"

            @staticmethod
            def load():
                def made(target, options):
                    jitter_s = float(options["jitter_us"]) * 1e-6
                    return VirtualGpioChip(board, {17: PIN, 27: OTHER}, **{"jitter_s": jitter_s, **chip})

                return made

        monkeypatch.setattr(gpiod_open, "entry_points", lambda group: [Entry])
        return open_edges(uri, lines={"inference": "17"} if lines is None else lines)

    return open_it


def record(source: GpiodSource, seconds: float):
    source.start()
    source.clock.sleep(seconds)
    return source.stop()


def test_edges_carry_virtual_time_and_are_late_by_no_more_than_the_stated_jitter(opened) -> None:
    source = opened(FakeBoard(edges=PULSES))
    source.clock.sleep(0.05)
    found = record(source, 1.0)
    line = found.lines["inference"]
    late = line.times_s + found.start_s - np.array([at for at, _, _ in PULSES])
    assert (late > 0).all()
    assert 0.9 <= (late <= line.jitter_s).mean() <= 0.99
    assert found.start_s == 0.05
    assert (line.high_at_start, line.lost, line.duration_s, found.complete) == (False, (), 1.0, True)
    assert found.instrument.simulated


def test_two_records_of_the_same_work_are_the_same_bit_for_bit_and_a_seed_changes_them(opened) -> None:
    def stamps(seed: int) -> bytes:
        return record(opened(FakeBoard(edges=PULSES), seed=seed), 1.0).lines["inference"].times_s.tobytes()

    assert stamps(1) == stamps(1)
    assert stamps(1) != stamps(2)


def test_nothing_of_it_runs_on_a_thread(opened) -> None:
    source = opened(FakeBoard(edges=PULSES))
    source.start()
    assert [thread.name for thread in threading.enumerate() if "lan-hil" in thread.name] == []
    source.stop()


def test_edges_of_two_lines_are_numbered_in_order_of_time() -> None:
    edges = [(0.01, PIN, True), (0.02, OTHER, True), (0.03, PIN, False), (0.04, OTHER, False)]
    board = FakeBoard(edges=edges)
    request = VirtualGpioChip(board, {17: PIN, 27: OTHER}).request_lines(
        (17, 27), LineSettings("as-is", 0, 64)
    )
    board.clock.sleep(0.1)
    events = request.read_edge_events(64) if request.wait_edge_events(0) else []
    assert [(e.line_offset, e.event_type.name, e.line_seqno, e.global_seqno) for e in events] == [
        (17, "RISING_EDGE", 1, 1),
        (27, "RISING_EDGE", 1, 2),
        (17, "FALLING_EDGE", 2, 3),
        (27, "FALLING_EDGE", 2, 4),
    ]


def test_a_full_buffer_throws_the_oldest_away_and_the_numbers_tell() -> None:
    board = FakeBoard(edges=PULSES)
    request = VirtualGpioChip(board, {17: PIN}).request_lines((17,), LineSettings("as-is", 0, 16))
    board.clock.sleep(2.0)
    assert request.wait_edge_events(0)
    events = request.read_edge_events(64)
    assert [event.line_seqno for event in events] == list(range(165, 181))


def test_a_burst_beyond_the_buffer_is_a_lost_span_with_the_right_levels_around_it(opened) -> None:
    burst = [(0.2 + k * 20e-6, PIN, k % 2 == 0) for k in range(61)]  # 61 edges within 1.2 ms
    around = [(0.1, PIN, True), (0.11, PIN, False), (0.5, PIN, False), (0.6, PIN, True)]
    source = opened(FakeBoard(edges=[*burst, *around]), "gpiod+virtual:b?buffer=16")
    line = record(source, 1.0).lines["inference"]
    ((start, stop),) = line.lost
    assert start == pytest.approx(0.11, abs=1e-4)
    assert 0.2 < stop < 0.2013
    assert line.times_s[-2:] == pytest.approx([0.5, 0.6], abs=2e-4)
    assert line.high_at_start != bool(len(line.times_s) % 2)  # high in the end
    roomy = record(opened(FakeBoard(edges=burst), "gpiod+virtual:b?buffer=1024"), 1.0).lines["inference"]
    assert (len(roomy.times_s), roomy.lost) == (61, ())


def test_an_interrupt_that_is_served_after_the_end_is_not_in_the_record(opened) -> None:
    source = opened(FakeBoard(edges=[(0.5, PIN, True)]), "gpiod+virtual:b?jitter_us=1000")
    line = record(source, 0.5).lines["inference"]
    assert (len(line.times_s), line.high_at_start) == (0, False)


def test_a_line_that_is_high_at_the_start_says_so_and_one_that_is_not_wired_rests_low(opened) -> None:
    board = FakeBoard(edges=[(0.1, PIN, True), (0.5, PIN, False)])
    source = opened(board, lines={"inference": "17", "spare": "GPIO5"})
    board.clock.sleep(0.2)
    lines = record(source, 0.5).lines
    assert lines["inference"].high_at_start
    assert len(lines["inference"].times_s) == 1
    assert (lines["spare"].high_at_start, len(lines["spare"].times_s)) == (False, 0)


def test_a_chip_that_vanishes_keeps_what_was_read_as_incomplete(opened) -> None:
    source = opened(FakeBoard(edges=PULSES), faults=Faults.parse("gpio_vanish@0.5"))
    source.clock.sleep(0.01)
    found = record(source, 1.0)
    line = found.lines["inference"]
    assert not found.complete
    assert line.duration_s == pytest.approx(0.5, abs=0.02)
    assert len(line.times_s) > 70
    assert line.times_s[-1] <= line.duration_s
    with pytest.raises(InstrumentError, match="the chip is gone"):
        source.start()


def test_a_stuck_line_has_no_edges(opened) -> None:
    source = opened(FakeBoard(edges=PULSES), faults=Faults.parse("stuck_high=17"))
    line = record(source, 1.0).lines["inference"]
    assert (len(line.times_s), line.high_at_start) == (0, True)


def test_a_line_that_is_held_is_refused_until_it_is_released() -> None:
    board = FakeBoard()
    chip = VirtualGpioChip(board, {17: PIN})
    settings = LineSettings("as-is", 0, 16)
    first = chip.request_lines((17,), settings)
    with pytest.raises(OSError, match=str(errno.EBUSY)):
        chip.request_lines((17, 27), settings)
    assert (chip.consumer(17), chip.consumer(27)) == ("this process", "")
    first.release()
    first.release()
    chip.request_lines((17, 27), settings).release()


def test_an_idle_request_does_not_grow_with_the_edges_that_nobody_reads() -> None:
    board = FakeBoard(edges=[(k * 1e-3, PIN, k % 2 == 0) for k in range(1, 5000)])
    request = VirtualGpioChip(board, {17: PIN}).request_lines((17,), LineSettings("as-is", 0, 16))
    board.clock.sleep(6.0)
    assert len(request._recorders[17]) < 1100


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"gpi0": "P0.13"}, "no option 'gpi0'"),
        ({"58": "P0.13"}, "no option '58'"),
        ({"17": "P2.13"}, "P2.13"),
        ({"17": "P0.13", "seed": "x"}, "wrong"),
    ],
)
def test_options_of_the_virtual_chip_that_are_wrong_are_named(options, says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        open_chip("nrf52840", options)
    assert "17=P0.13" in error.value.fix
