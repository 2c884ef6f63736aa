import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.judge.budgets import judge
from pytest_lan_hil.measure.battery import battery_life
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Budget, Contribution, VerdictKind
from pytest_lan_hil.publish.numbers import estimate_text


def power(values, error=0.0):
    parts = (Contribution("current gain", error, "mW", "data sheet"),) if error else ()
    return from_values("power", values, contributions=parts, instrument="JS220 1", simulated=True)


@given(
    values=st.lists(st.floats(0.01, 100), min_size=2, max_size=40),
    error=st.floats(0, 0.009),
    energy=st.floats(0.001, 100),
)
def test_the_interval_is_inverted_end_by_end(values, error, energy):
    load = power(values, error)
    life = battery_life(load, energy).estimate
    assert life.value == pytest.approx(1e3 * energy / load.estimate.value)
    assert life.low <= life.ci95_low <= life.value <= life.ci95_high <= life.high
    assert life.low == pytest.approx(1e3 * energy / load.estimate.high)
    if load.estimate.low > 0:
        assert 1e3 * energy / life.high == pytest.approx(load.estimate.low)
    else:
        assert math.isinf(life.high)


@given(values=st.lists(st.floats(0.01, 100), min_size=2, max_size=40), energy=st.floats(0.001, 100))
def test_more_power_never_lasts_longer_and_twice_the_battery_lasts_twice_as_long(values, energy):
    life = battery_life(power(values), energy).estimate.value
    assert battery_life(power([2 * value for value in values]), energy).estimate.value < life
    assert battery_life(power(values), 2 * energy).estimate.value == pytest.approx(2 * life)


def test_the_figures_of_a_coin_cell():
    life = battery_life(power([0.49, 0.51] * 20, error=0.01), 2.55)
    assert life.estimate.value == pytest.approx(5100)
    assert (life.quantity, life.unit, life.instrument, life.simulated) == ("battery", "h", "JS220 1", True)
    assert life.notes[-1] == "2.55 Wh at 0.5 mW: 212 days"
    (part,) = life.contributions
    assert (part.name, part.unit) == ("current gain", "h")
    assert part.half_width == pytest.approx(5100 * 0.01 / 0.5)
    assert estimate_text(life.estimate, life.unit).endswith(" h")


def test_an_unbounded_power_leaves_the_life_without_limits_and_decides_nothing():
    life = battery_life(power([0.5]), 2.55)
    assert (life.estimate.low, life.estimate.high) == (-math.inf, math.inf)
    assert estimate_text(life.estimate, "h") == "5100 h (no bound)"
    for limit in (1.0, 1e9):
        assert judge(life, Budget("battery", limit, "mean", "marker")).kind is VerdictKind.INCONCLUSIVE


def test_a_power_that_may_be_nothing_leaves_the_life_without_an_upper_limit():
    life = battery_life(power([0.5] * 20, error=0.6), 2.55)
    assert life.estimate.high == math.inf
    assert life.estimate.low == pytest.approx(2550 / 1.1)
    verdict = judge(life, Budget("battery", 2000.0, "mean", "marker"))
    assert verdict.kind is VerdictKind.WITHIN
    assert "no upper limit" in verdict.reason


def test_a_life_below_its_budget_is_over_and_one_that_is_near_says_how_long_to_measure():
    life = replace(battery_life(power([0.4, 0.6] * 20), 2.55), duration_s=5.0)
    low = judge(life, Budget("battery", 8760.0, "mean", "marker"))
    assert low.kind is VerdictKind.OVER
    assert "is below 8760 h, the budget" in low.reason
    near = judge(life, Budget("battery", 5000.0, "mean", "marker"))
    assert near.kind is VerdictKind.INCONCLUSIVE
    assert "measure for about" in near.reason


@pytest.mark.parametrize("value", [0.0, -0.1])
def test_no_life_follows_from_a_power_that_is_not_above_zero(value):
    with pytest.raises(MeasurementInvalid, match="no battery life follows"):
        battery_life(power([value] * 4), 2.55)


@pytest.mark.parametrize("energy", [0.0, -1.0, math.inf, math.nan])
def test_a_battery_that_holds_nothing_is_refused(energy):
    with pytest.raises(InputError, match="a battery of"):
        battery_life(power([0.5] * 4), energy)
