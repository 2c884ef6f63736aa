"""A budget below what the bench can tell from nothing is undecidable, whatever was measured."""

import pytest

from pytest_lan_hil.judge.budgets import judge
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.measurement import Budget, VerdictKind


@pytest.mark.parametrize(("limit", "kind"), [(0.004, VerdictKind.INCONCLUSIVE), (0.007, VerdictKind.WITHIN)])
def test_a_budget_below_the_floor_is_not_passed_by_luck(limit, kind):
    # An offset made the reading negative: every budget would hold.
    measured = from_values("power", [-0.001] * 9, instrument_error=0.0001, instrument="INA219 1")
    verdict = judge(measured, Budget("power", limit, "mean", "marker"), floor=0.006)
    assert verdict.kind is kind
    if kind is VerdictKind.INCONCLUSIVE:
        assert "this bench's floor of 0.006 mW" in verdict.reason
