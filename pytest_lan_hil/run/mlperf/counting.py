"""How many inferences make a window of the wanted length. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable

from pytest_lan_hil.model.errors import DutProtocolError
from pytest_lan_hil.run.mlperf.rules import MIN_INFERENCES

FIRST_LIMIT_S = 120.0
"""Time limit of the first inference of an unknown DUT; later ones follow from what was measured."""

_TRIAL_S = 1.0
# Windows must not fall short of the wanted length by the spread between them; nor by what a host that times
# them itself (energy mode) sees too much of in a trial: two lines at 9600 baud, 40 ms.
_MARGIN = 1.05
_MOST_GROWTH = 100
# A trial is not to last longer than this by the host's clock, whatever the DUT's says.
_HOST_TRIAL_S = 5.0
# A clock that has seen less than this share of so long a trial does not count microseconds.
_STILL_S = 1.0
_STILL_SHARE = 0.1
# In less than the trial: 100 ns each, on a core that needs some of them to send a digit.
_MOST_TRIED = 10_000_000


def find_count(timed: Callable[[int, float], tuple[float, float]], seconds: float) -> int:
    """How many inferences make a window of `seconds` or a little more; at least 10.

    Args:
        timed: Runs so many inferences within a limit in seconds; returns how long they took, by the DUT's
            clock and by the host's.
        seconds: Wanted length.

    Raises:
        DutProtocolError: The DUT's time does not advance.
    """
    count, limit_s = 1, FIRST_LIMIT_S
    enough = min(seconds, _TRIAL_S)
    while True:
        took, host = timed(count, limit_s)
        if took >= enough:
            return max(MIN_INFERENCES, math.ceil(count * seconds * _MARGIN / took))
        still = host >= _STILL_S and took < _STILL_SHARE * host
        if still or count >= _MOST_TRIED:
            raise DutProtocolError(
                f"the DUT says that {count} inferences took {took:g} s, by the host's clock they took"
                f" {host:.3g} s: its time stamps do not advance",
                fix="make `timestamp` count microseconds, in steps of 1000 us at most",
            )
        factor = min(max(1.2 * enough / took, 2.0), _MOST_GROWTH) if took > 0 else float(_MOST_GROWTH)
        if host > 0:
            factor = min(factor, max(_HOST_TRIAL_S / host, 2.0))
        longest = max(took, host) * factor
        limit_s = limit_of(longest) if took > 0 else max(FIRST_LIMIT_S, limit_of(longest))
        count = min(math.ceil(count * factor), _MOST_TRIED)


def limit_of(expected_s: float) -> float:
    """Time limit for something that should take so long: generous, and short enough to notice a hang."""
    return 10.0 + 3.0 * expected_s
