"""Sample words of a PPK2, and the package's own decoding of them."""

from __future__ import annotations

import numpy as np
from ppk2_api.ppk2_api import PPK2_API

# Of the size that real devices report.
CONSTANTS = {
    "R": (1003.35, 101.59, 10.30, 0.9636, 0.0564),
    "GS": (0.0, 112.8, 18.0, 2.42, 0.073),
    "GI": (1.0, 0.9695, 0.9609, 0.9519, 0.9582),
    "O": (112.9, 75.5, 64.6, 50.5, 87.2),
    "S": (4.8e-8, 5.96e-7, 5.28e-6, 6.26e-5, 2.94e-3),
    "I": (-1.04e-7, -1.44e-6, 3.64e-5, -3.74e-4, -9.39e-3),
    "UG": (1.0, 1.0, 1.01, 1.0, 1.0),
}
SUPPLY_MV = 3000


def metadata(leave_out=()):
    rows = [(f"{f}{n}", value) for f, row in CONSTANTS.items() for n, value in enumerate(row)]
    lines = ["Calibrated: 0"] + [f"{key}: {value:.12f}" for key, value in rows if key not in leave_out]
    return "\n".join([*lines, "VDD: 3000", "HW: 49625", "mode: 2", "IA: 59", "END\n"]).encode()


def package():
    """The package's object around no port, calibrated."""
    api = PPK2_API(None)
    assert api._parse_metadata(metadata().decode())
    api.current_vdd = SUPPLY_MV
    return api


def words(codes, ranges, *, first=0, lines=0):
    """Words with a counter that misses nothing."""
    codes, ranges = np.broadcast_arrays(np.asarray(codes, np.uint32), np.asarray(ranges, np.uint32))
    counters = (first + np.arange(len(codes), dtype=np.uint32)) % 64
    return codes | (ranges << 14) | (counters << 18) | (np.asarray(lines, np.uint32) << 24)


def decoded_by_package(data):
    """Amperes and logic bytes as `get_samples` gives them, a fresh object each time."""
    samples, logic = package().get_samples(data)
    return np.array(samples) / 1e6, np.array(logic, np.uint8)
