"""Baseline against head: what is called regressed, within, improved and inconclusive."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from samples_of import pair, sample, samples

from pytest_lan_hil.judge.regression import Weights, combined, compare, weights_of
from pytest_lan_hil.model.comparison import Repeatability
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.quantities import Direction, Margin

WITHIN, REGRESSED = VerdictKind.WITHIN, VerdictKind.REGRESSED
IMPROVED, INCONCLUSIVE = VerdictKind.IMPROVED, VerdictKind.INCONCLUSIVE
STEADY = (10.0, 10.1, 9.9, 10.05, 9.95)


def verdict(*arguments, alpha=0.05, tests=None, **options):
    return compare([pair(*arguments, **options)], alpha=alpha, tests=tests)[0]


@pytest.mark.parametrize(
    ("factor", "kind"),
    [(1.0, WITHIN), (1.05, WITHIN), (1.1, INCONCLUSIVE), (1.2, REGRESSED), (0.8, IMPROVED)],
)
def test_the_margin_parts_within_from_regressed(factor, kind):
    assert verdict(STEADY, [factor * one for one in STEADY], error=0.01).kind is kind


def test_a_change_of_the_same_size_is_within_where_runs_are_noisy_only_if_there_are_enough_of_them():
    noisy = (10.0, 10.8, 9.2, 10.4, 9.6)
    assert verdict(noisy, noisy[:1], error=0.01).kind is INCONCLUSIVE
    assert verdict(noisy * 3, noisy * 3, error=0.01).kind is WITHIN


def test_p_values_are_those_of_students_t():
    found = verdict((10.0, 10.2, 9.8), (11.0, 11.2, 10.8), margin=Margin(0.0, 0.5))
    # By hand: D = 0.5, pooled variance 0.04 with 4 degrees; P(T4 > 0.5 / sqrt(0.04 * 2 / 3)) = 0.01879.
    assert found.p_regressed == pytest.approx(0.01879, abs=5e-5)
    assert found.p_within == pytest.approx(1 - 0.01879, abs=5e-5)
    # t(0.975, 4) = 2.7764
    half = 2.7764 * math.sqrt(0.04 * 2 / 3)
    assert (found.change_low, found.change_high) == pytest.approx((1 - half, 1 + half), abs=1e-4)
    assert (found.base.value, found.head.samples, found.margin) == (10.0, 3, 0.5)


def test_a_relative_margin_moves_with_the_baseline_so_its_error_weighs_more():
    """Known errors of 1 on both sides, one run each: that of head - 1.5 base is sqrt(1 + 1.5 ** 2)."""
    found = verdict((10.0,), (15.0 + 1.6449 * math.sqrt(3.25),), error=1.0, margin=Margin(0.5, 0.0))
    assert found.p_regressed == pytest.approx(0.05, abs=1e-4)


def test_and_less_where_higher_is_better():
    """Head is held against half of the base: the error is that of 0.5 base - head."""
    found = verdict(
        (20.0,),
        (10.0 - 1.6449 * math.sqrt(1.25),),
        error=1.0,
        margin=Margin(0.5, 0.0),
        direction=Direction.HIGHER,
    )
    assert found.p_regressed == pytest.approx(0.05, abs=1e-4)


def test_noise_known_from_the_base_is_a_share_of_the_value():
    """Pooled from runs: the head's share of the variance is scaled by the margin as the baseline's is."""
    base = tuple(10 + one for one in (-0.3, -0.1, 0.1, 0.3))
    spread = math.sqrt(0.2 / 3)
    t3 = 2.3534
    found = verdict(base, (11 + t3 * 1.1 * spread * math.sqrt(1 / 4 + 1),))
    assert found.p_regressed == pytest.approx(0.05, abs=1e-4)


def test_of_both_margins_the_larger_counts():
    assert verdict((2.0,), (3.0,), margin=Margin(0.10, 1.5)).kind is WITHIN
    assert verdict((2.0,), (3.0,), margin=Margin(0.60, 0.1)).kind is WITHIN
    assert verdict((2.0,), (3.0,), margin=Margin(0.10, 0.1)).kind is REGRESSED


@pytest.mark.parametrize("base", [0.7, 7.0, 70.0])
def test_where_both_margins_are_equal_rounding_does_not_choose(base):
    """0.1 * 0.7 is less than 0.07 in binary, 0.1 * 7 is more than 0.7."""
    assert weights_of(Direction.LOWER, Margin(0.1, base / 10), base) == Weights(1.1, 0.9, 0.0)


class TestExact:
    @pytest.mark.parametrize(
        ("head", "kind"),
        [(20.0, WITHIN), (22.0, WITHIN), (22.001, REGRESSED), (17.999, IMPROVED), (18.0, WITHIN)],
    )
    def test_figures_without_error_decide_exactly(self, head, kind):
        found = verdict((20.0,), (head,))
        assert found.kind is kind
        assert found.change_low == found.change == found.change_high
        assert {found.p_regressed, found.p_within} == {0.0, 1.0}

    def test_a_baseline_rounded_to_six_digits_is_no_change_even_with_a_margin_of_zero(self):
        assert verdict((15.5312,), (15.53125,), margin=Margin(0.0, 0.0)).kind is WITHIN
        assert verdict((15.5312,), (15.5322,), margin=Margin(0.0, 0.0)).kind is REGRESSED

    def test_runs_that_all_agree_are_exact_once_there_are_enough(self):
        """A load that varies within a run, in the same way in every run, is no noise between runs."""
        few = verdict((10.0,) * 3, (10.4,) * 2, error=3.0)
        many = verdict((10.0,) * 7, (10.4,) * 3, error=3.0)
        assert (few.kind, many.kind) == (INCONCLUSIVE, WITHIN)

    def test_zero_stays_zero(self):
        assert verdict((0.0,), (0.0,), margin=Margin(0.1, 0.1)).kind is WITHIN
        found = verdict((0.0,), (0.5,), margin=Margin(0.1, 0.1))
        assert found.kind is REGRESSED
        assert "+0.5 ms" in found.reason

    def test_a_change_that_is_rounding_is_told_as_none(self):
        exact = verdict((15.5312,), (15.53125,))
        open_ended = verdict((2.1147,), (2.1147000000000005,), error=math.inf)
        assert (exact.change, exact.change_low, exact.change_high) == (0.0, 0.0, 0.0)
        assert open_ended.change == 0.0
        assert "+0 % (not bounded)" in open_ended.reason
        assert verdict((15.5312,), (15.5322,)).change == pytest.approx(0.001)


class TestNoise:
    def test_a_bench_known_to_vary_is_believed_over_one_runs_values(self):
        alone = verdict((10.0,), (11.5,), error=0.01)
        known = verdict((10.0,), (11.5,), error=0.01, repeatability=Repeatability(0.05, 12))
        assert (alone.kind, known.kind) == (REGRESSED, INCONCLUSIVE)

    def test_what_is_not_known_is_said(self):
        assert "how much runs differ is not known" in verdict((10.0,), (11.5,), error=0.01).reason
        assert "is not known" not in verdict((10.0, 10.1), (11.5,), error=0.01).reason
        assert "is not known" not in verdict((10.0,), (11.5,)).reason

    def test_few_runs_that_happen_to_agree_do_not_hide_the_scatter_of_their_values(self):
        assert verdict((10.0, 10.0), (11.5,), error=1.0).kind is INCONCLUSIVE

    def test_a_head_that_became_unsteady_is_judged_by_its_own_spread(self):
        base = (10.0, 10.01, 9.99, 10.02, 9.98) * 4
        unsteady = verdict(base, (9.0, 12.5, 14.0))
        assert unsteady.kind is INCONCLUSIVE
        assert unsteady.head.degrees == 2
        assert unsteady.head.standard_error == pytest.approx(np.std([9.0, 12.5, 14.0], ddof=1) / math.sqrt(3))

    def test_the_history_adds_its_degrees_of_freedom(self):
        found = verdict(STEADY, STEADY[:1], repeatability=Repeatability(0.01, 15))
        assert found.base.degrees == found.head.degrees == 4 + 15

    def test_runs_decide_where_the_values_of_one_run_cannot(self):
        """p95 of 20 values has no upper limit in one run, but some runs show how far it scatters."""
        for runs in (3, 5):
            base = STEADY[:runs]
            assert verdict(base, [1.3 * one for one in base], error=math.inf, n=20).kind is REGRESSED

    def test_nothing_bounds_the_change_where_neither_values_nor_runs_do(self):
        found = verdict((10.0,), (20.0,), error=math.inf, n=20)
        assert found.kind is INCONCLUSIVE
        assert (found.change_low, found.change_high) == (-math.inf, math.inf)
        assert "at least 72 values in a run, one has 20" in found.reason
        assert found.repeats is None


class TestFamily:
    def test_what_is_found_among_many_has_to_be_clearer(self):
        one = pair(STEADY, [1.13 * value for value in (10.0, 10.1, 9.9)])
        others = [pair(STEADY, STEADY, quantity=f"q{k}") for k in range(40)]
        alone, among = compare([one])[0], compare([one, *others])[0]
        assert alone.kind is REGRESSED
        assert among.kind is INCONCLUSIVE
        assert among.p_regressed == pytest.approx(41 * alone.p_regressed)
        assert among.p_within == alone.p_within

    def test_holm_spares_the_second_where_the_first_is_clear(self):
        middle = pair(STEADY, [1.13 * value for value in STEADY])
        clear = pair(STEADY, [2 * value for value in STEADY])
        raw = compare([middle])[0].p_regressed
        assert compare([middle, clear])[0].p_regressed == pytest.approx(raw)
        assert compare([middle], tests=2)[0].p_regressed == pytest.approx(2 * raw)

    def test_a_family_smaller_than_what_is_compared_is_refused(self):
        with pytest.raises(InputError, match="2 comparisons in a family of 1"):
            compare([pair(STEADY, STEADY), pair(STEADY, STEADY)], tests=1)

    @pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
    def test_an_impossible_alpha_is_refused(self, alpha):
        with pytest.raises(InputError, match="not a probability of error"):
            compare([], alpha=alpha)

    def test_one_without_a_baseline_does_not_count_among_the_tests(self):
        one = pair(STEADY, [1.13 * value for value in STEADY])
        missing = pair((), STEADY)
        assert compare([missing, one])[1] == compare([one])[0]


class TestMissing:
    def test_a_missing_baseline_is_said(self):
        found = verdict((), STEADY)
        assert found.kind is INCONCLUSIVE
        assert found.base is None
        assert found.head.value == pytest.approx(10.0)
        assert "no baseline for latency of tests/hil/test_x.py::test_it" in found.reason

    def test_what_vanished_is_said(self):
        found = verdict(STEADY, ())
        assert (found.kind, found.head) == (INCONCLUSIVE, None)
        assert "not measured any more" in found.reason
        assert found.margin == pytest.approx(1.0)
        assert (found.change_low, found.change_high) == (-math.inf, math.inf)

    def test_neither_side(self):
        assert "on neither side" in verdict((), ()).reason


class TestAdvice:
    def test_the_repeats_it_names_about_settle_it(self):
        """On an unsteady bench: compared again with as many runs as the first comparison asked for."""
        rng = np.random.default_rng(8)
        asked = settled = 0
        for _ in range(60):
            base = 10 * (1 + 0.03 * rng.standard_normal(10))
            first = 11.6 * (1 + 0.03 * rng.standard_normal(2))
            found = verdict(base, first, error=0.01)
            if found.kind is INCONCLUSIVE and found.repeats is not None:
                asked += 1
                more = 11.6 * (1 + 0.03 * rng.standard_normal(found.repeats - 2))
                settled += verdict(base, [*first, *more], error=0.01).kind is not INCONCLUSIVE
        assert asked >= 10
        assert settled / asked > 0.6

    def test_more_runs_are_named_than_there_are(self):
        found = verdict(STEADY * 4, (11.3,), repeatability=Repeatability(0.03, 20))
        assert found.kind is INCONCLUSIVE
        assert found.repeats >= 2
        assert f"about {found.repeats} runs would settle it, this is 1" in found.reason

    def test_it_foresees_that_enough_runs_overrule_the_scatter_of_their_values(self):
        """Eight degrees of freedom are reached with five runs of the head, then runs speak alone."""
        found = verdict(STEADY, (11.5,), error=1.0)
        assert (found.kind, found.repeats) == (INCONCLUSIVE, 5)
        assert verdict(STEADY, (11.5,) * 4, error=1.0).kind is INCONCLUSIVE
        assert verdict(STEADY, (11.5,) * 5, error=1.0).kind is REGRESSED

    def test_an_uncertain_baseline_is_to_blame(self):
        found = verdict((10.0,), (11.5,) * 9, error=0.01, repeatability=Repeatability(0.03, 30))
        assert (found.kind, found.repeats) == (INCONCLUSIVE, None)
        assert "the baseline itself is too uncertain: save it from about" in found.reason

    def test_a_change_on_the_margin_is_said_to_be_hopeless(self):
        found = verdict(STEADY, [1.1 * one for one in STEADY])
        assert (found.kind, found.repeats) == (INCONCLUSIVE, None)
        assert "lies on the margin" in found.reason


@pytest.mark.parametrize(
    ("kinds", "whole"),
    [
        ((WITHIN, IMPROVED, REGRESSED, INCONCLUSIVE), REGRESSED),
        ((WITHIN, IMPROVED, INCONCLUSIVE), INCONCLUSIVE),
        ((WITHIN, IMPROVED), IMPROVED),
        ((WITHIN,), WITHIN),
        ((), INCONCLUSIVE),
    ],
)
def test_the_worst_verdict_speaks_for_all(kinds, whole):
    heads = {WITHIN: (10.0,), IMPROVED: (5.0,), REGRESSED: (15.0,), INCONCLUSIVE: ()}
    assert combined(compare([pair((10.0,), heads[kind]) for kind in kinds])) is whole


class TestReason:
    def test_says_both_figures_the_change_and_the_margin(self):
        found = verdict(STEADY, [1.2 * one for one in STEADY], error=0.01)
        assert found.reason.startswith("latency p95 10.000 -> 12.000 ms, +20.0 % (")
        assert found.reason.endswith("worse by more than the margin of 10 %")

    def test_names_the_absolute_margin_where_it_is_the_larger(self):
        assert "within the margin of 5 ms" in verdict((10.0,), (11.0,), margin=Margin(0.1, 5.0)).reason

    def test_nothing_becomes_minus_zero(self):
        assert "-0.0" not in verdict((10.0,), (9.99999,), error=0.5).reason


values = st.lists(st.floats(1.0, 2.0), min_size=1, max_size=5)
errors = st.sampled_from([0.0, 0.01, 0.2])


@settings(max_examples=60)
@given(
    base=values,
    head=values,
    error=errors,
    scale=st.floats(1e-3, 1e3),
    absolute=st.sampled_from([0.0, 0.1, 0.5]),
)
@example(base=[1.0, 1.0, 1.0], head=[1.0, 2.0], error=0.0, scale=683.2988726720216, absolute=0.1)
def test_the_unit_does_not_matter(base, head, error, scale, absolute):
    found = verdict(base, head, error=error, margin=Margin(0.1, absolute))
    other = verdict(
        [scale * one for one in base],
        [scale * one for one in head],
        error=scale * error,
        margin=Margin(0.1, scale * absolute),
    )
    assume(min(abs(p - 0.05) for p in (found.p_regressed, found.p_within, found.p_improved)) > 1e-6)
    assume(found.change_low != found.change_high or abs(abs(found.change) - found.margin) > 1e-3)
    assert other.kind is found.kind
    assert (other.p_regressed, other.p_within) == pytest.approx((found.p_regressed, found.p_within), abs=1e-6)
    assert other.change == pytest.approx(scale * found.change, rel=1e-6, abs=1e-9 * scale)


@settings(max_examples=60)
@given(base=values, head=values, error=errors)
def test_higher_is_better_is_the_mirror_image(base, head, error):
    found = verdict(base, head, error=error)
    mirrored = verdict(
        [-one for one in base], [-one for one in head], error=error, direction=Direction.HIGHER
    )
    assert mirrored.kind is found.kind
    assert (mirrored.p_regressed, mirrored.p_within, mirrored.p_improved) == pytest.approx(
        (found.p_regressed, found.p_within, found.p_improved)
    )


@pytest.mark.parametrize(("head", "kind"), [(80.0, REGRESSED), (95.0, WITHIN), (120.0, IMPROVED)])
def test_less_throughput_is_worse(head, kind):
    assert verdict((100.0,), (head,), direction=Direction.HIGHER).kind is kind


@settings(max_examples=60)
@given(
    base=values, head=values, error=errors,
    margins=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    relative=st.booleans(),
)  # fmt: skip
def test_a_wider_margin_never_makes_it_worse(base, head, error, margins, relative):
    narrow, wide = (
        verdict(base, head, error=error, margin=Margin(one, 0.0) if relative else Margin(0.0, one))
        for one in margins
    )
    assert wide.p_within <= narrow.p_within + 1e-6 or relative
    assert not (narrow.kind in (WITHIN, IMPROVED) and wide.kind is REGRESSED)
    assert not (narrow.kind is WITHIN and wide.kind is IMPROVED)


@settings(max_examples=40)
@given(base=values, head=values, error=errors)
def test_equal_input_gives_equal_output_and_the_order_of_runs_does_not_matter(base, head, error):
    found = verdict(base, head, error=error)
    assert verdict(base, head, error=error) == found
    turned = verdict(base[::-1], head[::-1], error=error)
    assert (turned.kind, turned.p_within) == (found.kind, pytest.approx(found.p_within, abs=1e-9))


def _share(kind, base_runs, head_runs, factor, *, between=0.03, pairs=300, history=None):
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(pairs):
        base = 1 + between * rng.standard_normal(base_runs)
        head = factor * (1 + between * rng.standard_normal(head_runs))
        hits += verdict(base, head, error=1e-4, repeatability=history or Repeatability()).kind is kind
    return hits / pairs


class TestErrorRates:
    """300 pairs show 5 % to 1.3 points: the bounds lie three standard deviations above."""

    @pytest.mark.parametrize(("base_runs", "head_runs"), [(5, 1), (5, 5), (20, 2), (3, 3)])
    def test_a_change_that_lies_on_the_margin_is_called_regressed_in_5_percent_at_most(
        self, base_runs, head_runs
    ):
        assert _share(REGRESSED, base_runs, head_runs, 1.10) < 0.088

    @pytest.mark.parametrize(("base_runs", "head_runs"), [(5, 1), (5, 5)])
    def test_and_within_in_5_percent_at_most(self, base_runs, head_runs):
        within = sum(_share(kind, base_runs, head_runs, 1.10) for kind in (WITHIN, IMPROVED))
        assert within < 0.088

    def test_with_a_known_bench_one_run_on_each_side_keeps_it(self):
        history = Repeatability(0.03, 30)
        assert 0.02 < _share(REGRESSED, 1, 1, 1.10, history=history) < 0.088

    def test_no_change_is_hardly_ever_called_regressed(self):
        assert _share(REGRESSED, 5, 3, 1.0) == 0

    def test_a_clear_change_is_found(self):
        assert _share(REGRESSED, 8, 4, 1.25) > 0.95


def test_samples_of_different_certainty_are_compared_by_their_own():
    """The head's few values make it uncertain; the baseline's many do not make up for it."""
    base = samples(STEADY, error=0.001)
    head = (sample(11.5, error=2.0),)
    assert verdict(base, head).kind is INCONCLUSIVE
    assert verdict(base, (sample(11.5, error=0.001),)).kind is REGRESSED
