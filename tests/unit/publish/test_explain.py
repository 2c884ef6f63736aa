"""The budget of an uncertainty as a table: shares, statistics, combination, and what can't be bounded."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from publish_samples import RECORD

from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.measurement import Contribution
from pytest_lan_hil.publish.explain import as_text, budget_lines, budget_of, explain
from pytest_lan_hil.publish.html import render_html

PARTS = (
    Contribution("current gain", 3.0, "mW", "data sheet, table 1"),
    Contribution("current offset", 4.0, "mW", "data sheet, table 2"),
)


def test_shares_are_those_of_the_squares_and_the_combination_is_last():
    gain, offset, total = budget_lines(PARTS)
    assert (gain.share, offset.share, total.share) == ("36 %", "64 %", "100 %")
    assert (total.name, total.half_width, total.unit) == ("combined", "5.0", "mW")
    assert "standard uncertainty 2.6, k = 1.96" in total.source
    assert gain.source == "data sheet, table 1"


def test_the_statistics_are_a_line_with_their_quantile_and_raise_the_coverage_factor():
    measured = from_values("power", [9.0, 10.0, 11.0, 10.0], contributions=PARTS, instrument="JS220")
    lines = explain(measured)
    assert lines[0] == "mean power: 10.0 ± 5.2 mW (mean, n = 4, JS220)"
    assert "statistics" in lines[2]
    assert "Student's t, 4 values: t = 3.18" in lines[2]
    half = measured.estimate.value - measured.estimate.ci95_low
    standard = math.hypot(half / 3.182446, 5 / 1.959964)
    assert lines[-1].endswith(f"k = {measured.estimate.uncertainty / standard:.2f}")
    assert measured.estimate.uncertainty / standard > 1.97


def test_values_that_resemble_each_other_say_what_they_are_worth():
    slow = np.repeat(np.random.default_rng(1).normal(10, 1, 20), 5)
    source = budget_of(from_values("power", slow.tolist()))[0].source
    assert source.startswith("Student's t, 100 values worth ")
    assert 5 < float(source.split("worth ")[1].split(":")[0]) < 50


def test_a_percentile_names_order_statistics_and_its_wider_side():
    measured = from_values("latency", np.arange(100.0).tolist())
    (line, total) = budget_of(measured)
    assert line.source == "order statistics of 100 values, the wider side"
    assert float(total.half_width) == pytest.approx(measured.estimate.uncertainty, rel=0.05)


def test_an_exact_figure_has_nothing_to_explain():
    exact = from_values("memory", [12.0])
    assert budget_of(exact) == []
    assert explain(exact)[1:] == ["  exact: nothing contributes"]


def test_what_is_unbounded_takes_the_whole_and_no_coverage_factor_is_made_up():
    one = from_values("power", [10.0], contributions=PARTS)
    statistics, gain, _, total = budget_of(one)
    assert (statistics.half_width, statistics.share, gain.share) == ("unbounded", "all", "0 %")
    assert total.half_width == "unbounded"
    assert "k =" not in total.source


def test_an_error_that_an_older_record_does_not_itemise_is_a_line():
    old = replace(from_values("power", [10.0, 10.0], contributions=PARTS), contributions=PARTS[:1])
    (rest,) = [line for line in budget_of(old) if line.name == "not itemised"]
    assert rest.half_width == "4.0"


def test_figures_stand_in_columns_under_their_headings():
    lines = as_text(budget_lines(PARTS))
    at = lines[0].index("unit")
    assert all(line[at:].startswith("mW") for line in lines[1:])


def test_the_page_holds_each_budget_folded_away():
    test = RECORD.tests[0]
    measured = from_values("power", [9.0, 11.0, 10.0], contributions=PARTS)
    record = replace(RECORD, tests=(replace(test, measurements={"power": measured}),))
    page = render_html(record, {})
    assert "<details><summary>What the uncertainty of mean power is made of</summary>" in page
    assert "data sheet, table 2" in page
    exact = replace(RECORD, tests=(replace(test, measurements={"memory": from_values("memory", [1.0])}),))
    assert "<details>" not in render_html(exact, {})
