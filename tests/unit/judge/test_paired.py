"""Two images on one board in turns: judged by differences within blocks; only what recurs is regressed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples_of import TEN_PERCENT, samples

from pytest_lan_hil.judge.paired import Block, Blocks, compare_blocks
from pytest_lan_hil.judge.regression import Pair, compare
from pytest_lan_hil.model.comparison import Subject
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.quantities import Direction, Margin

SUBJECT = Subject("latency", "tests/hil/test_x.py::test_it")


def blocks_of(*turns, margin=TEN_PERCENT, error=0.0, direction=Direction.LOWER):
    """From A, B, B, A values, one tuple of four for each block."""
    blocks = tuple(Block(samples((a, z), error), samples((b, c), error)) for a, b, c, z in turns)
    return Blocks(SUBJECT, "ms", "p95", direction, margin, blocks)


def verdict(*turns, alpha=0.05, **options):
    return compare_blocks([blocks_of(*turns, **options)], alpha=alpha)[0]


def test_a_regression_that_recurs_is_called_one():
    found = verdict((10.0, 12.0, 12.1, 10.1), (10.1, 12.1, 12.0, 10.0), error=0.01)
    assert found.kind is VerdictKind.REGRESSED
    assert found.change == pytest.approx(2.0)
    assert (found.base.samples, found.head.samples) == (4, 4)


def test_one_block_is_not_enough_to_call_it_a_regression():
    found = verdict((10.0, 20.0, 20.0, 10.0), error=0.01)
    assert found.kind is VerdictKind.INCONCLUSIVE
    assert found.repeats == 4
    assert "seen in 2 blocks at least, this is one" in found.reason
    assert "how much blocks differ is not known" in found.reason


def test_one_block_is_enough_to_see_that_nothing_changed():
    assert verdict((10.0, 10.0, 10.0, 10.0), error=0.01).kind is VerdictKind.WITHIN


def test_what_one_block_does_not_show_does_not_recur():
    clear, none = (10.0, 13.0, 13.0, 10.0), (10.0, 10.9, 10.9, 10.0)
    found = verdict(*[clear] * 9, none)
    assert found.p_regressed < 0.05
    assert found.kind is VerdictKind.INCONCLUSIVE
    assert "beyond the margin in 9 of 10 blocks, not in every one" in found.reason
    assert verdict(*[clear] * 10).kind is VerdictKind.REGRESSED


def test_p_values_are_those_of_a_paired_t_test():
    turns = [(10, 11, 11, 10), (10, 12, 12, 10), (10, 11.5, 11.5, 10)]
    found = verdict(*turns, margin=Margin(0.0, 0.5))
    # Excess 0.5, 1.5, 1.0: mean 1, error 0.5 / sqrt(3), t = 3.4641 with 2 degrees: P = 0.03709.
    assert found.p_regressed == pytest.approx(0.03709, abs=2e-5)
    assert found.p_within == pytest.approx(1 - 0.03709, abs=2e-5)


def test_the_error_of_one_block_is_that_of_its_runs():
    """Known errors of 1 in four runs, weighed by 1.5 on the base: sqrt((1.5 ** 2 + 1) / 2)."""
    excess = 1.6449 * math.sqrt(3.25 / 2)
    found = verdict((10.0, 15.0 + excess, 15.0 + excess, 10.0), error=1.0, margin=Margin(0.5, 0.0))
    assert found.p_regressed == pytest.approx(0.05, abs=1e-4)


def test_a_steady_drift_cancels_within_the_blocks():
    rng = np.random.default_rng(6)
    false = 0
    for _ in range(60):
        run = 10 * (1 + 0.02 * np.arange(12) + 0.002 * rng.standard_normal(12))
        paired = verdict(*run.reshape(3, 4), error=1e-4)
        assert paired.kind is VerdictKind.WITHIN
        apart = Pair(
            SUBJECT, "ms", "p95", Direction.LOWER, Margin(0.05, 0.0), samples(run[:6]), samples(run[6:])
        )
        false += compare([apart])[0].kind is VerdictKind.REGRESSED
    assert false == 60


def test_blocks_that_happen_to_agree_do_not_hide_the_scatter_of_the_values():
    turns = [(10.0, 11.5, 11.5, 10.0)] * 3
    assert verdict(*turns, error=2.0).kind is VerdictKind.INCONCLUSIVE
    assert verdict(*turns, error=0.01).kind is VerdictKind.REGRESSED


def test_blocks_decide_where_the_values_of_one_run_cannot():
    turns = [(10.0, 13.0, 13.1, 10.1), (10.1, 13.0, 13.0, 10.0), (10.0, 13.1, 13.1, 10.1)]
    assert verdict(*turns, error=math.inf).kind is VerdictKind.REGRESSED
    assert verdict(*turns[:1], error=math.inf).kind is VerdictKind.INCONCLUSIVE


def test_the_blocks_it_names_are_more_than_there_are():
    turns = [(10.0, 11.2, 11.6, 10.0), (10.0, 11.7, 11.3, 10.0), (10.0, 11.2, 11.1, 10.0)]
    found = verdict(*turns, error=0.5)
    assert found.kind is VerdictKind.INCONCLUSIVE
    assert found.repeats > 6
    assert f"about {found.repeats // 2} blocks would settle it (3 so far)" in found.reason


def test_no_whole_block_is_said():
    found = compare_blocks([blocks_of()])[0]
    assert (found.kind, found.base, found.head) == (VerdictKind.INCONCLUSIVE, None, None)
    assert "not measured in one whole block" in found.reason


def test_a_block_with_one_image_is_refused():
    cut = Blocks(SUBJECT, "ms", "p95", Direction.LOWER, TEN_PERCENT, (Block(samples((1.0,)), ()),))
    with pytest.raises(InputError, match="leave out blocks cut short"):
        compare_blocks([cut])


def test_all_subjects_are_one_family():
    turns = [(10.0, 11.6, 11.6, 10.0), (10.0, 11.5, 11.5, 10.0), (10.0, 11.7, 11.7, 10.0)]
    one = blocks_of(*turns)
    alone = compare_blocks([one])[0]
    assert compare_blocks([one] * 3)[0].p_regressed == pytest.approx(3 * alone.p_regressed)


four = st.tuples(*[st.floats(1.0, 2.0)] * 4)


@settings(max_examples=60)
@given(st.lists(four, min_size=1, max_size=4), st.sampled_from([0.0, 0.02]), st.sampled_from([0.0, 0.3]))
def test_higher_is_better_is_the_mirror_image(turns, error, absolute):
    found = verdict(*turns, error=error, margin=Margin(0.1, absolute))
    mirrored = verdict(
        *[tuple(-one for one in turn) for turn in turns],
        error=error,
        margin=Margin(0.1, absolute),
        direction=Direction.HIGHER,
    )
    assert mirrored.kind is found.kind
    assert (mirrored.p_regressed, mirrored.p_within) == pytest.approx((found.p_regressed, found.p_within))


@settings(max_examples=60)
@given(st.lists(four, min_size=2, max_size=4))
def test_regressed_means_beyond_the_margin_in_every_block(turns):
    found = verdict(*turns, alpha=0.3)
    excess = [b + c - 1.1 * (a + z) for a, b, c, z in turns]
    if found.kind is VerdictKind.REGRESSED:
        assert min(excess) > 0
