"""Budget markers: what is accepted, and what a wrong one is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.budgets import BUDGET_MARKERS, BudgetRequest, parse_budget


def test_limit_may_be_positional_or_named_by_its_unit() -> None:
    assert parse_budget("power_budget", (1.2,), {}) == parse_budget("power_budget", (), {"mw": 1.2})


def test_percentile_chooses_the_statistic() -> None:
    assert parse_budget("latency_budget", (12,), {"percentile": 99.9}) == BudgetRequest(
        "latency", 12.0, "p99.9"
    )


def test_a_share_may_be_limited_to_nothing_and_is_named_in_percent() -> None:
    request = parse_budget("dropped_frames_budget", (), {"percent": 0})
    assert request == BudgetRequest("dropped_frames", 0.0, "max")


def test_no_limit_means_the_boards_target() -> None:
    budget = parse_budget("power_budget", (), {}).for_board("nrf52840", {"power": 0.9})
    assert (budget.limit, budget.source) == (0.9, "board nrf52840")


def test_no_limit_and_no_target_names_the_key_to_add() -> None:
    with pytest.raises(InputError, match="energy_uj"):
        parse_budget("energy_budget", (), {}).for_board("nrf52840", {})


def test_explicit_limit_wins_over_the_target() -> None:
    assert parse_budget("power_budget", (1.2,), {}).for_board("b", {"power": 0.9}).limit == 1.2


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "problem"),
    [
        ("power_budget", (-1,), {}, "-1 is not a positive number"),
        ("power_budget", (0,), {}, "not a positive number"),
        ("power_budget", ("1.2",), {}, "'1.2' is not a positive number"),
        ("power_budget", (True,), {}, "True is not a positive number"),
        ("power_budget", (float("nan"),), {}, "not a positive number"),
        ("power_budget", (float("inf"),), {}, "not a positive number"),
        ("power_budget", (1, 2), {}, "more than one limit"),
        ("power_budget", (1,), {"mw": 2}, "more than one limit"),
        ("power_budget", (), {"mW": 2}, "unknown argument 'mW'"),
        ("power_budget", (1,), {"percentile": 95}, "unknown argument 'percentile'"),
        ("accuracy_budget", (101,), {}, "101 is not a number from 0 to 100"),
        ("accuracy_budget", (1,), {"percentile": 95}, "unknown argument 'percentile'"),
        ("latency_budget", (1,), {"percentile": 100}, "percentile 100"),
        ("latency_budget", (1,), {"percentile": "p95"}, "percentile 'p95'"),
    ],
)
def test_wrong_marker_shows_what_was_written_and_the_right_form(
    name: str, args: tuple[object, ...], kwargs: dict[str, object], problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_budget(name, args, kwargs)
    assert problem in str(caught.value)
    assert f"@pytest.mark.{name}(" in caught.value.fix


@given(
    name=st.sampled_from(sorted(BUDGET_MARKERS)),
    limit=st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans()),
)
def test_any_argument_is_either_a_usable_limit_or_refused(name: str, limit: object) -> None:
    try:
        request = parse_budget(name, (limit,), {})
    except InputError:
        return
    if request.limit is not None:
        row = BUDGET_MARKERS[name]
        assert 0 <= request.limit < float("inf")
        assert request.limit > 0 or row.unit == "%"
        assert request.limit <= 100 or row.unit != "%"
