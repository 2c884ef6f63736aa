"""Measurement to sample: one run's figure, with the standard error that this run alone can tell.

A comparison of two runs asks how much the figure would differ had the run been made again on the same bench.
So the parts of the instrument's error that both runs share (gain, offset) are left out: they cancel. What is
new in each run is counted: the values' own scatter, and the resolution of a counter.
"""

from __future__ import annotations

import math

from pytest_lan_hil.measure.distributions import NORMAL_95, student_t_quantile
from pytest_lan_hil.measure.statistics import effective_n, percentile_of
from pytest_lan_hil.model.comparison import Sample
from pytest_lan_hil.model.measurement import Estimate, Measurement


def sample_of(measurement: Measurement) -> Sample:
    """Reduce a measurement to what a comparison needs. The statistic is that of its estimate.

    * "mean": standard error from its 95 % interval, that is Student's t with the effective number of values;
      infinite for one value.
    * "pNN": half of the order-statistic interval / 1.96; infinite where a side is not bounded.
    * "share": A. Agresti, B. Caffo (The American Statistician 54 (2000), 280-288): one success and one
      failure are added before the variance is taken, so that 0 % and 100 % are not taken for certain.
    * "max", "min": a fact about the run; the instrument's error counts, because a counter or a sensor rounds
      anew in every run.

    Raises:
        InputError: The estimate names no statistic.
    """
    found = measurement.estimate
    percentile = percentile_of(found.statistic)
    degrees = math.inf
    if found.statistic in ("max", "min"):
        error = found.instrument_error / NORMAL_95
    elif found.statistic == "share":
        error = _share_error(found.value, measurement.n)
    elif percentile is not None:
        error = _half_width(found) / NORMAL_95
    else:
        degrees = effective_n(measurement.values) - 1
        half = _half_width(found)
        if degrees > 0 and math.isfinite(half):
            error = half / student_t_quantile(0.975, degrees)
        else:
            error = degrees = math.inf
    return Sample(found.value, error, degrees, measurement.n, measurement.spread)


def _half_width(found: Estimate) -> float:
    return (found.ci95_high - found.ci95_low) / 2


def _share_error(percent: float, n: int) -> float:
    share = (percent / 100 * n + 1) / (n + 2)
    return 100 * math.sqrt(share * (1 - share) / (n + 2))
