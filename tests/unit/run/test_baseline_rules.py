"""The rules of baselines: what may be replaced, what is compared, what counts as noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from baseline_project import runs
from hypothesis import given
from hypothesis import strategies as st
from past_runs import latency, record_all

from pytest_lan_hil.measure.samples import sample_of
from pytest_lan_hil.model.comparison import (
    Baseline,
    BaselineEvent,
    BaselineRow,
    Comparison,
    Repeatability,
    Subject,
)
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES, Direction, Margin
from pytest_lan_hil.publish.ledger import Ledger
from pytest_lan_hil.run.baseline_runs import newest_runs, repeatability, runs_since
from pytest_lan_hil.run.baseline_updates import ChangeKind, accepted, changes, updated
from pytest_lan_hil.run.baselines import (
    OWN_MARGIN,
    Setup,
    changed_rows,
    compare_with,
    direction_of,
    margin_of,
    pair_of,
    row_of,
)

DESK = Setup("nrf52840", "desk", simulated=False)
EVENT = BaselineEvent("2026-11-15T12:00:00.000Z", "updated", "c0ffee", "desk", "bb" * 32, 0)
SUBJECTS = [Subject(quantity, f"t.py::test_{n}") for quantity in ("latency", "power") for n in range(3)]
KINDS = (VerdictKind.WITHIN, VerdictKind.IMPROVED, VerdictKind.INCONCLUSIVE, VerdictKind.REGRESSED)


def row(subject: Subject, value: float, unit: str = "ms") -> BaselineRow:
    return BaselineRow(subject, unit, "mean", "JS220", (sample_of(latency(value)),))


def side(values: dict[Subject, float]) -> Baseline:
    rows = {subject: row(subject, value) for subject, value in values.items()}
    return Baseline("nrf52840", "desk", False, rows, (), "here")


def verdict(subject: Subject, kind: VerdictKind) -> Comparison:
    return Comparison(
        subject, kind, "ms", "mean", Direction.LOWER, None, None, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, ""
    )


_sides = st.dictionaries(st.sampled_from(SUBJECTS), st.sampled_from((1.0, 2.0, 3.0)))


@given(_sides, _sides, st.lists(st.sampled_from(KINDS[:2]), min_size=6, max_size=6))
def test_an_update_replaces_improved_rows_adds_new_ones_and_keeps_the_rest(
    old: dict[Subject, float], new: dict[Subject, float], kinds: list[VerdictKind]
) -> None:
    base, head = side(old), side(new)
    both = sorted(old.keys() & new.keys())
    found = [verdict(subject, kind) for subject, kind in zip(both, kinds, strict=False)]
    after = updated(base, head, found, EVENT)
    improved = {one.subject for one in found if one.kind is VerdictKind.IMPROVED}
    assert after.rows.keys() == old.keys() | new.keys()
    for subject, kept in after.rows.items():
        source = head if subject in improved or subject not in old else base
        assert kept == source.rows[subject]
    touched = [change for change in changes(base, after) if change.kind is not ChangeKind.SAME]
    assert [event.rows for event in after.events] == ([len(touched)] if touched else [])


@given(_sides, _sides, st.lists(st.sampled_from(KINDS), min_size=6, max_size=6))
def test_an_accepted_change_keeps_just_the_rows_that_held(
    old: dict[Subject, float], new: dict[Subject, float], kinds: list[VerdictKind]
) -> None:
    base, head = side(old), side(new)
    both = sorted(old.keys() & new.keys())
    found = [verdict(subject, kind) for subject, kind in zip(both, kinds, strict=False)]
    held = {one.subject for one in found if one.kind is VerdictKind.WITHIN}
    gone = old.keys() - new.keys()
    for dropped in ((), gone):
        after = accepted(base, head, found, dropped, EVENT)
        assert after.rows.keys() == (new.keys() if dropped else old.keys() | new.keys())
        for subject in new:
            assert after.rows[subject] == (base if subject in held else head).rows[subject]


def test_changes_name_what_becomes_of_each_row() -> None:
    one, two, three, four = SUBJECTS[:4]
    found = changes(side({one: 1.0, two: 1.0, three: 1.0}), side({one: 1.0, two: 2.0, four: 1.0}))
    assert {change.subject: change.kind for change in found} == {
        one: ChangeKind.SAME,
        two: ChangeKind.CHANGED,
        three: ChangeKind.GONE,
        four: ChangeKind.NEW,
    }
    assert [change.kind for change in changes(None, side({one: 1.0}))] == [ChangeKind.NEW]


def test_a_row_of_another_unit_statistic_or_instrument_is_no_row_to_compare_with() -> None:
    one = SUBJECTS[0]
    base = side({one: 1.0})
    for change in ({"unit": "us"}, {"statistic": "p95"}, {"instrument": "PPK2"}):
        head = replace(base, rows={one: replace(base.rows[one], **change)})  # type: ignore[arg-type]
        assert changed_rows(base, head) == [one]
        with pytest.raises(InputError, match=next(iter(change.values()))):
            compare_with(base, head, {}, {})
    assert changed_rows(base, side({one: 5.0})) == []


def test_a_measurement_becomes_a_row_under_its_name_on_every_board() -> None:
    found = row_of(latency(10.0), "t.py::test_a[nrf52840-3]", "nrf52840")
    assert found.subject == Subject("latency", "t.py::test_a[3]")
    assert (found.unit, found.statistic, len(found.samples)) == ("ms", "mean", 1)


def test_a_quantity_of_the_users_own_is_better_lower_and_has_the_usual_share() -> None:
    assert margin_of("boots per hour", {}) == OWN_MARGIN == Margin(0.10, 0.0)
    assert direction_of("boots per hour") is Direction.LOWER
    assert margin_of("latency", {"latency": Margin(0.5, 1)}) == Margin(0.5, 1)
    assert direction_of("accuracy") is QUANTITIES["accuracy"].direction is Direction.HIGHER


def test_a_subject_on_neither_side_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="neither side"):
        pair_of(SUBJECTS[0], None, None, OWN_MARGIN, Repeatability())


def test_the_noise_of_a_bench_comes_from_images_that_are_not_compared(tmp_path: Path) -> None:
    record_all(
        tmp_path,
        [
            *runs(1, (10.0, 10.2), firmware="aa"),
            *runs(3, (20.0, 20.4, 20.8), firmware="bb"),
            *runs(6, (5.0, 9.0), firmware="cc"),
            *runs(8, (1.0, 9.0), firmware="dd", bench="lab"),
            *runs(10, (1.0, 9.0), firmware="dd", simulated=True),
        ],
    )
    with Ledger.open(tmp_path) as ledger:
        (everything,) = repeatability(ledger, DESK, ()).values()
        (others,) = repeatability(ledger, DESK, {"cc" * 32}).values()
        assert everything.degrees == 4
        assert others.degrees == 3
        assert others.relative_std == pytest.approx(0.0186, rel=0.05)
        assert repeatability(ledger, DESK, {"aa" * 32, "bb" * 32, "cc" * 32}) == {}


def test_runs_from_before_the_baseline_of_their_firmware_say_nothing_new(tmp_path: Path) -> None:
    record_all(tmp_path, runs(13, (1.0, 2.0, 3.0, 4.0), firmware="bb"))  # from the 14th on
    with Ledger.open(tmp_path) as ledger:
        found = newest_runs(ledger, DESK, 10)
    saved = replace(side({}), events=(EVENT,))
    assert [run.started_at[:10] for run in runs_since(found, saved)] == ["2026-11-16", "2026-11-17"]
    assert runs_since(found[:2], saved) == ()
    other = replace(side({}), events=(replace(EVENT, firmware_sha256="cc" * 32),))
    assert runs_since(found, other) == found
