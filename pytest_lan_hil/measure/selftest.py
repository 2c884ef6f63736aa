"""What a bench shows when there is nothing to see: offset and noise of an idle load, jitter of one edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.energy import energies, touches_gap
from pytest_lan_hil.measure.soundness import require_finite, require_sound
from pytest_lan_hil.measure.windows import windows_of
from pytest_lan_hil.model.capture import Accuracy, Capture
from pytest_lan_hil.model.errors import MeasurementInvalid

# A bench's floor is that of its usual windows, some milliseconds to seconds long; the mean of a tenth of a
# second has left the white noise behind and still shows drift.
BLOCK_S = 0.1
# Offset limits are meant for the instrument's reference temperature; a bench may be warmer.
_OFFSET_MARGIN = 10
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
        MeasurementInvalid: Too short, without current and voltage, a record that no number may come from, or
            one that shows more current than the instrument's error limits can explain.
    """
    require_sound(capture)
    if not len(capture.current_a):
        raise MeasurementInvalid(
            "the idle record holds power alone", fix="use an instrument that records current and voltage"
        )
    blocks = int(capture.duration_s / BLOCK_S)
    edges: NDArray[np.float64] = np.arange(blocks + 1, dtype=np.float64) * BLOCK_S
    kept = ~touches_gap(capture.gaps, capture.sample_rate_hz, edges[:-1], edges[1:])
    begin, end = edges[:-1][kept], edges[1:][kept]
    if len(begin) < _FEWEST_BLOCKS:
        raise MeasurementInvalid(
            f"the idle record is {capture.duration_s:.3g} s long, {len(begin) * BLOCK_S:.3g} s of it whole",
            fix=f"record at least {_FEWEST_BLOCKS * BLOCK_S:g} s",
        )
    joules = energies(capture, begin, end)
    require_finite(capture, joules, begin, end)
    voltage = float(np.nanmean(capture.voltage_v, dtype=np.float64))
    if not voltage > 0:
        raise MeasurementInvalid(
            f"the idle record shows {voltage:.3g} V", fix="keep the supply on; disconnect only the load"
        )
    current = joules / BLOCK_S / voltage
    offset = float(current.mean())
    limit = _largest_offset(capture.accuracy)
    if abs(offset) > limit:
        raise MeasurementInvalid(
            f"the idle record shows {offset * 1e6:.4g} uA, and {capture.instrument} is off by"
            f" {limit * 1e6:.4g} uA at most: something draws current",
            fix="disconnect the load; if it is, the instrument needs its calibration",
        )
    spread = float(np.quantile(np.abs(current - offset), 0.95))
    return IdleFloor(offset, spread, BLOCK_S, voltage)


def _largest_offset(accuracy: Accuracy) -> float:
    """The offset limit of the range that an idle instrument is in: its lowest, or its only one."""
    ranges = accuracy.current_ranges
    return _OFFSET_MARGIN * (ranges[0].offset_a if ranges else accuracy.current_offset_a)


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
