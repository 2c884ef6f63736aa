"""What MLPerf Tiny's runner reported of a trace: the lines of its `results.txt`.

00139.211 ulp-ml: Energy data for window 2 at time 2.73 for 13.38 sec.:
00139.211 ulp-ml:   Energy       :  2175020.650 uJ
00139.211 ulp-ml:   Power        :   162533.302 uW
00139.211 ulp-ml:   Energy/Inf.  :     2718.776 uJ/inf.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.model.errors import InputError

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_HEAD = re.compile(rf"Energy data for window ([0-9]+) at time {_NUMBER} for {_NUMBER} sec")
_ENERGY = re.compile(rf"^[^:]*:\s+Energy\s*: *{_NUMBER} uJ\s*$")
_MOST_DIGITS = 9
_POWER = re.compile(rf"^[^:]*:\s+Power\s*: *{_NUMBER} uW\s*$")


@dataclass(frozen=True, slots=True)
class ReportedWindow:
    """One window of a report.

    Attributes:
        number: As the runner counts: between time stamps number - 1 and number.
        start_s: When it began, to 0.01 s.
        duration_s: How long it was, to 0.01 s ...
        energy_uj: ... and its energy, to 0.001 uJ.
        power_uw: Its mean power, to 0.001 uW.
    """

    number: int
    start_s: float
    duration_s: float
    energy_uj: float
    power_uw: float


def read_results(path: Path) -> tuple[ReportedWindow, ...]:
    """The windows of a report, in its order; a window that stands in it twice is returned twice.

    Raises:
        InputError: Can't be read, a window without energy and power, or no window at all.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(
            f"reading results {path}: {error.strerror or error}", fix="check the path"
        ) from error
    found = []
    for at, line in enumerate(lines):
        head = _HEAD.search(line)
        if head is None:
            continue
        energy, power = (pattern.match(_line(lines, at + k)) for k, pattern in ((1, _ENERGY), (2, _POWER)))
        if energy is None or power is None:
            raise InputError(
                f"results {path}, line {at + 1}: window {head[1]} is not followed by its energy and power",
                fix="give the runner's results.txt as it wrote it",
            )
        figures = [float(one) for one in (head[2], head[3], energy[1], power[1])]
        if len(head[1]) > _MOST_DIGITS or not all(map(math.isfinite, figures)):
            raise InputError(
                f"results {path}, line {at + 1}: a figure of this window is too large to be meant",
                fix="give the runner's results.txt as it wrote it",
            )
        found.append(ReportedWindow(int(head[1]), *figures))
    if not found:
        raise InputError(
            f'results {path} hold no line "Energy data for window ..."',
            fix="give the results.txt of a run in energy mode",
        )
    return tuple(found)


def _line(lines: list[str], at: int) -> str:
    return lines[at] if at < len(lines) else ""
