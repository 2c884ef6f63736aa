"""CSV as nRF Connect's Power Profiler exports it (pc-nrfconnect-ppk, exportChartAction).

    Timestamp(ms),Current(uA)                                  always
    ...,D0-D7                                                  "01000000": D0 first
    ...,D0,D1,D2,D3,D4,D5,D6,D7                                one each
    ...,Bits                                                   older versions: D7 first

The app leaves out the rows of samples that it does not have: a jump of the time is a gap. Voltage is not in
the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pytest_lan_hil.instruments.files.header import Header
from pytest_lan_hil.instruments.files.limits import recorder, require_supply
from pytest_lan_hil.instruments.files.lines import wired
from pytest_lan_hil.instruments.files.table import on_grid
from pytest_lan_hil.model.capture import Capture, Gap, MarkerLine
from pytest_lan_hil.model.errors import InputError


def is_ppk2(header: Header) -> bool:
    """Whether the columns are the Power Profiler's."""
    return (
        header.columns[0].name == "timestamp"
        and header.place("current") == 1
        and header.place("voltage") is None
    )


def read_ppk2_csv(
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
        markers: Marker line name to a digital channel ("d0" to "d7"); None for all that are there.
        supply_v: The voltage that the current was drawn at.
        instrument: Whose error limits hold, instead of the PPK2's.

    Raises:
        InputError: No supply voltage, no such channel, or damaged.
    """
    volts = require_supply(supply_v, f"{path} (the Power Profiler's export)")
    if not header.columns[0].unit or not header.columns[1].unit:
        raise InputError(
            f"{path}: its columns are {header}, without units", fix="name them Timestamp(ms),Current(uA),..."
        )
    samples = on_grid(
        path,
        header,
        time=(0, header.factor(0, "s")),
        signals={"current": (1, header.factor(1, "A"))},
        levels=wired(path, _channels(header), markers),
    )
    who = recorder(instrument or "ppk2")
    current_a = samples.signals["current"]
    return Capture(
        samples.sample_rate_hz,
        current_a,
        np.broadcast_to(np.float32(volts), current_a.shape),
        who.identity,
        samples.timed(who.accuracy),
        markers={
            name: MarkerLine(np.packbits(level, bitorder="little"), len(level), samples.sample_rate_hz)
            for name, level in samples.levels.items()
        },
        gaps=tuple(Gap(start, stop) for start, stop in samples.gaps),
        supply="assumed",
        notes=who.notes,
    )


def _channels(header: Header) -> dict[str, tuple[int, int]]:
    """Digital channel to its column and its digit there, from the right."""
    names = [f"d{n}" for n in range(8)]
    singles = {name: (place, 0) for name in names if (place := header.place(name)) is not None}
    if singles:
        return singles
    together = header.place("d0-d7")
    if together is not None:
        return {name: (together, 7 - n) for n, name in enumerate(names)}
    bits = header.place("bits")
    return {name: (bits, n) for n, name in enumerate(names)} if bits is not None else {}
