"""Recorded audio for the DUT's ears: streamed over the console, piece by piece, each under a checksum.

`lnn hear` of docs/reference/dut-console.md: 16-bit audio at 8 kHz goes past the microphone straight into
gate and network. A piece that arrives damaged is not heard; the recording is then sent again from its start,
once, because only a fresh start leaves no doubt about what the network has heard.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.dut import protocol
from pytest_lan_hil.dut.answering import ANSWER_S, only
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.lnn_protocol import Heard, HearReady, HearStart, HearTaken, Labels
from pytest_lan_hil.model.errors import ConsoleError, DutProtocolError, InputError

SAMPLE_RATE_HZ = 8000
FRAME = 256
"""Samples that the DUT takes in at once."""

# Longest that one piece is on the line: a port's driver takes no more than some seconds at once, and a piece
# that is lost is lost whole.
_PIECE_S = 2.0
# Per frame, on top of the time on the line: far above the 32 ms that a frame lasts.
_PER_FRAME_S = 0.5

# What the DUT says of a piece, or of a command, that did not arrive as it was sent.
_DAMAGE = re.compile(r"(?<=Audio: )(checksum|got ).*|Bytes lost on reception.*")

_M = TypeVar("_M")


@dataclass(frozen=True, slots=True)
class Answer(Heard):
    """What the DUT heard, and what it took to tell it.

    Attributes:
        resent: Times that the recording was sent again because a piece of it arrived damaged.
    """

    resent: int = 0


class _Damaged(Exception):
    """A piece, or a command, arrived otherwise than it was sent."""


def labels(dut: Dut) -> tuple[str, ...]:
    """The classes of the DUT's network, in the order of its answers.

    Raises:
        InputError: This firmware can't be given audio to hear.
        DutError, ConsoleError: It does not answer.
    """
    try:
        found = _ask(dut, "lnn labels", Labels)
    except _Damaged:
        found = only(dut.command("lnn labels"), Labels)
    twice = sorted({label for label in found.labels if found.labels.count(label) > 1})
    if twice:
        raise DutProtocolError(
            f"two classes of the DUT have one label: {', '.join(twice)}",
            fix="give each class of the network a label of its own",
        )
    return found.labels


def hear(dut: Dut, samples: NDArray[np.int16]) -> Answer:
    """Let the DUT hear a recording from silence, and name it.

    Args:
        dut: Ready.
        samples: At 8 kHz, int16, at least one.

    Raises:
        InputError: No samples, samples of another type, or firmware without `lnn hear`.
        ConsoleError: Pieces arrive damaged twice: the line loses bytes.
        DutError: The DUT fails, answers nothing, or something that can't be.
    """
    if samples.dtype != np.int16 or samples.ndim != 1 or not samples.size:
        raise InputError(
            f"the DUT hears int16 samples in one row, at least one; got {samples.dtype} of {samples.shape}",
            fix="convert the recording: one channel, 16 bit",
        )
    data = samples.astype("<i2").tobytes()
    try:
        return Answer(**asdict(_hear_once(dut, data)))
    except _Damaged:
        try:
            return Answer(**asdict(_hear_once(dut, data)), resent=1)
        except _Damaged as again:
            raise ConsoleError(
                f"sending {len(data)} bytes of audio over console {dut.console.uri}: pieces arrived damaged"
                f" twice, last: {again}",
                fix="check the cable and its ground, flow control, and a lower `baudrate` of the board",
            ) from None


def _hear_once(dut: Dut, data: bytes) -> Heard:
    start = _ask(dut, "lnn hear start", HearStart)
    size = min(start.max_bytes, int(_PIECE_S * dut.console.baudrate / 10)) // 2 * 2
    if size < 2:
        raise DutProtocolError(
            f"the DUT takes {start.max_bytes} bytes of audio at once; a sample has 2",
            fix="answer `lnn hear start` with a max of one frame at least (512)",
        )
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    taken = [_send(dut, piece) for piece in pieces]
    heard = _ask(dut, "lnn hear end", Heard)
    whole = sum(one.frames for one in taken)
    if heard.frames not in (whole, whole + 1) or heard.ran > heard.frames:
        raise DutProtocolError(
            f"the DUT took {whole} frames of audio, and then says that it heard {heard.frames}, its network"
            f" ran in {heard.ran}",
            fix="count frames from `lnn hear start` on, and the last one that is filled up with silence",
        )
    return heard


def _send(dut: Dut, piece: bytes) -> HearTaken:
    def when_ready(message: protocol.Message) -> None:
        if message == HearReady(len(piece)):
            dut.console.write_bytes(piece)

    on_line_s = 10 * len(piece) / dut.console.baudrate
    limit_s = ANSWER_S + 2 * on_line_s + _PER_FRAME_S * (len(piece) / 2 / FRAME)
    command = f"lnn hear {len(piece)} {zlib.crc32(piece):08x}"
    try:
        lines = dut.command(command, timeout_s=limit_s, heed=when_ready)
    except DutProtocolError as error:
        _raise_if_damaged(error)
        raise
    return only(lines, HearTaken)


def _raise_if_damaged(error: DutProtocolError) -> None:
    damage = _DAMAGE.search(error.problem)
    if damage:
        raise _Damaged(damage[0]) from error


def _ask(dut: Dut, command: str, kind: type[_M]) -> _M:
    try:
        return only(dut.command(command), kind)
    except DutProtocolError as error:
        _raise_if_damaged(error)
        if "unknown command" not in error.problem.lower():
            raise
        raise InputError(
            f"the firmware on the DUT does not know {command!r}: it can't be given recordings to hear",
            fix="plain MLPerf Tiny firmware is tested with its own inputs:"
            " lan-hil mlperf accuracy --dataset DIR",
        ) from error
