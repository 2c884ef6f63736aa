"""The scatter of a run: what it is known from."""

from __future__ import annotations

from samples_of import samples

from pytest_lan_hil.judge.noise import Source, noise_of
from pytest_lan_hil.model.comparison import Repeatability

KNOWN = Repeatability(0.2, 20)


def test_a_history_of_other_values_says_nothing_of_a_baseline_of_zero():
    """It is a share of the value, and a share of 0 would say that the bench repeats itself exactly."""
    noise = noise_of(samples([0.0], error=0.3), samples([0.3], error=0.3), KNOWN)
    assert noise == noise_of(samples([0.0], error=0.3), samples([0.3], error=0.3), Repeatability())
    assert (noise.base.variance, noise.base.source) == (0.09, Source.WITHIN)


def test_a_known_history_is_the_scatter_of_both_sides():
    noise = noise_of(samples([10.0], error=0.3), samples([10.3], error=0.3), KNOWN)
    assert noise.base == noise.head == noise.between
    assert (noise.between.variance, noise.between.degrees) == (4.0, 20.0)
