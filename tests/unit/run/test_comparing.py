"""One test's comparisons: judged as it ends, repeated while that may settle something, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lan_hil.judge.sequential import LOOKS
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.comparison import Baseline, BaselineRow, Subject
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Measurement, Outcome, VerdictKind
from pytest_lan_hil.model.quantities import Margin
from pytest_lan_hil.run.baselines import row_of
from pytest_lan_hil.run.comparing import ComparedTest, outcome_of
from pytest_lan_hil.run.no_regression import NoRegression, margins_asked, parse_no_regression
from pytest_lan_hil.run.options import Inconclusive, RunOptions
from pytest_lan_hil.run.reference import Reference
from pytest_lan_hil.run.session import RunSession

NODEID = "test_x.py::test_it[nrf52840]"
# Mean 1, and a standard error that one run makes 0.03: a margin of 5 % is open, one of 30 % is not.
NOISY = (0.85, 1.15, 0.9, 1.1, 0.95, 1.05, 1.0, 0.87, 1.13, 1.0) * 2


def power(values: tuple[float, ...] = NOISY, *, instrument: str = "meter 1") -> Measurement:
    return from_values("power", list(values), instrument=instrument, simulated=False)


def reference(*rows: BaselineRow) -> Reference:
    found = {row.subject: row for row in rows}
    return Reference(
        Baseline("nrf52840", "desk", simulated=False, rows=found, origin="b.json"), {}, "save one"
    )


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def compared(
    margin: float, base: Reference, *, box_s: float | None = None, clock: Clock | None = None, family: int = 1
) -> ComparedTest:
    margins = {"power": Margin(margin, 0.0)}
    clock = clock or Clock()
    return ComparedTest(NODEID, "nrf52840", margins, lambda: base, family=family, box_s=box_s, clock=clock)


BASE = row_of(power(), NODEID, "nrf52840")


def kinds(test: ComparedTest) -> list[VerdictKind]:
    return [one.kind for one in test.comparisons]


def test_a_test_is_judged_once_where_repeats_were_not_asked_for() -> None:
    test = compared(0.05, reference(BASE))
    test.judge({"power": power()})
    assert kinds(test) == [VerdictKind.INCONCLUSIVE]
    assert not test.wants_another
    assert test.ending == ""
    assert test.comparisons[0].subject == Subject("power", "test_x.py::test_it")


def test_it_is_measured_again_until_all_repeats_together_settle_it() -> None:
    test = compared(0.07, reference(BASE), box_s=1e6)
    while True:
        test.judge({"power": power()})
        if not test.wants_another:
            break
    assert kinds(test) == [VerdictKind.WITHIN]
    head = test.comparisons[0].head
    assert head is not None
    assert 1 < head.samples == test.repeats < LOOKS


def test_a_regression_ends_the_repeats() -> None:
    test = compared(0.05, reference(BASE), box_s=1e6)
    test.judge({"power": power(tuple(2 * value for value in NOISY))})
    assert kinds(test) == [VerdictKind.REGRESSED]
    assert not test.wants_another


def test_a_regression_ends_them_though_something_else_is_open() -> None:
    energy = replace(power(), quantity="energy")
    base = reference(BASE, row_of(energy, NODEID, "nrf52840"))
    margins = {"power": Margin(0.05, 0.0), "energy": Margin(0.001, 0.0)}
    test = ComparedTest(NODEID, "nrf52840", margins, lambda: base, family=2, box_s=1e6)
    test.judge({"power": power(tuple(2 * value for value in NOISY)), "energy": energy})
    assert kinds(test) == [VerdictKind.REGRESSED, VerdictKind.INCONCLUSIVE]
    assert not test.wants_another


def test_repeats_end_at_the_last_look() -> None:
    test = compared(0.001, reference(BASE), box_s=1e6)
    for _ in range(LOOKS):
        assert test.repeats == 0 or test.wants_another
        test.judge({"power": power()})
    assert not test.wants_another
    assert test.ending == f"measured {LOOKS} times, which is the most"


def test_no_repeat_begins_that_would_not_end_within_the_time_box() -> None:
    clock = Clock()
    test = compared(0.001, reference(BASE), box_s=25.0, clock=clock)
    clock.now = 10.0
    test.judge({"power": power()})
    assert test.wants_another
    clock.now = 20.0
    test.judge({"power": power()})
    assert not test.wants_another
    assert "measured 2 times in 20 s" in test.ending
    assert "25 s of --hil-until-decided" in test.ending


def test_what_repeats_can_not_settle_is_not_repeated() -> None:
    one_value = power((1.0,))  # a mean of one value has no standard error
    test = compared(0.05, reference(BASE), box_s=1e6)
    test.judge({"power": one_value})
    assert kinds(test) == [VerdictKind.INCONCLUSIVE]
    assert not test.wants_another
    without = compared(0.05, reference(), box_s=1e6)
    without.judge({"power": power()})
    assert not without.wants_another


def test_looking_again_and_again_is_judged_more_strictly_than_one_look() -> None:
    def smallest(box_s: float | None, family: int) -> float:
        for percent in range(1, 40):
            test = compared(percent / 100, reference(BASE), box_s=box_s, family=family)
            test.judge({"power": power()})
            if kinds(test) == [VerdictKind.WITHIN]:
                return percent / 100
        raise AssertionError

    assert smallest(1e6, 1) > smallest(None, 1)


def test_a_larger_family_makes_a_false_regression_rarer() -> None:
    worse = power(tuple(1.12 * value for value in NOISY))
    found = []
    for family in (1, 1000):
        test = compared(0.0, reference(BASE), family=family)
        test.judge({"power": worse})
        found.append(test.comparisons[0])
    assert found[0].kind is VerdictKind.REGRESSED
    assert found[1].kind is VerdictKind.INCONCLUSIVE
    assert found[1].p_regressed > 100 * found[0].p_regressed


def test_a_missing_baseline_says_what_to_do_and_blocks_whatever_else_is_asked() -> None:
    test = compared(0.05, reference())
    test.judge({"power": power()})
    (one,) = test.comparisons
    assert "no baseline for power of test_x.py::test_it" in one.reason
    assert "save one" in one.reason
    assert {outcome_of([one], policy) for policy in Inconclusive} == {Outcome.BLOCKED}


def test_a_baseline_by_another_instrument_is_refused_with_both() -> None:
    test = compared(0.05, reference(BASE))
    with pytest.raises(InputError, match="by meter 1, is now mean in mW by meter 2"):
        test.judge({"power": power(instrument="meter 2")})


def test_a_quantity_that_could_not_be_measured_is_left_out() -> None:
    test = compared(0.05, reference(BASE))
    assert test.judge({}) == ()


def test_an_open_verdict_becomes_what_was_asked_for() -> None:
    test = compared(0.05, reference(BASE))
    test.judge({"power": power()})
    outcomes = {policy: outcome_of(test.comparisons, policy) for policy in Inconclusive}
    assert outcomes == {
        Inconclusive.BLOCK: Outcome.BLOCKED,
        Inconclusive.PASS: Outcome.PASSED,
        Inconclusive.FAIL: Outcome.FAILED,
    }


@pytest.mark.parametrize(("bench", "again"), [("virtual", True), ("replay:run.jls", False)])
def test_a_replay_is_not_repeated_because_it_would_be_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: str, again: bool
) -> None:
    options = RunOptions(tmp_path, ("nrf52840",), (bench,), tmp_path / ".hil", until_decided_s=1e6)
    session = RunSession(options)
    monkeypatch.setattr(session.references, "of", lambda board: reference(BASE))
    test = session.compared(NODEID, "nrf52840", {"power": Margin(0.001, 0.0)})
    assert test is not None
    test.judge({"power": power()})
    assert test.wants_another is again


def test_a_test_without_anything_to_compare_is_not_compared(tmp_path: Path) -> None:
    options = RunOptions(tmp_path, ("nrf52840",), ("virtual",), tmp_path / ".hil", until_decided_s=1e6)
    assert RunSession(options).compared(NODEID, "nrf52840", {}) is None


# --- markers --------------------------------------------------------------------------------------------

BOARD: Mapping[str, Margin] = {"latency": Margin(0.2, 0.01), "power": Margin(0.1, 0.5)}


@pytest.mark.parametrize(
    ("args", "kwargs", "problem"),
    [
        (("latncy",), {}, "'latncy' is not a quantity"),
        ((3,), {}, "3 is not a quantity"),
        (("latency", "latency"), {}, "named twice"),
        (("latency",), {"margn": 0.1}, "unknown argument 'margn'"),
        (("latency",), {"margin": 10}, "10 is not a share from 0 to 1"),
        (("latency",), {"margin": -0.1}, "not a share"),
        (("latency",), {"margin": float("nan")}, "not a share"),
        (("latency",), {"margin": True}, "not a share"),
        (("latency",), {"margin": "10 %"}, "not a share"),
    ],
)
def test_a_wrong_marker_is_told_what_is_wrong(
    args: tuple[object, ...], kwargs: dict[str, object], problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_no_regression(args, kwargs)
    assert problem in caught.value.problem
    assert caught.value.fix


def test_a_markers_margin_replaces_the_share_and_keeps_what_nobody_minds() -> None:
    found = margins_asked([parse_no_regression(("power",), {"margin": 0.02})], (), BOARD, also=())
    assert found == {"power": Margin(0.02, 0.5)}


def test_the_closest_marker_wins_and_one_without_names_means_the_budgets() -> None:
    markers = [NoRegression(("latency",), 0.05), NoRegression((), None)]
    found = margins_asked(markers, ("latency", "power"), BOARD, also=())
    assert found == {"latency": Margin(0.05, 0.01), "power": BOARD["power"]}


def test_what_is_compared_without_a_marker_takes_the_boards_margin() -> None:
    found = margins_asked([NoRegression(("latency",), 0.05)], (), BOARD, also=("latency", "power"))
    assert found == {"latency": Margin(0.05, 0.01), "power": BOARD["power"]}
