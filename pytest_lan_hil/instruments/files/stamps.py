"""Time stamps beside a trace: a JSON list of seconds, as MLPerf Tiny's runner writes it.

Window k lies between stamps k - 1 and k, counted from 0. In the runner's records stamp 0 is the start of the
record, and then each run of inferences has one stamp when it starts and one when it stops: an odd number of
stamps, the pauses (loading the next input) in odd windows and the work in even ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.model.errors import InputError

# Runs of the same number of inferences last equally long (within 0.2 % in all of the published traces);
# pauses differ by more. The lost stamp's place must win clearly over any other.
_SAME_LENGTH = 0.01
_CLEARLY = 3.0


@dataclass(frozen=True, slots=True)
class Stamps:
    """The time stamps of a file.

    Attributes:
        times_s: shape (n,), n > 1, float64, rising from 0 or later.
        resolution_s: What they were rounded to, told by their digits: 0.001 for "2.728".
    """

    times_s: NDArray[np.float64]
    resolution_s: float


@dataclass(frozen=True, slots=True)
class LostStamp:
    """Which time stamp is missing, told by the rhythm of the others.

    Attributes:
        about_s: When it should have been.
        work: Numbers of the windows, as the stamps that exist count them, that lasted as long as work does.
        work_s: How long that is.
    """

    about_s: float
    work: tuple[int, ...]
    work_s: float


def read_stamps(path: Path) -> Stamps:
    """Read a file of time stamps.

    Raises:
        InputError: Not a list of at least two rising numbers.
    """
    try:
        found = json.loads(
            path.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal
        )
    except OSError as error:
        raise InputError(
            f"reading time stamps {path}: {error.strerror or error}", fix="check the path"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"time stamps {path} are not JSON: {error}", fix="give a list: [0.015, 2.69]"
        ) from error
    if not isinstance(found, list):
        raise InputError(
            f"time stamps {path} hold {_kind(found)}, expected a list of seconds",
            fix="give a list: [0.015, 2.69]",
        )
    for number, one in enumerate(found):
        if not isinstance(one, Decimal) or not one.is_finite() or one < 0:
            shown = one if isinstance(one, Decimal) else json.dumps(one, default=str)
            raise InputError(
                f"time stamps {path}: stamp {number} is {shown}, expected seconds from the record's start",
                fix="correct the file: numbers only, none below 0",
            )
    if len(found) < 2:
        raise InputError(
            f"time stamps {path} hold {len(found)}, and a window needs two",
            fix="record again, or leave them out",
        )
    times = np.array([float(one) for one in found])
    back = np.flatnonzero(np.diff(times) <= 0)
    if back.size:
        k = int(back[0])
        raise InputError(
            f"time stamps {path}: stamp {k + 1} ({found[k + 1]} s) is not after stamp {k} ({found[k]} s)",
            fix="correct the file: each stamp must be later than the one before it",
        )
    return Stamps(times, 10.0 ** min(_exponent(one) for one in found))


def require_inside(stamps: Stamps, start_s: float, stop_s: float, path: Path) -> None:
    """Make sure that the record reaches as far as the time stamps.

    Args:
        stamps: The time stamps.
        start_s: When the record begins, on their clock.
        stop_s: When it ends.
        path: Their file.

    Raises:
        InputError: Names the first stamp that lies outside.
    """
    outside = np.flatnonzero((stamps.times_s < start_s) | (stamps.times_s > stop_s))
    if outside.size:
        k, at_s = outside[0], stamps.times_s[outside[0]]
        border = f"begins at {start_s:g}" if at_s < start_s else f"ends at {stop_s:g}"
        raise InputError(
            f"time stamps {path}: stamp {k} ({at_s:g} s) lies outside the record, which {border} s",
            fix="give the time stamps that belong to this record, or fetch the whole record",
        )


def lost_stamp(times_s: NDArray[np.float64]) -> LostStamp | None:
    """Which stamp of a runner's record is missing; None if none is, or if nobody can tell.

    Runs of inferences last equally long, pauses don't. One lost stamp joins a pause and a run into one window
    and swaps the roles of all windows after it. So each window in turn is taken for the joined one, and that
    one is right which leaves runs of equal length and the most even pauses.
    """
    if len(times_s) % 2 or len(times_s) < 6:
        return None
    guesses = sorted(_guesses(times_s), key=lambda guess: guess[0])
    if not guesses or (len(guesses) > 1 and guesses[1][0] < _CLEARLY * guesses[0][0] + _SAME_LENGTH):
        return None
    return guesses[0][1]


def _guesses(times_s: NDArray[np.float64]) -> list[tuple[float, LostStamp]]:
    """Every stamp whose loss leaves runs of equal length: how uneven the pauses would be, and the stamp.

    The unevenness is in lengths of a run, so a pause that holds a run counts for 1.
    """
    lengths = np.diff(times_s)
    guesses = []
    # The stamp before the first (-1), the one that parts each window, and the one after the last.
    for joined in range(-1, len(lengths) + 1):
        work = [k for k in range(len(lengths)) if k != joined and (k + (k > joined)) % 2]
        if len(work) < 2:
            continue
        run_s = float(np.median(lengths[work]))
        pauses = [float(lengths[k]) for k in range(len(lengths)) if k != joined and k not in work]
        if joined < 0:
            about_s = max(0.0, float(times_s[0] - np.median(pauses)))
        elif joined == len(lengths):
            about_s = float(times_s[-1]) + run_s
        else:
            pauses.append(float(lengths[joined]) - run_s)
            about_s = float(times_s[joined] + run_s if joined % 2 else times_s[joined + 1] - run_s)
        if np.ptp(lengths[work]) > _SAME_LENGTH * run_s or min(pauses) <= 0:
            continue
        uneven = float(np.abs(np.array(pauses) - np.median(pauses)).sum()) / run_s
        guesses.append((uneven, LostStamp(about_s, tuple(k + 1 for k in work), run_s)))
    return guesses


def _exponent(number: Decimal) -> int:
    """Of the last digit, 0 for a whole number however it is written."""
    exponent = number.as_tuple().exponent
    return min(exponent, 0) if isinstance(exponent, int) else 0


def _kind(value: object) -> str:
    names = {dict: "an object", str: "a text", Decimal: "a number", bool: "true or false", type(None): "null"}
    return names[type(value)]
