"""`lnn hear` on the host: recorded audio in pieces, and what becomes of pieces that go wrong."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest
from firmware_host import FIRMWARE, HostConsole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lan_hil.dut import protocol

FRAME = 256
PIECE_MAX = 7680


def send(
    host: HostConsole, piece: bytes, *, checksum: int | None = None, arriving: bytes | None = None
) -> list[str]:
    """One piece; by default it arrives whole, with its own checksum."""
    host.receives(piece if arriving is None else arriving)
    crc = zlib.crc32(piece) if checksum is None else checksum
    return host.ask(f"lnn hear {len(piece)} {crc:08x}")


def audio(samples: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-20000, 20000, samples).astype(np.int16)


def fields(line: str) -> dict[str, str]:
    return dict(part.split("=") for part in line.partition("[")[2].rstrip("]").split(","))


def test_labels_are_the_classes_in_order(host: HostConsole) -> None:
    digits = ",".join(map(str, range(10)))
    assert host.ask("lnn labels") == [f"m-lnn-labels-[{digits},silence,unknown]"]


def test_a_word_goes_through_start_pieces_and_end(host: HostConsole) -> None:
    assert host.ask("lnn hear start") == [f"m-lnn-hear-start-[max={PIECE_MAX}]"]
    samples = audio(5 * FRAME)
    assert send(host, samples.tobytes()) == ["m-lnn-hear-ready-[2560]", "m-lnn-hear-taken-[frames=5,ran=5]"]
    assert (host.heard(5, FRAME).reshape(-1) == samples).all()
    assert host.elapsed_s(5) == pytest.approx([0.032] * 5)
    (line,) = host.ask("lnn hear end")
    answer = fields(line)
    assert (answer["frames"], answer["ran"], answer["dropped"]) == ("5", "5", "0")
    probabilities = [float(p) for p in re.findall(r"[\d.]+", host.ask("results")[0].partition("[")[2])]
    best = int(np.argmax(probabilities))
    assert (int(answer["class"]), answer["label"]) == (best, str(best) if best < 10 else answer["label"])
    assert int(answer["confidence"]) / 1000 == pytest.approx(probabilities[best], abs=0.0011)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 1500), min_size=1, max_size=8))
def test_how_audio_is_cut_makes_no_difference(host: HostConsole, sizes: list[int]) -> None:
    samples = audio(sum(sizes), seed=len(sizes))
    frames = -(-samples.size // FRAME)
    padded = np.zeros(frames * FRAME, np.int16)
    padded[: samples.size] = samples
    host.ask("lnn hear start")
    got, at, done = [], 0, 0
    for size in sizes:
        lines = send(host, samples[at : at + size].tobytes())
        at += size
        count = int(fields(lines[-1])["frames"])
        got.append(host.heard(count, FRAME))
        done += count
        assert done == at // FRAME
    (line,) = host.ask("lnn hear end")
    got.append(host.heard(frames - done, FRAME))
    assert int(fields(line)["frames"]) == frames
    assert (np.concatenate(got).reshape(-1) == padded).all()


def test_the_network_starts_from_rest_for_every_recording(host: HostConsole) -> None:
    def once() -> tuple[list[str], list[str]]:
        host.ask("lnn hear start")
        send(host, audio(10 * FRAME).tobytes())
        return host.ask("lnn hear end"), host.ask("lnn logits")

    first = once()
    host.ask("lnn hear start")
    send(host, audio(10 * FRAME, seed=2).tobytes())
    assert once() == first


def test_every_frame_is_heard_under_the_inference_marker(host: HostConsole) -> None:
    host.ask("lnn hear start")
    send(host, audio(3 * FRAME).tobytes())
    assert host.trace.replace("W", "") == "IRi" * 3


def test_frames_that_the_gate_keeps_shut_are_counted_apart(host: HostConsole) -> None:
    host.ask("lnn hear start")
    assert send(host, audio(2 * FRAME).tobytes())[-1] == "m-lnn-hear-taken-[frames=2,ran=2]"
    host.shut_gate()
    assert send(host, audio(3 * FRAME).tobytes())[-1] == "m-lnn-hear-taken-[frames=3,ran=0]"
    assert "I" not in host.trace
    assert {"frames": "5", "ran": "2"}.items() <= fields(host.ask("lnn hear end")[0]).items()
    assert {"frames": "5", "inferences": "2", "ran": "2"}.items() <= fields(host.ask("lnn status")[0]).items()


@pytest.mark.parametrize("arriving", [b"", bytes(100), bytes(511)])
def test_a_piece_cut_short_is_refused_and_counted(host: HostConsole, arriving: bytes) -> None:
    host.ask("lnn hear start")
    lines = send(host, bytes(512), arriving=arriving)
    assert lines == ["m-lnn-hear-ready-[512]", f"e-[Audio: got {len(arriving)} of 512 bytes]"]
    assert "R" not in host.trace
    assert send(host, audio(FRAME).tobytes())[-1] == "m-lnn-hear-taken-[frames=1,ran=1]"
    assert fields(host.ask("lnn hear end")[0])["dropped"] == "1"


def test_a_piece_with_a_wrong_byte_is_refused_and_nothing_of_it_is_heard(host: HostConsole) -> None:
    host.ask("lnn hear start")
    good = audio(700)
    send(host, good[:100].tobytes())
    bad = bytearray(good[100:].tobytes())
    bad[7] ^= 1
    lines = send(host, good[100:].tobytes(), arriving=bytes(bad))
    assert lines[-1] == "e-[Audio: checksum differs]"
    assert "R" not in host.trace
    send(host, good[100:].tobytes())  # again: it joins what was there before
    assert (host.heard(2, FRAME).reshape(-1) == good[:512]).all()
    assert fields(host.ask("lnn hear end")[0])["dropped"] == "3"  # 600 samples


def test_bytes_that_the_line_lost_refuse_the_piece_and_not_the_next_command(host: HostConsole) -> None:
    host.ask("lnn hear start")
    host.loses(1)
    assert send(host, bytes(512))[-1] == "e-[Audio: checksum differs]"
    assert host.ask("name") == ["m-name-dut-[lan-host]"]


def test_what_comes_behind_a_bad_piece_is_no_command(host: HostConsole) -> None:
    host.ask("lnn hear start")
    send(host, bytes(512), checksum=1, arriving=bytes(512) + b"name%")
    assert send(host, audio(FRAME).tobytes())[-1] == "m-lnn-hear-taken-[frames=1,ran=1]"


SIZES = f"e-[lnn hear size in bytes, even, must be a number from 2 to {PIECE_MAX}]"
CHECKSUM = "e-[lnn hear checksum must be 8 hex digits]"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("", SIZES),
        ("0 00000000", SIZES),
        ("3 00000000", SIZES),
        (f"{PIECE_MAX + 2} 00000000", SIZES),
        ("start now", SIZES),
        ("-2 00000000", SIZES),
        ("2", CHECKSUM),
        ("2 1234567", CHECKSUM),
        ("2 123456789", CHECKSUM),
        ("2 1234567g", CHECKSUM),
        ("2 12345678 9", CHECKSUM),
        ("end", "e-[Audio: nothing was heard]"),
    ],
)
def test_bad_words_are_answered_at_once(host: HostConsole, command: str, answer: str) -> None:
    host.ask("lnn hear start")
    assert host.ask(f"lnn hear {command}") == [answer]


@pytest.mark.parametrize("between", ["infer 1 0", "lnn listen 40", "db load 2", "lnn hear end"])
def test_a_recording_ends_when_something_else_takes_the_network_or_the_buffer(
    host: HostConsole, between: str
) -> None:
    host.ask("lnn hear start")
    send(host, bytes(20))
    host.ask(between)
    assert send(host, bytes(20)) == ["e-[Audio: say lnn hear start first]"]


def test_hearing_leaves_an_empty_buffer_to_infer(host: HostConsole) -> None:
    clean = host.ask("infer 3 2")[-1]
    host.ask("db load 4")
    host.ask("db 01020304")
    host.ask("lnn hear start")
    send(host, audio(FRAME).tobytes())
    host.ask("lnn hear end")
    assert host.ask("infer 3 2")[-1] == clean
    assert host.ask("db 01") == ["e-[Command 'db' has no load in progress]"]


def test_checksum_is_that_of_zlib_for_every_length(host: HostConsole) -> None:
    for size in (2, 4, 6, 16, 510, PIECE_MAX):
        host.ask("lnn hear start")
        piece = bytes(np.random.default_rng(size).integers(0, 256, size, np.uint8))
        assert send(host, piece)[-1].startswith("m-lnn-hear-taken")


def test_the_harness_understands_every_answer(host: HostConsole) -> None:
    lines = host.ask("lnn labels") + host.ask("lnn hear start") + send(host, audio(FRAME).tobytes())
    for line in [*lines, *host.ask("lnn hear end"), *host.ask("lnn status"), *host.ask("lnn metrics")]:
        message = protocol.parse_line(line)
        assert not isinstance(message, protocol.Text), line
        assert protocol.render(message) == line


def test_piece_size_is_whole_frames_of_the_shared_buffer() -> None:
    config = (FIRMWARE / "common" / "config.h").read_text()
    found = re.search(r"LAN_DB_BYTES (\d+)u", config)
    assert found is not None
    assert int(found[1]) - 2 * FRAME == PIECE_MAX
