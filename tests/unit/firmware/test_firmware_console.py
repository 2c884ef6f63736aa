"""The firmware's console on the host: MLPerf Tiny's dialect, its own commands, and the order of events."""

from __future__ import annotations

import ctypes
import re
import struct

import pytest
from firmware_host import HostConsole
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lan_hil.dut import protocol

CLASSES = 12


def test_greeting_is_that_of_the_reference_in_performance_mode(host: HostConsole) -> None:
    lines = host.start()
    assert lines[0] == "m-timestamp-mode-performance"
    assert re.fullmatch(r"m-lap-us-\d+", lines[1])
    assert lines[2:] == ["m-init-done", "m-ready"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("name", ["m-name-dut-[lan-host]"]),
        ("profile", ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[lan-cfc32-digits]"]),
        ("", ["e-[Empty command]"]),
        ("make-coffee now", ["e-[Unknown command: make-coffee]"]),
        ("NAME", ["e-[Unknown command: NAME]"]),
        ("db", ["e-[Command 'db' requires a subcommand]"]),
        ("db load", ["e-[Command 'db load' requires the # of bytes]"]),
        ("db load 0", ["e-[Command 'db load' must be >0 bytes]"]),
        ("db load 8193", ["e-[Supplied buffer size 8193 exceeds maximum of 8192]"]),
        ("infer 0", ["e-[Inference iterations must be >0]"]),
        ("infer -1", ["e-[Inference iterations must be >0]"]),
        ("infer 1 -1", ["e-[Inference warmup must be >=0]"]),
        ("lnn", ["e-[Command 'lnn' requires a subcommand]"]),
        ("lnn dance", ["e-[Unknown command: lnn dance]"]),
        ("lnn pace 60001", ["e-[lnn pace in ms must be a number from 0 to 60000]"]),
        ("lnn listen", ["e-[lnn listen time in ms must be a number from 1 to 86400000]"]),
        ("lnn listen 0", ["e-[lnn listen time in ms must be a number from 1 to 86400000]"]),
        ("lnn fault soft", ["e-[lnn fault takes hard or stack]"]),
        ("lnn fault", ["m-lnn-fault-[none]"]),
        ("lnn stack", ["m-lnn-stack-[used=512,size=3840]"]),
        ("lnn pace 7", ["m-lnn-pace-[7]"]),
    ],
)
def test_answers_in_words(host: HostConsole, command: str, answer: list[str]) -> None:
    assert host.ask(command) == answer


def test_every_command_ends_with_ready_and_line_ends_are_no_part_of_it(host: HostConsole) -> None:
    assert host.send("na\r\nme%\r\nname%") == ["m-name-dut-[lan-host]", "m-ready"] * 2


def test_a_command_too_long_is_refused_whole(host: HostConsole) -> None:
    assert host.ask("x" * 257) == ["e-[Command longer than 256 characters]"]
    assert host.ask("name" + " " * 252) == ["m-name-dut-[lan-host]"]


def test_a_command_with_lost_bytes_is_refused_and_the_next_one_runs(host: HostConsole) -> None:
    host.send("na")
    host.lose_bytes()
    assert host.ask("me") == ["e-[Bytes lost on reception]"]
    assert host.ask("name") == ["m-name-dut-[lan-host]"]


def test_bytes_that_no_terminal_should_get_are_not_echoed(host: HostConsole) -> None:
    assert host.ask("\x1b[2J\x80") == ["e-[Unknown command: ?[2J?]"]


def test_loaded_bytes_are_printed_in_rows_of_eight_with_the_references_empty_line(host: HostConsole) -> None:
    assert host.ask("db load 10") == ["m-[Expecting 10 bytes]"]
    assert host.ask("db 00010203") == []
    assert host.ask("db 0405060708fFee") == ["m-load-done"]  # the byte past the tenth is dropped
    rows = ["m-buffer-00-01-02-03-04-05-06-07", "m-buffer-08-ff", ""]
    assert host.ask("db print") == rows
    assert host.ask("db print 3 7") == ["m-buffer-07-08-ff", ""]
    assert host.ask("db print 8") == rows[:1]
    assert host.ask("db 00") == ["e-[Command 'db' has no load in progress]"]


@pytest.mark.parametrize(
    ("digits", "error"),
    [
        ("0", "Insufficent number of hex digits"),
        ("0g", "Invalid hex digit '0g'"),
        ("+1", "Invalid hex digit '+1'"),
    ],
)
def test_digits_that_are_none_are_refused(host: HostConsole, digits: str, error: str) -> None:
    host.ask("db load 2")
    assert host.ask(f"db {digits}") == [f"e-[{error}]"]


def test_a_buffer_half_full_is_never_taken_for_audio(host: HostConsole) -> None:
    host.ask("db load 4")
    host.ask("db 0102")
    for command in ("infer 1 0", "lnn listen 100"):
        assert host.ask(command) == ["e-[Input db has 2 bytes, expected 4]"]
        assert "R" not in host.trace
    host.ask("db 0304")
    assert host.ask("infer 1 0")[-1].startswith("m-results-[")


def test_half_a_sample_is_no_audio_and_no_reason_to_hear_something_else(host: HostConsole) -> None:
    host.ask("db load 1")
    assert host.ask("db 01") == ["m-load-done"]
    for command in ("infer 1 0", "lnn listen 100"):
        assert host.ask(command) == ["e-[Input db has 1 bytes, expected 2]"]
        assert "R" not in host.trace


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("db print 1 5", "db print offset must be a number from 0 to 4"),
        ("db print 1 x", "db print offset must be a number from 0 to 4"),
        ("db print 3 2", "db print count must be a number from 0 to 2"),
        ("db print -1", "db print count must be a number from 0 to 4"),
    ],
)
def test_no_byte_outside_the_buffer_is_printed(host: HostConsole, command: str, error: str) -> None:
    host.ask("db load 4")
    host.ask("db 01020304")
    assert host.ask(command) == [f"e-[{error}]"]


def test_the_last_fault_is_told_as_the_port_kept_it(host: HostConsole) -> None:
    assert host.ask("lnn fault") == ["m-lnn-fault-[none]"]
    host.keeps_fault("fault hardfault pc=0x00001234")
    assert host.ask("lnn fault") == ["m-lnn-fault-[fault hardfault pc=0x00001234]"]
    for command in ("lnn fault soft", "lnn fault hard now"):
        assert host.ask(command) == ["e-[lnn fault takes hard or stack]"]


@pytest.mark.parametrize("ticks", [0, 1, 32_767, 1 << 32, (1 << 64) // 1_000_000 + 12_345, 1 << 50])
def test_the_time_is_right_modulo_its_width_however_long_the_device_has_run(
    host: HostConsole, ticks: int
) -> None:
    host.run_to(ticks)
    assert host.ask("timestamp") == [f"m-lap-us-{ticks * 1_000_000 // 32_768 % (1 << 32)}"]


def test_infer_answers_as_the_reference_does(host: HostConsole) -> None:
    lines = host.ask("infer 3 2")
    patterns = [
        "m-warmup-start-2", "m-warmup-done", "m-infer-start-3", r"m-lap-us-\d+", r"m-lap-us-\d+",
        "m-infer-done", r"m-results-\[(\d\.\d{3},){11}\d\.\d{3}\]",
    ]  # fmt: skip
    assert len(lines) == len(patterns)
    assert all(re.fullmatch(p, line) for p, line in zip(patterns, lines, strict=True))
    assert host.ask("results") == [lines[-1]]
    assert host.ask("infer")[0] == "m-warmup-start-10"


def test_results_are_the_probabilities_of_the_last_logits(host: HostConsole) -> None:
    shown = protocol.parse_line(host.ask("infer 5 0")[-1])
    (line,) = host.ask("lnn logits")
    words = re.fullmatch(r"m-lnn-logits-\[(.*)\]", line)[1].split(",")
    logits = [struct.unpack(">f", bytes.fromhex(word))[0] for word in words]
    assert isinstance(shown, protocol.Results)
    assert len(logits) == len(shown.values) == CLASSES
    top = max(range(CLASSES), key=logits.__getitem__)
    assert max(range(CLASSES), key=shown.values.__getitem__) == top


def test_the_marker_encloses_the_inference_and_nothing_else(host: HostConsole) -> None:
    host.ask("infer 3 1")
    # a warm-up without marker; console off, phase up, (inference, sleep) three times, phase down, console on
    assert host.trace.replace("W", "") == "R" + "Q" + "P" + "IRiS" * 3 + "p" + "q"
    assert "W" not in host.trace[host.trace.index("Q") : host.trace.index("q")]


def test_back_to_back_pace_never_sleeps(host: HostConsole) -> None:
    host.ask("lnn pace 0")
    host.ask("infer 4 0")
    assert host.trace.replace("W", "") == "QP" + "IRi" * 4 + "pq"


def test_frames_start_at_the_pace_exactly_over_a_long_run(host: HostConsole) -> None:
    before = protocol.parse_line(host.ask("timestamp")[0])
    host.ask("lnn pace 33")  # 1081.344 ticks: only a carried remainder keeps the pace
    host.ask("infer 1000 0")
    after = protocol.parse_line(host.ask("timestamp")[0])
    assert isinstance(before, protocol.Lap)
    assert isinstance(after, protocol.Lap)
    assert after.microseconds - before.microseconds == pytest.approx(33_000_000, abs=31)


@pytest.mark.parametrize(("milliseconds", "frames"), [(1, 1), (32, 1), (33, 2), (10_000, 313)])
def test_listening_starts_a_frame_every_32_ms_and_ends_on_time(
    host: HostConsole, milliseconds: int, frames: int
) -> None:
    host.frame_takes(10)
    before = protocol.parse_line(host.ask("timestamp")[0])
    lines = host.ask(f"lnn listen {milliseconds}")
    after = protocol.parse_line(host.ask("timestamp")[0])
    assert lines == ["m-lnn-listen-start", f"m-lnn-listen-done-[frames={frames}]"]
    assert after.microseconds - before.microseconds == pytest.approx(milliseconds * 1000, abs=62)


def test_a_frame_that_takes_too_long_is_counted_and_its_audio_skipped(host: HostConsole) -> None:
    def counts() -> dict[str, int]:
        (line,) = host.ask("lnn status")
        return {key: int(value) for key, value in protocol.parse_line(line).entries}

    before = counts()
    host.frame_takes(2500)  # 2.4 periods of 1048.576 ticks
    host.ask("infer 4 0")
    assert host.elapsed_s(4) == pytest.approx([0.032, 0.096, 0.096, 0.096])
    after = counts()
    assert after["overruns"] - before["overruns"] == 8
    assert after["inferences"] - before["inferences"] == 4
    assert after["frames"] - before["frames"] == 4


def test_results_do_not_depend_on_what_ran_before(host: HostConsole) -> None:
    host.ask("infer 1 0")
    first = host.ask("lnn logits")
    host.ask("infer 31 5")
    host.ask("infer 1 3")
    assert host.ask("lnn logits") == first


def test_all_that_the_firmware_says_is_understood_by_the_harness(host: HostConsole) -> None:
    commands = "name,profile,timestamp,infer 2 1,results,db load 2,db 0102,lnn id,lnn listen 50,lnn pace"
    for command in (*commands.split(","), "lnn stack", "lnn status"):
        for line in host.ask(command):
            message = protocol.parse_line(line)
            assert not isinstance(message, protocol.Text), line
            assert protocol.render(message) == line or isinstance(message, protocol.Results)


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="%"), max_size=300))
def test_no_input_silences_the_console(firmware: ctypes.CDLL, text: str) -> None:
    host = HostConsole(firmware)
    host.start()
    if re.match(r"\s*(infer|lnn +(listen|fault))\b", text):
        return  # these work for as long as they are told to
    assert host.send(f"{text}%")[-1] == "m-ready"
    assert host.ask("name") == ["m-name-dut-[lan-host]"]
