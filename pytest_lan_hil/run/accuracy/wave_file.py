"""One recording as the DUT can hear it: a wave file of 16-bit samples, one channel, resampled to 8 kHz.

Whatever else a file holds is refused with what was found and the command that mends it, never converted in
silence: a channel dropped or a word cut short changes what is measured. Only the sample rate is converted
(soxr, very high quality), and the result says so.
"""

from __future__ import annotations

import io
import shlex
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.dut.hearing import SAMPLE_RATE_HZ
from pytest_lan_hil.model.errors import InputError

RATES_HZ = range(1_000, 1_000_001)
"""Sample rates of sound; a header that says another is damaged."""

# Format tags of mmreg.h: what a wave file can hold that is not PCM.
_FORMATS = {2: "ADPCM", 3: "floating point", 6: "A-law", 7: "mu-law", 65534: "extensible"}
_SAMPLE_BYTES = 2


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
        raise Unusable("the file is empty, 0 bytes", f"get it again, or leave it out: rm {shlex.quote(name)}")
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, rate_hz = file.getnchannels(), file.getsampwidth(), file.getframerate()
            promised = file.getnframes()
            _require_format(channels, width, rate_hz, name)
            body = file.readframes(promised)
    except (wave.Error, EOFError) as error:
        raise _unreadable(str(error), name) from None
    whole = len(body) // _SAMPLE_BYTES
    if whole < promised:
        raise Unusable(
            f"cut short: its header says {promised} samples, {whole} are there",
            f"get it again, or keep what is there: {_sox(name, '--ignore-length')}",
        )
    if not promised:
        raise Unusable("it holds no sound: 0 samples", f"leave it out: rm {shlex.quote(name)}")
    return Sound(np.frombuffer(body, "<i2").astype(np.int16), rate_hz)


def _require_format(channels: int, width: int, rate_hz: int, name: str) -> None:
    if channels != 1:
        kind = "stereo, 2 channels" if channels == 2 else f"{channels} channels"
        raise Unusable(f"{kind}; the DUT has one microphone", _sox(name, "", "-c 1"))
    if width != _SAMPLE_BYTES:
        raise Unusable(f"{8 * width}-bit samples; the DUT hears 16-bit ones", _sox(name, "", "-b 16"))
    if rate_hz not in RATES_HZ:
        raise Unusable(
            f"a sample rate of {rate_hz} Hz",
            f"its header is damaged: get it again, or rm {shlex.quote(name)}",
        )


def _unreadable(error: str, name: str) -> Unusable:
    kind, colon, tag = error.partition("unknown format: ")
    if colon and not kind:
        what = _FORMATS.get(int(tag), f"format {tag}")
        return Unusable(
            f"{what} samples; the DUT hears 16-bit PCM", _sox(name, "", "-b 16 -e signed-integer")
        )
    return Unusable(
        f"not a wave file ({error or 'it ends in its header'})",
        f"get it again, or convert what it is: ffmpeg -i {shlex.quote(name)} -ac 1 -c:a pcm_s16le mended.wav",
    )


def _sox(name: str, before: str, after: str = "") -> str:
    quoted = shlex.quote(name)
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
