"""common/features.c and common/fft.c: PCM frames to log-mel energies, many frames at once, in float32."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from liquid.config import CONFIG, FRAME, RATE
from liquid.fmath import F, Floats, log2f

MEL_LOW_HZ, MEL_HIGH_HZ = 60.0, 3800.0
MELS = CONFIG["MELS"]
FLOOR = F(1.0 / 1048576.0)
POINTS = FRAME // 2
Doubles = npt.NDArray[np.float64]


def hz_to_mel(hz: Doubles | float) -> Doubles:
    """The mel scale of O'Shaughnessy (1987): 2595 log10(1 + f / 700)."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0))


def mel_filters() -> Doubles:
    """Triangular filters, [bands, frame / 2 + 1], linear in mel, peak 1 between the neighbours' centres."""
    edges = np.linspace(hz_to_mel(MEL_LOW_HZ), hz_to_mel(MEL_HIGH_HZ), MELS + 2)
    mel = hz_to_mel(np.arange(POINTS + 1) * RATE / FRAME)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.asarray(
        np.maximum(0.0, np.minimum((mel - low) / (centre - low), (high - mel) / (high - centre)))
    )


def half_window() -> Doubles:
    """First half of a periodic Hann window, centre included, times 1/32768."""
    n = np.arange(POINTS + 1)
    return np.asarray((0.5 - 0.5 * np.cos(2.0 * np.pi * n / FRAME)) / 32768.0)


def twiddles() -> Doubles:
    """cos, sin of -2 pi k / FRAME for three quarters of a turn, [k, 2]."""
    angle = -2.0 * np.pi * np.arange(3 * FRAME // 4) / FRAME
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


_FILTERS = mel_filters()
FIRST = np.array([np.flatnonzero(row)[0] for row in _FILTERS])
COUNT = np.array([np.count_nonzero(row) for row in _FILTERS])
WEIGHT = [row[f : f + c].astype(np.float32) for row, f, c in zip(_FILTERS, FIRST, COUNT, strict=True)]
_HALF = half_window().astype(np.float32)
_WINDOW = np.concatenate([_HALF[:POINTS], _HALF[POINTS:0:-1]])
_COS, _SIN = twiddles().astype(np.float32).T


def _twiddled(re: Floats, im: Floats, w_re: Floats, w_im: Floats) -> tuple[Floats, Floats]:
    return re * w_re - im * w_im, re * w_im + im * w_re


def _pass4(re: Floats, im: Floats, n: int, stride: int) -> tuple[Floats, Floats]:
    """One radix-4 pass; arrays are [point, frame]."""
    quarter, frames = n // 4, re.shape[1]
    a, b, c, d = zip(
        re.reshape(4, quarter, stride, frames), im.reshape(4, quarter, stride, frames), strict=True
    )
    ac, a_c = (a[0] + c[0], a[1] + c[1]), (a[0] - c[0], a[1] - c[1])
    bd, b_d = (b[0] + d[0], b[1] + d[1]), (b[0] - d[0], b[1] - d[1])
    turned = (
        (a_c[0] + b_d[1], a_c[1] - b_d[0]),
        (ac[0] - bd[0], ac[1] - bd[1]),
        (a_c[0] - b_d[1], a_c[1] + b_d[0]),
    )
    out_re = np.empty((quarter, 4, stride, frames), np.float32)
    out_im = np.empty_like(out_re)
    out_re[:, 0], out_im[:, 0] = ac[0] + bd[0], ac[1] + bd[1]
    for k, (t_re, t_im) in enumerate(turned, 1):
        at = 2 * k * stride * np.arange(quarter)
        out_re[:, k], out_im[:, k] = _twiddled(t_re, t_im, _COS[at, None, None], _SIN[at, None, None])
    return out_re.reshape(-1, frames), out_im.reshape(-1, frames)


def power_spectrum(samples: Floats) -> Floats:
    """|X[k]|^2 of real frames: [frames, FRAME] to [frames, FRAME / 2 + 1]."""
    re, im = np.ascontiguousarray(samples[:, 0::2].T), np.ascontiguousarray(samples[:, 1::2].T)
    for n, stride in ((128, 1), (32, 4), (8, 16)):
        re, im = _pass4(re, im, n, stride)
    half = POINTS // 2
    re, im = (np.concatenate([v[:half] + v[half:], v[:half] - v[half:]]) for v in (re, im))
    power = np.empty((POINTS + 1, samples.shape[0]), np.float32)
    power[0] = (re[0] + im[0]) * (re[0] + im[0])
    power[POINTS] = (re[0] - im[0]) * (re[0] - im[0])
    k = np.arange(1, half + 1)
    z_re, z_im, m_re, m_im = re[k], im[k], re[POINTS - k], im[POINTS - k]
    even_re, even_im = F(0.5) * (z_re + m_re), F(0.5) * (z_im - m_im)
    odd_re, odd_im = F(0.5) * (z_im + m_im), F(0.5) * (m_re - z_re)
    t_re, t_im = _twiddled(odd_re, odd_im, _COS[k, None], _SIN[k, None])
    low_re, low_im, high_re, high_im = even_re + t_re, even_im + t_im, even_re - t_re, even_im - t_im
    # for k = half both lines give the same bin; the firmware writes it in this order, too
    power[k] = low_re * low_re + low_im * low_im
    power[POINTS - k] = high_re * high_re + high_im * high_im
    return power.T


def log_mel(frames: npt.NDArray[np.int16]) -> Floats:
    """log2 mel energies before the model's mean and scale: int16 [frames, FRAME] to [frames, MELS]."""
    if len(frames) == 0:
        return np.empty((0, MELS), np.float32)
    power = power_spectrum(frames.astype(np.float32) * _WINDOW).T
    bands = np.empty((MELS, frames.shape[0]), np.float32)
    for band, (first, weights) in enumerate(zip(FIRST, WEIGHT, strict=True)):
        total = np.full(frames.shape[0], FLOOR)
        for offset, weight in enumerate(weights):
            total = total + power[first + offset] * weight
        bands[band] = log2f(total)
    return bands.T
