"""What int8 would cost and save: per-row weights simulated in float, bytes counted, cycles estimated."""

from __future__ import annotations

import numpy as np

from liquid.fmath import F
from liquid.weights import MATRICES, SHAPES, Weights

NETWORK = tuple(name for name in SHAPES if not name.startswith("drift"))
# Cycles per multiply-accumulate on a Cortex-M4, by the instruction timings of its TRM. Float: one turn of the
# loop of common/dense.c does sixteen: 20 loads in rows (20 + 4), 16 VMUL, 16 VADD, 5 for the loop itself.
FLOAT_CYCLES = (24 + 16 + 16 + 5) / 16
# int8 by SMLAD: four weights in one LDR (2), spread to 16 bits by two rotating SXTB16 (2), two SMLAD (2),
# two loads of input pairs (4) shared by four outputs (1); the rescaling of rows and inputs is left out.
INT8_CYCLES = (2 + 2 + 2 + 1) / 4


def int8_weights(weights: Weights) -> Weights:
    """Matrices in 255 steps per row, the row's greatest weight at 127; biases and norms stay float."""
    rounded = dict(weights)
    for name in MATRICES:
        step = np.abs(weights[name]).max(axis=1, keepdims=True) / F(127)
        rounded[name] = (np.rint(weights[name] / step) * step).astype(np.float32)
    return rounded


def multiplications() -> int:
    """Multiply-accumulates of one network step."""
    return sum(SHAPES[name][0] * SHAPES[name][1] for name in MATRICES)


def float_bytes() -> int:
    """Flash of the parameters as floats."""
    return 4 * sum(int(np.prod(SHAPES[name])) for name in NETWORK)


def int8_bytes() -> int:
    """Flash with matrices in int8 and one float scale per row."""
    return float_bytes() - sum(
        3 * rows * columns - 4 * rows for rows, columns in (SHAPES[n] for n in MATRICES)
    )
