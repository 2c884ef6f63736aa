"""What a bench shows when there is nothing to see: offset and noise of an idle load, jitter of one edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.energy import energies
from pytest_lan_hil.measure.soundness import require_finite, require_sound
from pytest_lan_hil.measure.statistics import estimate
from pytest_lan_hil.measure.windows import windows_of
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import MeasurementInvalid

# A bench's floor is that of its usual windows, some milliseconds to seconds long; the mean of a tenth of a
# second has left the white noise behind and still shows drift.
BLOCK_S = 0.1
_FEWEST_BLOCKS = 10
_FEWEST_EDGES = 20


@dataclass(frozen=True, slots=True)
class IdleFloor:
    """Mean current and voltage of an idle load; `noise_a`: 95 % half-width of a mean over `block_s`."""

    offset_a: float
    noise_a: float
    block_s: float
    voltage_v: float


@dataclass(frozen=True, slots=True)
class EdgeFloor:
    """Two inputs that see one signal: how much the lengths of its pulses differ between them.

    Attributes:
        pulses: Number of pulses compared.
        skew_s: Mean difference of the lengths.
        jitter_s: 95 % half-width of one difference, the grid of the stamps included.
    """

    pulses: int
    skew_s: float
    jitter_s: float


def idle_floor(capture: Capture) -> IdleFloor:
    """Offset and noise of a record that was made with the load disconnected.

    Raises:
        MeasurementInvalid: Shorter than ten blocks, or a record that no number may come from.
    """
    require_sound(capture)
    blocks = int(capture.duration_s / BLOCK_S)
    if blocks < _FEWEST_BLOCKS:
        raise MeasurementInvalid(
            f"the idle record is {capture.duration_s:.3g} s long",
            fix=f"record {_FEWEST_BLOCKS * BLOCK_S:g} s",
        )
    edges: NDArray[np.float64] = np.arange(blocks + 1, dtype=np.float64) * BLOCK_S
    begin, end = edges[:-1], edges[1:]
    joules = energies(capture, begin, end)
    require_finite(capture, joules, begin, end)
    voltage = float(np.mean(capture.voltage_v, dtype=np.float64))
    if not voltage > 0:
        raise MeasurementInvalid(
            f"the idle record shows {voltage:.3g} V", fix="keep the supply on; disconnect only the load"
        )
    current = joules / BLOCK_S / voltage
    mean = estimate(current.tolist(), "mean", 0.0)
    spread = float(np.quantile(np.abs(current - mean.value), 0.95))
    return IdleFloor(mean.value, spread, BLOCK_S, voltage)


def edge_floor(capture: Capture, marker: str, twin: str) -> EdgeFloor:
    """Jitter of the bench's edges: `marker` and `twin` are two inputs that are wired to one pin.

    Raises:
        MeasurementInvalid: Too few pulses, or the two lines show different numbers of them.
    """
    first, second = windows_of(capture, marker), windows_of(capture, twin)
    if len(first) != len(second):
        raise MeasurementInvalid(
            f"{marker} shows {len(first)} pulses and {twin} {len(second)}, although both should see one pin",
            fix="wire both inputs to the same pin, and let nothing else drive them",
        )
    if 2 * len(first) < _FEWEST_EDGES:
        raise MeasurementInvalid(
            f"{2 * len(first)} edges say little about jitter", fix=f"make at least {_FEWEST_EDGES}"
        )
    differences: NDArray[np.float64] = second.duration_s - first.duration_s
    skew = float(differences.mean())
    spread = float(np.quantile(np.abs(differences - skew), 0.95))
    # Both stamps come from one grid and may agree by luck; no difference below the grid can be seen.
    return EdgeFloor(len(first), skew, max(spread, first.resolution_s, second.resolution_s))
