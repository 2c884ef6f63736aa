"""What is known of the Joulescope models: their digital inputs and their error limits.

Confirmed: the inputs (pyjoulescope_driver, record.py), the ranges (pyjoulescope_ui, widgets/js220_cal;
joulescope_driver, js110_usb.c) and the JS220's 10 A range, +-0.25 % +-1.5 mA (its maker in pyjoulescope_ui
issue 182). Every other figure here is UNCONFIRMED: the tables of the user's guides could not be read. They
are chosen wide, and each capture's identity says so. Whoever has the guide at hand: replace the figure and
its mark.
"""

from __future__ import annotations

from pytest_lan_hil.model.capture import Accuracy, CurrentRange

#: Model to its inputs: name in a bench file to number in the driver's topics.
INPUTS: dict[str, dict[str, int]] = {
    "js220": {"gpi0": 0, "gpi1": 1, "gpi2": 2, "gpi3": 3, "trigger": 7},
    "js110": {"gpi0": 0, "gpi1": 1},
}

# Limit, gain, offset. Unconfirmed but for the ranges themselves and the last row.
_JS220 = Accuracy(
    current_gain=0.0025,
    current_offset_a=1.5e-3,
    voltage_gain=0.001,  # unconfirmed
    voltage_offset_v=1e-3,  # unconfirmed
    timebase=50e-6,  # unconfirmed
    source="JS220 User's Guide, current and voltage measurement specifications (unconfirmed)",
    current_ranges=(
        CurrentRange(18e-6, 0.0015, 3e-9),
        CurrentRange(180e-6, 0.0015, 15e-9),
        CurrentRange(1.8e-3, 0.001, 150e-9),
        CurrentRange(18e-3, 0.001, 1.5e-6),
        CurrentRange(180e-3, 0.001, 15e-6),
        CurrentRange(10.0, 0.0025, 1.5e-3),
    ),
)

# Unconfirmed but for the ranges: half a percent, and offsets of a thousandth of the range.
_JS110 = Accuracy(
    current_gain=0.005,
    current_offset_a=10e-3,
    voltage_gain=0.005,
    voltage_offset_v=5e-3,
    timebase=50e-6,
    source="JS110 User's Guide, current and voltage measurement specifications (unconfirmed)",
    current_ranges=tuple(
        CurrentRange(limit, 0.005, limit / 1000) for limit in (18e-6, 180e-6, 1.8e-3, 18e-3, 0.18, 2.0, 10.0)
    ),
)

#: Model to its error limits.
ACCURACY: dict[str, Accuracy] = {"js220": _JS220, "js110": _JS110}

NOTES = (
    "unconfirmed: the Joulescope's error limits stand for tables of its user's guide that could not be read,"
    " except the JS220's 10 A range",
)
