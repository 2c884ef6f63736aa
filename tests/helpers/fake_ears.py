"""`lnn labels` and `lnn hear` for the scripted firmware of `fake_bench`, and recordings that it can name.

The first sample of a recording is the class that this firmware will hear.
"""

from __future__ import annotations

import re
import wave
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from fake_bench import Port

LABELS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "silence", "unknown")
FRAME = 256
_PIECE = re.compile(r"lnn hear ([0-9]+) ([0-9a-f]{8})%")


class Ears:
    """Puts them on a port.

    Attributes:
        labels, max_bytes: What the firmware says of itself.
        pieces: Sizes of the pieces that came, the damaged ones too.
        heard: Every recording that was heard to its end.
        damage: What to do to the bytes of a piece on their way.
        dropped: Frames that each recording loses.
        extra_frames: Frames that are counted too many.
        on_piece: Called before each piece is taken.
    """

    def __init__(self, port: Port, labels: tuple[str, ...] = LABELS, max_bytes: int = 7680) -> None:
        self.labels, self.max_bytes = labels, max_bytes
        self.pieces: list[int] = []
        self.heard: list[np.ndarray[Any, Any]] = []
        self.damage: Callable[[bytes], bytes] = lambda data: data
        self.dropped = self.extra_frames = 0
        self.on_piece: Callable[[], None] = lambda: None
        self._port = port
        self._write = port.write
        self._expected = self._checksum = 0
        self._audio = b""
        writing: Any = self.write
        port.write = writing  # type: ignore[method-assign]
        port.answers["lnn labels"] = lambda: [f"m-lnn-labels-[{','.join(self.labels)}]"]
        port.answers["lnn hear start"] = self._start
        port.answers["lnn hear end"] = self._end

    def write(self, data: bytes) -> None:
        if self._expected:
            self._take(data)
            return
        piece = _PIECE.fullmatch(data.decode())
        if piece is None:
            self._write(data)
            return
        self._expected, self._checksum = int(piece[1]), int(piece[2], 16)
        self._port.on_command(data.decode())
        self._port.say(f"m-lnn-hear-ready-[{self._expected}]")

    def _start(self) -> list[str]:
        self._audio = b""
        return [f"m-lnn-hear-start-[max={self.max_bytes}]"]

    def _take(self, data: bytes) -> None:
        self.on_piece()
        self.pieces.append(len(data))
        expected, self._expected = self._expected, 0
        got = self.damage(data)
        at = self._port.clock.now + 10 * expected / self._port.baudrate
        if len(got) < expected:
            answer = f"e-[Audio: got {len(got)} of {expected} bytes]"
        elif zlib.crc32(got) != self._checksum:
            answer = "e-[Audio: checksum differs]"
        else:
            before = len(self._audio) // 2 // FRAME
            self._audio += got
            frames = len(self._audio) // 2 // FRAME - before
            answer = f"m-lnn-hear-taken-[frames={frames},ran={frames}]"
        self._port.say(answer, "m-ready", at=at)

    def _end(self) -> list[str]:
        samples = np.frombuffer(self._audio, "<i2")
        self.heard.append(samples)
        frames = -(-len(samples) // FRAME) + self.extra_frames
        index = int(samples[0]) % len(self.labels)
        return [
            f"m-lnn-heard-[class={index},label={self.labels[index]},confidence=900,frames={frames},"
            f"ran={frames},dropped={self.dropped}]"
        ]


def audio(heard_as: int = 0, count: int = 1000) -> np.ndarray[Any, Any]:
    """A recording that the firmware takes for this class."""
    samples = np.random.default_rng(heard_as).integers(-3000, 3000, count).astype(np.int16)
    samples[0] = heard_as
    return samples


def write_wave(
    path: Path, samples: np.ndarray[Any, Any], *, rate: int = 8000, channels: int = 1, width: int = 2
) -> Path:
    """A wave file; samples of another width than 16 bits are zeros, as many of them."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        data = samples.astype("<i2").tobytes() if width == 2 else bytes(len(samples) * width)
        file.writeframes(data)
    return path


def write_dataset(folder: Path, names: Iterable[tuple[str, int]]) -> Path:
    """A folder of recordings: name without suffix, and the class that they are heard as."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, heard_as in names:
        write_wave(folder / f"{name}.wav", audio(heard_as))
    return folder
