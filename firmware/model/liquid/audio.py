"""Wave files of one channel and 16 bits, resampling, trimming. numpy and the standard library only."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from liquid.config import RATE

Pcm = npt.NDArray[np.int16]
Signal = npt.NDArray[np.float64]
TRIM_BLOCK = 80  # samples, 10 ms


def read_wave(path: Path) -> tuple[Pcm, int]:
    """Samples and sample rate in Hz. Raises ValueError for anything but 16 bit mono."""
    with wave.open(str(path), "rb") as file:
        if file.getnchannels() != 1 or file.getsampwidth() != 2:
            raise ValueError(
                f"{path}: {file.getnchannels()} channels of {8 * file.getsampwidth()} bits; "
                "expected one channel of 16 bits"
            )
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16), file.getframerate()


def write_wave(path: Path, pcm: Pcm, rate: int = RATE) -> None:
    """Write 16 bit mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())


def resample(signal: Signal, rate: int, to_rate: int = RATE) -> Signal:
    """Band-limited resampling through the spectrum of the whole clip, padded to a whole number of periods."""
    if rate == to_rate:
        return signal
    ratio = Fraction(to_rate, rate)
    periods = -(-(signal.size + rate // 20) // ratio.denominator)
    padded = np.zeros(periods * ratio.denominator)
    padded[: signal.size] = signal
    size = periods * ratio.numerator
    spectrum = np.fft.rfft(padded)
    wanted = np.zeros(size // 2 + 1, np.complex128)
    kept = min(wanted.size, spectrum.size)
    wanted[:kept] = spectrum[:kept]
    resampled = np.fft.irfft(wanted, size) * float(ratio)
    return np.asarray(resampled[: round(signal.size * float(ratio))])


def trimmed(signal: Signal, margin_s: float, below_peak_db: float = 40.0) -> Signal:
    """The part from the first to the last 10 ms that are louder than the peak block less `below_peak_db`."""
    blocks = signal[: signal.size // TRIM_BLOCK * TRIM_BLOCK].reshape(-1, TRIM_BLOCK)
    power = (blocks * blocks).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-below_peak_db / 10))
    margin = round(margin_s * RATE)
    return signal[max(0, loud[0] * TRIM_BLOCK - margin) : (loud[-1] + 1) * TRIM_BLOCK + margin]


def to_pcm(signal: Signal) -> Pcm:
    """Round to int16, clipped at full scale."""
    return np.clip(np.rint(signal), -32768, 32767).astype(np.int16)
