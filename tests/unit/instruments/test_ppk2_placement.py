"""Every word is put where it was sampled, whatever was lost before it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pytest_lan_hil.instruments.ppk2_placement import Arrivals, place

RATE = 100_000
NONE = Arrivals(np.empty(0, np.int64), np.empty(0, np.float64))


def arriving(samples, *, every_s=0.01, late=lambda t: 0.001):
    """When words of these sample numbers arrive: packets each `every_s`, each as late as `late` says."""
    words = np.unique(np.searchsorted(samples, np.arange(every_s, samples[-1] / RATE, every_s) * RATE))
    at = (samples[words - 1] + 1) / RATE
    return Arrivals(words.astype(np.int64), at + np.array([late(t) for t in at]))


def without(count, *losses):
    """Sample numbers 0 to count, without those in the spans."""
    samples = np.arange(count)
    for start, stop in losses:
        samples = samples[(samples < start) | (samples >= stop)]
    return samples


def counters(samples):
    return (samples % 64).astype(np.uint8)


def placed(samples, arrivals=NONE):
    placement = place(counters(samples), arrivals)
    return placement, placement.sample_of(np.arange(placement.words))


def test_without_losses_every_word_is_its_own_sample():
    placement, index = placed(np.arange(1000))
    assert_array_equal(index, np.arange(1000))
    assert (placement.samples, placement.damaged) == (1000, ())


@pytest.mark.parametrize("lost", [1, 16, 62, 63])
def test_a_loss_within_one_turn_is_told_by_the_counter(lost):
    samples = without(5000, (1000, 1000 + lost))
    placement, index = placed(samples)
    assert_array_equal(index, samples)
    assert placement.samples == 5000


@pytest.mark.parametrize("lost", [65, 1000, 6400 + 17])
def test_whole_turns_that_were_lost_too_are_told_by_the_time(lost):
    samples = without(300_000, (123_456, 123_456 + lost))
    placement, index = placed(samples, arriving(samples))
    assert_array_equal(index, samples)
    assert placement.damaged == ()


@pytest.mark.parametrize("lost", [64, 640])
def test_a_loss_that_the_counter_can_not_see_is_found_and_its_surroundings_are_left_out(lost):
    samples = without(300_000, (123_456, 123_456 + lost))
    placement, index = placed(samples, arriving(samples))
    ((start, stop),) = placement.damaged
    assert start <= 123_456 <= stop
    assert stop - start <= 1000 + 64
    assert_array_equal(index[stop:], samples[stop:])
    assert placement.samples == 300_000


def test_two_losses_of_whole_turns_are_both_found():
    samples = without(400_000, (100_000, 100_128), (250_000, 250_064))
    placement, index = placed(samples, arriving(samples))
    assert len(placement.damaged) == 2
    assert index[-1] == samples[-1]


def test_words_that_are_late_for_a_while_are_no_loss():
    samples = np.arange(300_000)
    busy = arriving(samples, late=lambda t: 0.05 if 1.0 < t < 1.3 else 0.001)
    # Packets arrive in order.
    times = np.maximum.accumulate(busy.times_s)
    placement, index = placed(samples, Arrivals(busy.words, times))
    assert placement.damaged == ()
    assert_array_equal(index, samples)


def test_a_sample_clock_that_drifts_is_no_loss():
    samples = np.arange(2_000_000)
    placement, index = placed(samples, arriving(samples, late=lambda t: 0.001 + 100e-6 * t))
    assert placement.damaged == ()
    assert index[-1] == samples[-1]


@pytest.mark.parametrize("length", [1, 4])
def test_damaged_words_between_good_ones_move_nothing(length):
    values = counters(np.arange(1000))
    values[500 : 500 + length] = (values[500 : 500 + length] + 29) % 64
    placement = place(values, NONE)
    assert placement.damaged == ((500, 500 + length),)
    assert placement.samples == 1000


def test_bytes_out_of_step_end_the_record_where_they_begin():
    values = counters(np.arange(3000))
    values[2000:] = np.random.default_rng(1).integers(0, 64, 1000)
    placement = place(values, NONE)
    assert 1990 <= placement.words <= 2003


def test_nothing_received_is_no_sample():
    placement = place(np.empty(0, np.uint8), NONE)
    assert (placement.words, placement.samples) == (0, 0)
