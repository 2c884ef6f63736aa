"""Audio reaches the DUT whole or not at all, and only an answer that fits is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fake_bench import Clock, Port, Probe
from fake_ears import LABELS, Ears, audio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lan_hil.dut.console import SENT, Console
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.hearing import hear, labels
from pytest_lan_hil.model.errors import ConsoleError, DutProtocolError, DutTimeout, InputError


class Desk:
    def __init__(self, console: Console, port: Port) -> None:
        probe: Any = Probe("fake:1", port, [])
        self.port, self.console, self.dut = port, console, Dut(probe, console)


@pytest.fixture
def desk() -> Iterator[Desk]:
    port = Port(Clock(), simulated=False)
    anything: Any = port
    with Console(anything, "fake") as console:
        yield Desk(console, port)


@pytest.fixture
def ears(desk: Desk) -> Ears:
    return Ears(desk.port)


def test_labels_are_told_in_the_order_of_the_classes(desk: Desk, ears: Ears) -> None:
    assert labels(desk.dut) == LABELS


def test_two_classes_with_one_label_are_refused(desk: Desk) -> None:
    Ears(desk.port, labels=("yes", "no", "yes"))
    with pytest.raises(DutProtocolError, match="one label: yes"):
        labels(desk.dut)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 1000), max_bytes=st.integers(1, 600).map(lambda size: 2 * size))
def test_every_sample_arrives_in_pieces_that_the_dut_takes(
    desk: Desk, ears: Ears, count: int, max_bytes: int
) -> None:
    ears.max_bytes, ears.pieces = max_bytes, []
    sent = audio(7, count)
    answer = hear(desk.dut, sent)
    assert (answer.label, answer.confidence_percent, answer.resent) == ("7", 90.0, 0)
    assert np.array_equal(ears.heard[-1], sent)
    assert max(ears.pieces) <= max_bytes
    assert sum(ears.pieces) == 2 * count


def test_a_slow_line_gets_pieces_of_two_seconds(desk: Desk, ears: Ears) -> None:
    desk.console.baudrate = 9600
    hear(desk.dut, audio(1, 3000))
    assert max(ears.pieces) == 2 * 960


def test_the_console_keeps_a_note_instead_of_the_audio(desk: Desk, ears: Ears) -> None:
    hear(desk.dut, audio(3, 100))
    sent = [line.text for line in desk.console.lines if line.direction == SENT]
    assert sent[0] == "lnn hear start%"
    assert sent[2:] == ["(200 raw bytes)", "lnn hear end%"]


@pytest.mark.parametrize("damage", [lambda data: bytes(len(data)), lambda data: data[:-3]])
def test_a_damaged_piece_makes_the_recording_start_again_once(
    desk: Desk, ears: Ears, damage: Callable[[bytes], bytes]
) -> None:
    ears.max_bytes = 512

    def first_of_the_third(data: bytes) -> bytes:
        return damage(data) if len(ears.pieces) == 3 else data

    ears.damage = first_of_the_third
    sent = audio(5, 1000)
    answer = hear(desk.dut, sent)
    assert (answer.label, answer.resent) == ("5", 1)
    assert np.array_equal(ears.heard[-1], sent)
    assert ears.pieces == [512, 512, 512, 512, 512, 512, 464]


@pytest.mark.parametrize("command", ["lnn hear start", "lnn hear end"])
def test_a_command_that_is_garbled_on_its_way_makes_the_recording_start_again_once(
    desk: Desk, ears: Ears, command: str
) -> None:
    sound = desk.port.answers[command]
    answers = iter([lambda: ["e-[Bytes lost on reception]"], sound])
    desk.port.answers[command] = lambda: next(answers)()
    answer = hear(desk.dut, audio(5, 1000))
    assert (answer.label, answer.resent) == ("5", 1)
    desk.port.answers[command] = lambda: ["e-[Bytes lost on reception]"]
    with pytest.raises(ConsoleError, match="damaged twice, last: Bytes lost on reception"):
        hear(desk.dut, audio(5, 1000))


def test_labels_are_asked_for_again_where_the_question_was_garbled(desk: Desk, ears: Ears) -> None:
    sound = desk.port.answers["lnn labels"]
    answers = iter([lambda: ["e-[Bytes lost on reception]"], sound])
    desk.port.answers["lnn labels"] = lambda: next(answers)()
    assert labels(desk.dut) == ears.labels


def test_a_line_that_damages_pieces_again_is_the_bench_s_fault(desk: Desk, ears: Ears) -> None:
    ears.damage = lambda data: data[:-2]
    with pytest.raises(ConsoleError, match="arrived damaged twice, last: got 1998 of 2000 bytes") as caught:
        hear(desk.dut, audio(5, 1000))
    assert "baudrate" in caught.value.fix


def test_firmware_without_ears_is_sent_to_mlperf(desk: Desk) -> None:
    for ask in (lambda: labels(desk.dut), lambda: hear(desk.dut, audio())):
        with pytest.raises(InputError, match="can't be given recordings") as caught:
            ask()
        assert "lan-hil mlperf accuracy" in caught.value.fix


def test_an_error_of_another_kind_is_not_tried_again(desk: Desk, ears: Ears) -> None:
    desk.port.answers["lnn hear end"] = lambda: ["e-[Audio: nothing was heard]"]
    with pytest.raises(DutProtocolError, match="nothing was heard"):
        hear(desk.dut, audio())
    assert len(ears.pieces) == 1


def test_frames_that_do_not_add_up_are_refused(desk: Desk, ears: Ears) -> None:
    ears.extra_frames = 1
    with pytest.raises(DutProtocolError, match="took 3 frames of audio, and then says that it heard 5"):
        hear(desk.dut, audio(0, 1000))


def test_a_dut_that_can_not_take_one_sample_is_refused(desk: Desk) -> None:
    Ears(desk.port, max_bytes=1)
    with pytest.raises(DutProtocolError, match="takes 1 bytes of audio at once"):
        hear(desk.dut, audio())


def test_a_dut_that_falls_silent_over_a_piece_is_a_timeout(desk: Desk, ears: Ears) -> None:
    def fall_silent() -> None:
        desk.port.silent = True

    ears.on_piece = fall_silent
    with pytest.raises(DutTimeout, match="the answer to 'lnn hear 2000"):
        hear(desk.dut, audio())


@pytest.mark.parametrize(
    "samples", [np.zeros(0, np.int16), np.zeros(4, np.float32), np.zeros((2, 2), np.int16)]
)
def test_what_is_no_row_of_int16_samples_is_refused(desk: Desk, samples: Any) -> None:
    with pytest.raises(InputError, match="int16 samples in one row"):
        hear(desk.dut, samples)
