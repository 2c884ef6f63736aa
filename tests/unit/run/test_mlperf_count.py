"""How many inferences make a window: enough for any speed, found without running much longer than one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.model.errors import DutProtocolError
from pytest_lan_hil.run.mlperf.procedures import find_count


@given(st.floats(2e-6, 20.0), st.floats(0.1, 20.0), st.sampled_from([1e-6, 30.5e-6, 1e-3]))
def test_the_window_is_long_enough_and_not_much_longer(one_s: float, wanted_s: float, step_s: float) -> None:
    ran = []

    def timed(count: int, limit_s: float) -> float:
        took = count * one_s // step_s * step_s  # a clock with steps
        assert took <= limit_s
        ran.append(took)
        return took

    count = find_count(timed, wanted_s)
    assert count >= 10
    assert count * one_s >= wanted_s
    assert count * one_s <= max(1.06 * wanted_s + one_s + step_s * 20, 10 * one_s)
    assert sum(ran) <= 150 * max(one_s, min(wanted_s, 1.0))


def test_a_clock_that_stands_still_is_told() -> None:
    with pytest.raises(DutProtocolError, match="do not advance"):
        find_count(lambda count, limit_s: 0.0, 10.0)
