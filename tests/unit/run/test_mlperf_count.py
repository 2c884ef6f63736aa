"""How many inferences make a window: enough for any speed, found without running much longer than one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.model.errors import DutProtocolError
from pytest_lan_hil.run.mlperf.counting import find_count


@given(st.floats(2e-6, 20.0), st.floats(0.1, 20.0), st.sampled_from([1e-6, 30.5e-6, 1e-3]))
def test_the_window_is_long_enough_and_not_much_longer(one_s: float, wanted_s: float, step_s: float) -> None:
    ran = []

    def timed(count: int, limit_s: float) -> tuple[float, float]:
        took = count * one_s // step_s * step_s  # a clock with steps
        assert took <= limit_s
        ran.append(took)
        return took, count * one_s

    count = find_count(timed, wanted_s)
    assert count >= 10
    assert count * one_s >= wanted_s
    assert count * one_s <= max(1.06 * wanted_s + one_s + step_s * 20, 10 * one_s)
    assert sum(ran) <= 150 * max(one_s, min(wanted_s, 1.0))


@pytest.mark.parametrize("speed", [0.0, 1e-3], ids=["stands still", "counts milliseconds"])
@pytest.mark.parametrize("one_s", [3e-6, 1e-3, 0.01, 0.2, 2.0, 30.0])
def test_a_clock_that_does_not_count_microseconds_is_told_before_any_limit_is_over(
    one_s: float, speed: float
) -> None:
    ran = []

    def timed(count: int, limit_s: float) -> tuple[float, float]:
        host_s = 0.01 + count * one_s
        assert host_s < limit_s
        ran.append(host_s)
        return host_s * speed, host_s

    with pytest.raises(DutProtocolError, match="do not advance"):
        find_count(timed, 10.0)
    assert sum(ran) <= max(40.0, 2 * one_s)


def test_a_clock_that_stands_still_while_the_host_sees_no_time_pass_either_is_told() -> None:
    asked = []

    def timed(count: int, limit_s: float) -> tuple[float, float]:
        asked.append(count)
        return 0.0, 1e-4

    with pytest.raises(DutProtocolError, match="do not advance"):
        find_count(timed, 10.0)
    assert max(asked) <= 10_000_000
