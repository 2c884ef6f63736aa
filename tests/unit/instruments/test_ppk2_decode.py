"""Decoding is the package's own, sample by sample, spike filter included."""

from __future__ import annotations

import numpy as np
import ppk2_words
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pytest_lan_hil.instruments.ppk2_decode import Decoder, current_table, lines_of, ranges_of


def decoder():
    api = ppk2_words.package()
    return Decoder(
        current_table(api.modifiers, api.adc_mult, api.current_vdd),
        alpha=api.spike_filter_alpha,
        alpha_top=api.spike_filter_alpha5,
        samples=api.spike_filter_samples,
    )


def random_words(seed, runs):
    """Runs of (range, length), with random codes and lines."""
    rng = np.random.default_rng(seed)
    ranges = np.repeat([number for number, _ in runs], [length for _, length in runs])
    codes = rng.integers(0, 1 << 14, len(ranges), dtype=np.uint32)
    return ppk2_words.words(codes, ranges, lines=rng.integers(0, 256, len(ranges)))


def assert_as_package(words, current):
    expected, logic = ppk2_words.decoded_by_package(words.astype("<u4").tobytes())
    assert_allclose(current, expected, rtol=1e-12, atol=1e-18)
    assert_array_equal(lines_of(words), logic)


RUNS = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 40)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), runs=RUNS)
def test_every_sample_is_the_packages(seed, runs):
    words = random_words(seed, runs)
    assert_as_package(words, decoder().decode(words).current_a)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), runs=RUNS, cuts=st.lists(st.integers(0, 300), max_size=6))
def test_it_does_not_matter_how_the_words_are_cut_up(seed, runs, cuts):
    words = random_words(seed, runs)
    decode = decoder().decode
    parts = np.split(words, sorted(min(cut, len(words)) for cut in cuts))
    assert_as_package(words, np.concatenate([decode(part).current_a for part in parts]))


def test_long_captures_forget_nothing_that_matters():
    words = random_words(5, [(2, 3000), (4, 2000), (1, 1), (4, 1), (3, 1500), (0, 4000)])
    assert_as_package(words, decoder().decode(words).current_a)


def test_the_filter_replaces_three_samples_from_a_switch_on_and_says_which():
    words = ppk2_words.words(np.full(100, 2000), np.repeat([1, 2, 1], [50, 2, 48]))
    decoded = decoder().decode(words)
    # The second switch comes before the first one's three samples are over.
    assert decoded.switching.tolist() == [50, 51, 52, 53, 54]
    untouched = np.setdiff1d(np.arange(100), decoded.switching)
    assert_array_equal(decoded.current_a[untouched], decoded.raw_a[untouched])
    assert not np.any(decoded.current_a[decoded.switching] == decoded.raw_a[decoded.switching])


def test_codes_at_the_converters_limit_are_told():
    words = ppk2_words.words([5, 0x3FFF, 0x3FFE, 0x3FFF], [0, 4, 4, 1])
    assert decoder().decode(words).clipped.tolist() == [1, 3]
    assert ranges_of(words).tolist() == [0, 4, 4, 1]
