"""common/fmath.h in float32, operation by operation: the same bits wherever nothing is fused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
F = np.float32


def log2f(x: Floats) -> Floats:
    """log2 of normal x > 0."""
    shifted = x.view(np.uint32) - np.uint32(0x3F3504F3)
    exponent = shifted.view(np.int32) >> 23
    mantissa = ((shifted & np.uint32(0x007FFFFF)) + np.uint32(0x3F3504F3)).view(np.float32)
    s = (mantissa - F(1)) / (mantissa + F(1))
    s2 = s * s
    p = F(0.41219858)
    for term in (0.57707802, 0.96179669, 2.88539008):
        p = p * s2 + F(term)
    return exponent.astype(np.float32) + p * s


def exp2f(x: Floats) -> Floats:
    """2^x, clamped to [-126, 126]."""
    x = np.minimum(np.maximum(x, F(-126)), F(126))
    whole = (x + np.where(x < 0, F(-0.5), F(0.5))).astype(np.int32)
    t = (x - whole.astype(np.float32)) * F(0.69314718)
    p = np.full_like(x, F(1) / F(720))
    for term in (F(1) / F(120), F(1) / F(24), F(1) / F(6), F(0.5), F(1), F(1)):
        p = p * t + term
    return p * ((whole + 127) << 23).astype(np.int32).view(np.float32)


def tanhf(x: Floats) -> Floats:
    """Lambert's continued fraction of tanh, cut after x^2/13, limited to +-1 beyond +-4.97."""
    inside = np.minimum(np.maximum(x, F(-4.97)), F(4.97))
    x2 = inside * inside
    top = inside * (F(135135) + x2 * (F(17325) + x2 * (F(378) + x2)))
    bottom = F(135135) + x2 * (F(62370) + x2 * (F(3150) + x2 * F(28)))
    limited = np.where(x > F(4.97), F(1), np.where(x < F(-4.97), F(-1), top / bottom))
    return limited.astype(np.float32)


def sigmoidf(x: Floats) -> Floats:
    """1 / (1 + e^-x)."""
    return F(0.5) * tanhf(F(0.5) * x) + F(0.5)
