"""CSV as the Joulescope UI and its logging scripts write it.

    #time (s),current (A),voltage (V)             samples (pyjoulescope_ui, export)
    #time,current,voltage,power,charge,energy     statistics, SI (pyjoulescope_ui; downsample_logging)

Other columns are passed over; `gpi0`, `gpi1`, ... are marker lines. A sample that was dropped is NaN in these
files (the joulescope package writes NaN for it), or its row is missing: both are gaps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pytest_lan_hil.instruments.files.header import Header
from pytest_lan_hil.instruments.files.limits import recorder, require_supply
from pytest_lan_hil.instruments.files.lines import wired
from pytest_lan_hil.instruments.files.table import on_grid
from pytest_lan_hil.model.capture import Capture, Gap, MarkerLine
from pytest_lan_hil.model.errors import InputError

_INPUT = re.compile(r"gpi\d+|trigger")
_BASES = {"current": "A", "voltage": "V", "power": "W"}


def read_joulescope_csv(
    path: Path,
    header: Header,
    *,
    markers: Mapping[str, str] | None,
    supply_v: float | None,
    instrument: str | None,
) -> Capture:
    """Read such a table.

    Args:
        path: The file.
        header: Its header.
        markers: Marker line name to a column ("gpi0"); None for all of them.
        supply_v: For a table with current and no voltage.
        instrument: Whose error limits hold.

    Raises:
        InputError: Columns that can't be used, or damaged.
    """
    time = header.place("time") if header.place("time") is not None else header.place("timestamp")
    at = {name: place for name in _BASES if (place := header.place(name)) is not None}
    if time is None or not {"current", "power"} & set(at):
        raise InputError(
            f"{path}: its columns are {header}; expected time, and current and voltage or power",
            fix="name them as Joulescope does, #time (s),current (A),voltage (V), or as the Power Profiler"
            " does, Timestamp(ms),Current(uA)",
        )
    inputs = {one.name: k for k, one in enumerate(header.columns) if _INPUT.fullmatch(one.name)}
    samples = on_grid(
        path,
        header,
        time=(time, header.factor(time, "s")),
        signals={name: (place, header.factor(place, _BASES[name])) for name, place in at.items()},
        levels={name: (place, 0) for name, place in wired(path, inputs, markers).items()},
    )
    who = recorder(instrument, otherwise="Joulescope, model not told")
    notes = who.notes
    if any(not header.columns[place].unit for place in (time, *at.values())):
        notes += ("columns without a unit are taken as s, A, V and W, as Joulescope writes them",)
    nothing = np.empty(0, np.float32)
    current_a = samples.signals.get("current", nothing)
    voltage_v = samples.signals.get("voltage", nothing)
    supply = "measured"
    if len(current_a) and not len(voltage_v):
        volts = require_supply(supply_v, str(path))
        voltage_v, supply = np.broadcast_to(np.float32(volts), current_a.shape), "assumed"
    if not len(current_a):
        voltage_v, supply = nothing, "none"
    count = len(next(iter(samples.signals.values())))
    return Capture(
        samples.sample_rate_hz,
        current_a,
        voltage_v,
        who.identity,
        samples.timed(who.accuracy),
        markers={
            name: MarkerLine(np.packbits(level, bitorder="little"), count, samples.sample_rate_hz)
            for name, level in samples.levels.items()
        },
        gaps=tuple(Gap(start, stop) for start, stop in samples.gaps),
        supply=supply,
        # The mean of a product is not the product of the means: statistics bring their own power.
        power_w=samples.signals.get("power"),
        notes=notes,
    )
