"""What is known of the Joulescope models: their digital inputs, their range codes and their error limits.

Confirmed: the inputs (pyjoulescope_driver, record.py), the JS110's and JS220's ranges and their codes
(pyjoulescope_ui, widgets/js220_cal; joulescope/v1/js220.py; joulescope_driver, js110_usb.c), the JS220's
10 A range, +-0.25 % +-1.5 mA (its maker in pyjoulescope_ui issue 182), and the JS110's 2 A range, +-0.3 %
+-1.5 mA (its maker in the vendor's forum, topic 388). The JS110's other offsets are its maker's design
limits (forum, topic 175). Every other figure here is UNCONFIRMED: the tables of the user's guides could not
be read. They are chosen wide, and each capture's identity says so. Whoever has the guide at hand: replace
the figure and its mark.
"""

from __future__ import annotations

from pytest_lan_hil.model.capture import Accuracy, CurrentRange

#: Model to its inputs: name in a bench file to number in the driver's topics.
INPUTS: dict[str, dict[str, int]] = {
    "js220": {"gpi0": 0, "gpi1": 1, "gpi2": 2, "gpi3": 3, "trigger": 7},
    "js110": {"gpi0": 0, "gpi1": 1},
    "js320": {"gpi0": 0, "gpi1": 1, "gpi2": 2, "gpi3": 3, "trigger": 7},  # joulescope_driver, js320_drv.c
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

# Gains are unconfirmed but for the 2 A range; the voltage is that of the 15 V range, forum topic 175.
_JS110 = Accuracy(
    current_gain=0.005,
    current_offset_a=10e-3,
    voltage_gain=0.005,
    voltage_offset_v=10.2e-3,
    timebase=50e-6,
    source="JS110 User's Guide, current and voltage measurement specifications (unconfirmed)",
    current_ranges=(
        CurrentRange(18e-6, 0.005, 13.4e-9),
        CurrentRange(180e-6, 0.005, 134e-9),
        CurrentRange(1.8e-3, 0.005, 1.34e-6),
        CurrentRange(18e-3, 0.005, 13.4e-6),
        CurrentRange(180e-3, 0.005, 135e-6),
        CurrentRange(2.0, 0.003, 1.5e-3),
        CurrentRange(10.0, 0.005, 7e-3),
    ),
)

# Unconfirmed throughout, its ranges too: taken as no better than the JS110's widest and the JS220's 10 A.
_JS320 = Accuracy(
    current_gain=0.005,
    current_offset_a=10e-3,
    voltage_gain=0.005,
    voltage_offset_v=10.2e-3,
    timebase=50e-6,
    source="no data sheet of the JS320 could be read; the limits of the JS110 stand for it (unconfirmed)",
    current_ranges=_JS110.current_ranges,
)

#: Model to its error limits.
ACCURACY: dict[str, Accuracy] = {"js220": _JS220, "js110": _JS110, "js320": _JS320}

#: Model to what a value of its `s/i/range` stream means: the index into `Accuracy.current_ranges`, by value
#: from 0 to 15. Codes above 6 (off, missing) hold no current and stand beyond the last range. The JS320's
#: codes could not be read in any source, so its ranges are not recorded.
RANGE_INDICES: dict[str, tuple[int, ...]] = {
    "js220": (5, 5, 4, 3, 2, 1, 0, *[6] * 9),
    "js110": (6, 5, 4, 3, 2, 1, 0, *[7] * 9),
}

NOTES = (
    "unconfirmed: the Joulescope's error limits stand for tables of its user's guide that could not be read,"
    " except the JS220's 10 A range and the JS110's 2 A range",
)
