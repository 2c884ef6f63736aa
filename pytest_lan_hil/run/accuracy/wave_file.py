"""One recording as the DUT can hear it: a wave file of 16-bit samples, one channel, resampled to 8 kHz.

Whatever else a file holds is refused with what was found and the command that mends it, never converted in
silence: a channel dropped or a word cut short changes what is measured. Only the sample rate is converted
(soxr, very high quality), and the result says so.

Chunks and formats follow Microsoft's mmreg.h (WAVEFORMATEX, WAVEFORMATEXTENSIBLE). They are read here and not
by Python's `wave`, which takes extensible files from 3.12 on only, and breaks off at damaged chunks.
"""

from __future__ import annotations

import shlex
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.dut.hearing import SAMPLE_RATE_HZ
from pytest_lan_hil.model.errors import InputError

RATES_HZ = range(1_000, 1_000_001)
"""Sample rates of sound; a header that says another is damaged."""

# Format tags: PCM, the one that stands for "see further down", and what else a wave file may well hold.
_PCM, _EXTENSIBLE = 1, 0xFFFE
_FORMATS = {2: "ADPCM", 3: "floating point", 6: "A-law", 7: "mu-law"}
# Of an extensible format: its tag, at the start of a GUID that is this from there on (KSDATAFORMAT_SUBTYPE).
_SUBTYPE_AT, _SUBTYPE = 24, bytes.fromhex("000000001000800000aa00389b71")
_FORMAT = struct.Struct("<HHIIHH")
_SAMPLE_BYTES = 2
# What programs write who can't go back to the header: "to the end of the file".
_UNKNOWN_LENGTH = 0xFFFF_FFFF


class Unusable(Exception):
    """A recording that can't be used.

    Attributes:
        found: What was found.
        mend: What to do, a shell command where there is one.
    """

    def __init__(self, found: str, mend: str) -> None:
        super().__init__(found)
        self.found = found
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Sound:
    """The samples of a wave file, as they stand in it."""

    samples: NDArray[np.int16]
    rate_hz: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate_hz


def read_wave(data: bytes, name: str) -> Sound:
    """The sound in the bytes of a wave file.

    Args:
        data: The whole file.
        name: Of the file, for the command that mends it.

    Raises:
        Unusable: It is no wave file, or not 16-bit PCM of one channel, or empty, or shorter than its header
            says.
    """
    if not data:
        raise Unusable("the file is empty, 0 bytes", f"get it again, or leave it out: rm {_shell(name)}")
    found = _chunks(data, name)
    rate_hz = _require_format(found[b"fmt "][1], name)
    size, body = found[b"data"]
    promised, whole = size // _SAMPLE_BYTES, len(body) // _SAMPLE_BYTES
    if size == _UNKNOWN_LENGTH:
        raise Unusable(
            f"its header does not say how long it is; {whole} samples are there",
            f"it was written into a pipe: {_sox(name, '--ignore-length')}",
        )
    if whole < promised:
        raise Unusable(
            f"cut short: its header says {promised} samples, {whole} are there",
            f"get it again, or keep what is there: {_sox(name, '--ignore-length')}",
        )
    if not promised:
        raise Unusable("it holds no sound: 0 samples", f"leave it out: rm {_shell(name)}")
    return Sound(np.frombuffer(body, "<i2", promised).astype(np.int16), rate_hz)


def _chunks(data: bytes, name: str) -> dict[bytes, tuple[int, bytes]]:
    """Of the chunks "fmt " and "data" the size that the file gives, and what there is of it."""
    if data[:4] != b"RIFF":
        raise _unreadable("it does not start with RIFF", name)
    if data[8:12] != b"WAVE":
        raise _unreadable(f"a RIFF file of another kind, {data[8:12]!r}", name)
    found: dict[bytes, tuple[int, bytes]] = {}
    at = 12
    while at + 8 <= len(data) and b"data" not in found:
        kind, size = struct.unpack_from("<4sI", data, at)
        found.setdefault(kind, (size, data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    if b"data" not in found:
        raise _unreadable("it ends before its sound begins", name)
    if len(found.get(b"fmt ", (0, b""))[1]) < _FORMAT.size:
        raise _unreadable("nothing before its sound says what kind of sound it is", name)
    return found


def _require_format(told: bytes, name: str) -> int:
    """The sample rate of a format that the DUT can hear; a refusal tells all that is in the way."""
    tag, channels, rate_hz, _, _, bits = _FORMAT.unpack_from(told)
    if tag == _EXTENSIBLE and told[_SUBTYPE_AT + 2 :][: len(_SUBTYPE)] == _SUBTYPE:
        (tag,) = struct.unpack_from("<H", told, _SUBTYPE_AT)
    if not channels:
        raise _unreadable("of 0 channels", name)
    problems, options = [], []
    if channels != 1:
        kind = "stereo, 2 channels" if channels == 2 else f"{channels} channels"
        problems.append(f"{kind}; the DUT has one microphone")
        options.append("-c 1")
    if tag != _PCM:
        problems.append(f"{_FORMATS.get(tag, f'format {tag}')} samples; the DUT hears 16-bit PCM")
        options.append("-b 16 -e signed-integer")
    elif -(-bits // 8) != _SAMPLE_BYTES:
        problems.append(f"{bits}-bit samples; the DUT hears 16-bit ones")
        options.append("-b 16")
    if problems:
        raise Unusable(", and ".join(problems), _sox(name, "", " ".join(options)))
    if rate_hz not in RATES_HZ:
        raise Unusable(
            f"a sample rate of {rate_hz} Hz",
            f"its header is damaged: get it again, or rm {_shell(name)}",
        )
    return int(rate_hz)


def _unreadable(what: str, name: str) -> Unusable:
    return Unusable(
        f"not a wave file ({what})",
        f"get it again, or convert what it is: ffmpeg -i {_shell(name)} -ac 1 -c:a pcm_s16le mended.wav",
    )


def _shell(name: str) -> str:
    """A file's name for a shell, and for programs that take what starts with a dash for an option."""
    return shlex.quote(f"./{name}" if name.startswith("-") else name)


def _sox(name: str, before: str, after: str = "") -> str:
    quoted = _shell(name)
    words = ("sox", before, quoted, after, "mended.wav && mv mended.wav", quoted)
    return " ".join(word for word in words if word)


def load_resampler(rate_hz: int) -> Any:
    """The package that resamples.

    Args:
        rate_hz: Of a recording that needs it, for the message.

    Raises:
        InputError: It is not installed.
    """
    try:
        import soxr
    except ImportError as error:
        raise InputError(
            f"a recording at {rate_hz} Hz must be resampled to {SAMPLE_RATE_HZ} Hz, with soxr: {error}",
            fix=f"pip install 'pytest-lan-hil[audio]', or give recordings at {SAMPLE_RATE_HZ} Hz",
        ) from error
    return soxr


def as_heard(sound: Sound) -> NDArray[np.int16]:
    """The samples at the DUT's 8 kHz; the same array where they are.

    Raises:
        InputError: They must be resampled, and soxr is not installed.
    """
    if sound.rate_hz == SAMPLE_RATE_HZ:
        return sound.samples
    soxr = load_resampler(sound.rate_hz)
    # In floating point, and rounded here: soxr dithers where it rounds by itself.
    wide = soxr.resample(sound.samples.astype(np.float64), sound.rate_hz, SAMPLE_RATE_HZ, quality="VHQ")
    limits = np.iinfo(np.int16)
    resampled: NDArray[np.int16] = np.clip(np.rint(wide), limits.min, limits.max).astype(np.int16)
    return resampled if resampled.size else np.zeros(1, np.int16)


def read_file(path: Path) -> bytes:
    """The bytes of a recording.

    Raises:
        Unusable: It can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"it can't be read: {error.strerror or error}", "mend its permissions") from error
