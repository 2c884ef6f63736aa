"""The console grammar reads what it writes, in any pieces, and survives everything else."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.dut import lnn_protocol, protocol
from pytest_lan_hil.dut.lines import MAX_LINE_BYTES, LineAssembler
from pytest_lan_hil.model.errors import InputError

COUNTS = st.integers(0, 2**64 - 1)
HEX = st.text("0123456789abcdef", max_size=64)
WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789_.", min_size=1, max_size=20)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)

MESSAGES = st.one_of(
    st.sampled_from(
        [
            protocol.Ready(),
            protocol.InitDone(),
            protocol.LoadDone(),
            protocol.WarmupDone(),
            protocol.InferDone(),
            protocol.ListenStart(),
        ]
    ),
    st.builds(protocol.Name, WORD, WORD),
    st.builds(protocol.ProfileText, PRINTABLE),
    st.builds(protocol.Model, PRINTABLE),
    st.builds(protocol.Lap, COUNTS),
    st.builds(protocol.Expecting, COUNTS),
    st.builds(protocol.WarmupStart, COUNTS),
    st.builds(protocol.InferStart, COUNTS),
    st.builds(protocol.Results, st.lists(FLOATS, min_size=1, max_size=12).map(tuple)),
    st.builds(protocol.Identity, HEX, HEX, WORD),
    st.builds(protocol.ListenDone, COUNTS),
    st.builds(protocol.Pace, COUNTS),
    st.builds(protocol.Stack, COUNTS, COUNTS),
    st.builds(protocol.Status, st.lists(st.tuples(WORD, WORD), max_size=5).map(tuple)),
    st.builds(protocol.DeviceError, PRINTABLE),
    st.builds(lnn_protocol.Labels, st.lists(WORD, min_size=1, max_size=12).map(tuple)),
    st.builds(lnn_protocol.HearStart, COUNTS),
    st.builds(lnn_protocol.HearReady, COUNTS),
    st.builds(lnn_protocol.HearTaken, COUNTS, COUNTS),
    st.builds(lnn_protocol.Heard, COUNTS, WORD, COUNTS, COUNTS, COUNTS, COUNTS),
    st.builds(lnn_protocol.MetricsFrame, st.binary(max_size=400)),
)


@given(MESSAGES)
def test_every_message_is_read_as_it_was_written(message: protocol.Message) -> None:
    assert protocol.parse_line(protocol.render(message)) == message


@given(st.text())
def test_any_text_is_read_as_something(line: str) -> None:
    message = protocol.parse_line(line)
    assert dataclasses.is_dataclass(message)


@given(st.lists(MESSAGES, max_size=8), st.data())
def test_messages_survive_any_cut_of_the_byte_stream(
    messages: list[protocol.Message], data: st.DataObject
) -> None:
    stream = "".join(protocol.render(message) + "\r\n" for message in messages).encode()
    assembler = LineAssembler()
    lines: list[str] = []
    position = 0
    while position < len(stream):
        size = data.draw(st.integers(1, len(stream) - position))
        lines += assembler.feed(stream[position : position + size])
        position += size
    assert [protocol.parse_line(line) for line in lines] == messages
    assert not assembler.has_pending


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_lines_of_garbage_do_not_depend_on_how_the_bytes_arrive(pieces: list[bytes]) -> None:
    cut, whole = LineAssembler(), LineAssembler()
    lines = [line for piece in pieces for line in cut.feed(piece)]
    assert lines == whole.feed(b"".join(pieces))
    assert cut.pending == whole.pending


def test_undecodable_bytes_and_control_characters_are_kept_escaped() -> None:
    assert LineAssembler().feed(b"a\xff\xfeb\x1b[2J\x00\tc \xc3\xa9\r\n") == [
        "a\\xff\\xfeb\\x1b[2J\\x00\tc é"
    ]


@pytest.mark.parametrize("piece", [1, 7, MAX_LINE_BYTES, 3 * MAX_LINE_BYTES])
def test_endless_noise_is_cut_into_lines_at_the_same_places(piece: int) -> None:
    noise = bytes(range(32, 127)) * 150
    assembler = LineAssembler()
    lines = [line for i in range(0, len(noise), piece) for line in assembler.feed(noise[i : i + piece])]
    assert [len(line) for line in lines] == [MAX_LINE_BYTES] * (len(noise) // MAX_LINE_BYTES)
    assert "".join(lines) + assembler.pending == noise.decode()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("m-ready", protocol.Ready()),
        ("m-name-dut-[ML Commons]", protocol.Name("dut", "ML Commons")),
        ("m-profile-[ULPMark V0.0.1]", protocol.ProfileText("ULPMark V0.0.1")),
        ("m-lap-us-67410227", protocol.Lap(67410227)),
        ("m-[Expecting 490 bytes]", protocol.Expecting(490)),
        ("m-results-[0.000,0.007,0.992]", protocol.Results((0.0, 0.007, 0.992))),
        ("e-[Unknown command: lnn]", protocol.DeviceError("Unknown command: lnn")),
        ("m-lnn-id-[git=0a,image=ff,version=0.1.0]", protocol.Identity("0a", "ff", "0.1.0")),
        ("m-lnn-labels-[0,9,silence]", lnn_protocol.Labels(("0", "9", "silence"))),
        ("m-lnn-hear-start-[max=8192]", lnn_protocol.HearStart(8192)),
        ("m-lnn-hear-ready-[512]", lnn_protocol.HearReady(512)),
        ("m-lnn-hear-taken-[frames=16,ran=9]", lnn_protocol.HearTaken(16, 9)),
        ("m-lnn-heard-[class=7,label=7,confidence=981,frames=31,ran=18,dropped=0]",
         lnn_protocol.Heard(7, "7", 981, 31, 18, 0)),
        ("m-lnn-metrics-[4c4d00ff]", lnn_protocol.MetricsFrame(b"LM\x00\xff")),
    ],
)  # fmt: skip
def test_lines_of_the_reference_firmware_are_understood(line: str, message: protocol.Message) -> None:
    assert protocol.parse_line(line) == message


@pytest.mark.parametrize(
    "line",
    [
        "m-ready ", "xm-ready", "m-results-[]", "m-results-[1,x]", "m-lap-us-", "m-lap-us-1x",
        "m-lnn-labels-[]", "m-lnn-labels-[0,,1]", "m-lnn-hear-start-[max=]", "m-lnn-hear-ready-[-2]",
        "m-lnn-heard-[class=7,label=7,confidence=98.1,frames=31,ran=18,dropped=0]", "m-lnn-metrics-[4c4]",
    ],
)  # fmt: skip
def test_almost_messages_are_text(line: str) -> None:
    assert protocol.parse_line(line) == protocol.Text(line)


def test_a_buffer_that_is_too_small_counts_as_an_error_though_the_reference_prints_it_plainly() -> None:
    line = "Supplied buffer size 99999 exceeds maximum of 8192"
    assert protocol.parse_line(line) == protocol.DeviceError(line)


@given(st.binary(min_size=1, max_size=300))
def test_loading_sends_every_byte_once_in_commands_that_fit(data: bytes) -> None:
    first, *pieces = protocol.load_commands(data)
    assert first == f"db load {len(data)}%"
    assert all(len(piece) <= protocol.COMMAND_SIZE + 1 and piece.endswith("%") for piece in pieces)
    assert b"".join(bytes.fromhex(piece[3:-1]) for piece in pieces) == data


@pytest.mark.parametrize("text", ["", "%", "  ", "name%name", "name\n", "näme", "x" * 81])
def test_commands_that_the_parser_of_the_dut_cannot_take_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        protocol.command(text)


def test_the_terminator_may_be_left_out_or_given() -> None:
    assert protocol.command("name") == protocol.command("name%") == "name%"
    assert len(protocol.command("x" * 80)) == 81


@pytest.mark.parametrize(("count", "warmups"), [(0, 0), (-1, 0), (1, -1)])
def test_infer_needs_a_positive_count(count: int, warmups: int) -> None:
    with pytest.raises(InputError, match="count >= 1"):
        protocol.infer_command(count, warmups)


@pytest.mark.parametrize("seconds", [0, -1, 0.0004, math.nan, math.inf])
def test_listen_needs_a_time(seconds: float) -> None:
    with pytest.raises(InputError):
        protocol.listen_command(seconds)


def test_listen_is_told_in_milliseconds() -> None:
    assert protocol.listen_command(1.5) == "lnn listen 1500%"
