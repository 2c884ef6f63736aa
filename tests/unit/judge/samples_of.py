"""Samples and pairs made by hand, for the tests of verdicts."""

from __future__ import annotations

import math

from pytest_lan_hil.judge.regression import Pair
from pytest_lan_hil.model.comparison import Repeatability, Sample, Subject
from pytest_lan_hil.model.measurement import Spread
from pytest_lan_hil.model.quantities import Direction, Margin

TEN_PERCENT = Margin(0.10, 0.0)
UNKNOWN = Repeatability()
_SPREAD = Spread(mean=1.0, std=0.0, minimum=1.0, p50=1.0, p95=1.0, p99=1.0, maximum=1.0)


def sample(value, error=0.0, degrees=math.inf, n=200):
    return Sample(value, error, degrees, n, _SPREAD)


def samples(values, error=0.0, degrees=math.inf, n=200):
    return tuple(sample(float(value), error, degrees, n) for value in values)


def pair(
    base,
    head,
    *,
    error=0.0,
    margin=TEN_PERCENT,
    direction=Direction.LOWER,
    repeatability=UNKNOWN,
    quantity="latency",
    statistic="p95",
    n=200,
):
    """A pair from values, all runs with one standard error; or from samples as they are."""
    sides = [
        tuple(one if isinstance(one, Sample) else sample(float(one), error, n=n) for one in side)
        for side in (base, head)
    ]
    subject = Subject(quantity, "tests/hil/test_x.py::test_it")
    return Pair(subject, "ms", statistic, direction, margin, *sides, repeatability)
