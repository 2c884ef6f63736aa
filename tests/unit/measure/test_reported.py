"""Which whole samples a report summed, told by its energy and its power."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_captures import EXACT

from pytest_lan_hil.instruments.files.results import ReportedWindow
from pytest_lan_hil.measure.analysis import window_energies
from pytest_lan_hil.measure.reported import Comparison, compare
from pytest_lan_hil.measure.windows import windows_between
from pytest_lan_hil.model.capture import Capture, InstrumentIdentity

NOTHING = np.empty(0, np.float32)


def trace(energy_uj: np.ndarray, rate_hz: float = 1000.0) -> Capture:
    return Capture(
        rate_hz,
        NOTHING,
        NOTHING,
        InstrumentIdentity("made up", ""),
        EXACT,
        power_w=energy_uj * rate_hz * 1e-6,
    )


def compared(energy_uj: np.ndarray, stamps: list[float], *reports: ReportedWindow) -> list[Comparison]:
    capture = trace(energy_uj)
    ours = window_energies(capture, windows_between(stamps, 1e-3))
    return compare(capture, np.array(stamps), ours, reports)


def report(energy_uj: np.ndarray, number: int, first: int, last: int) -> ReportedWindow:
    """What the runner says of samples `first` to `last`, with its digits."""
    total = round(float(energy_uj[first:last].sum()), 3)
    seconds = (last - first) / 1000
    return ReportedWindow(number, round(first / 1000, 2), round(seconds, 2), total, round(total / seconds, 3))


@given(
    seed=st.integers(0, 2**32 - 1),
    start=st.sampled_from([0, 1]),
    stop=st.sampled_from([0, 1]),
    first=st.integers(1, 400),
)
def test_each_of_the_four_alignments_is_told_and_summed_to_the_last_digit(
    seed: int, start: int, stop: int, first: int
) -> None:
    energy_uj = np.random.default_rng(seed).uniform(20, 60, 2000)
    stamps = [0.0, first / 1000, (first + 1100) / 1000]
    (found,) = compared(energy_uj, stamps, report(energy_uj, 2, first + start, first + 1100 + stop))
    assert found.shift == (start, stop)
    assert found.summed_uj == pytest.approx(found.reported.energy_uj, abs=0.00051)
    assert found.inside


def test_a_report_s_numbers_are_followed_where_its_times_agree_and_its_times_else() -> None:
    energy_uj = np.random.default_rng(1).uniform(20, 60, 2000)
    stamps = [0.1, 0.5, 1.2, 1.9]
    by_number, by_times, nowhere = compared(
        energy_uj,
        stamps,
        report(energy_uj, 2, 500, 1200),
        report(energy_uj, 7, 1200, 1900),
        report(energy_uj, 2, 700, 1300),
    )
    assert by_number.ours is not None
    assert by_number.ours.index == 2
    assert by_times.ours is not None
    assert by_times.ours.index == 3
    assert (nowhere.ours, nowhere.deviation, nowhere.inside) == (None, None, False)


def test_among_windows_too_short_to_tell_by_their_times_the_number_decides() -> None:
    energy_uj = np.random.default_rng(2).uniform(20, 60, 2000)
    (found,) = compared(energy_uj, [0.100, 0.104, 0.107, 0.111], report(energy_uj, 2, 104, 107))
    assert found.ours is not None
    assert found.ours.index == 2
    (found,) = compared(energy_uj, [0.100, 0.104, 0.107, 0.111], report(energy_uj, 9, 104, 107))
    assert found.ours is None


def test_an_energy_that_belongs_to_other_samples_is_outside() -> None:
    energy_uj = np.full(2000, 50.0)
    one = ReportedWindow(1, 0.1, 1.0, 51_000.0, 51_000.0)
    (found,) = compared(energy_uj, [0.1, 1.1], one)
    assert found.deviation == pytest.approx(50 / 51 - 1)
    assert not found.inside


def test_a_reported_energy_of_nothing_has_no_relative_deviation_and_is_outside() -> None:
    one = ReportedWindow(1, 0.1, 1.0, 0.0, 0.0)
    (found,) = compared(np.full(2000, 50.0), [0.1, 1.1], one)
    assert found.ours is not None
    assert (found.deviation, found.summed_deviation, found.inside) == (None, None, False)
    # A report that is nothing but its energy: there are samples to sum, and no share of nothing.
    assert Comparison(one, found.ours, (0, 0), 51_000.0).summed_deviation is None
