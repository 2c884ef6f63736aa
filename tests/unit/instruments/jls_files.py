"""Captures to write as JLS files, and files as other programs write them."""

from __future__ import annotations

import numpy as np
import pyjls

from pytest_lan_hil.instruments.joulescope_models import ACCURACY
from pytest_lan_hil.model.capture import Capture, InstrumentIdentity, MarkerLine

JS220 = InstrumentIdentity("Joulescope JS220", "002557", "1.3.0", notes=("a note",))


def capture(count=300_001, **changes):
    """Noise at 1 MS/s and one random marker line at 2 MS/s."""
    rng = np.random.default_rng(4)
    lines = {"inference": MarkerLine(rng.integers(0, 256, (2 * count + 7) // 8, np.uint8), 2 * count, 2e6)}
    parts = {
        "sample_rate_hz": 1e6,
        "current_a": rng.standard_normal(count).astype(np.float32),
        "voltage_v": (3 + 0.01 * rng.standard_normal(count)).astype(np.float32),
        "instrument": JS220,
        "accuracy": ACCURACY["js220"],
        "markers": lines,
    }
    return Capture(**{**parts, **changes})


def levels(line):
    return np.unpackbits(line.bits, bitorder="little")[: line.count]


def foreign(path, signals, *, model="JS220", name="JS220-002557", utc=()):
    """A file as others write it.

    Args:
        path: Where.
        signals: Name to (data type, rate, first sample id, samples).
        model, name: Of the source.
        utc: (signal, sample id, time64).
    """
    with pyjls.Writer(str(path)) as file:
        file.source_def(source_id=1, name=name, vendor="Jetperch", model=model, serial_number="002557")
        numbers = {}
        for number, (signal, (kind, rate, first, data)) in enumerate(signals.items(), start=1):
            numbers[signal] = number
            file.signal_def(
                signal_id=number,
                source_id=1,
                signal_type=pyjls.SignalType.FSR,
                data_type=kind,
                sample_rate=rate,
                name=signal,
            )
            for at, piece in data if isinstance(data, list) else [(first, data)]:
                file.fsr(number, at, piece)
        for signal, at, ticks in utc:
            file.utc(numbers[signal], at, ticks)
    return path
