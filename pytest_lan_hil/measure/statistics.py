"""Values to estimates: a statistic, its 95 % confidence interval, and the instrument's error beside it.

All intervals are two-sided 95 % with equal tails. Explained for readers in docs/explanation/uncertainty.md;
methods after JCGM 100:2008 (GUM) and, for percentiles, distribution-free order statistics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.distributions import order_statistic_ranks, student_t_quantile
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Estimate, Spread

CONFIDENCE = 0.95
_PLAIN = ("mean", "max", "min", "share")
_NORMAL = 1.959963984540054  # two-sided 95 % point of the normal distribution
_TAIL = (1 - CONFIDENCE) / 2
# The lag-1 autocorrelation of n independent values has mean -1/n and standard deviation 1/sqrt(n). Neighbours
# resemble each other beyond chance from the one-sided 5 % point on; what they cost is counted from one
# standard deviation on: leaving real correlation out costs coverage, counting chance only a little width.
_LAG_1_LIMIT = 1.645
_LAG_1_COUNTS = 1.0
_FEWEST_FOR_LAGS = 8
# A record too short for its own correlation is taken as worth this many values at least.
_FEWEST_EFFECTIVE = 2.0


def percentile_of(statistic: str) -> float | None:
    """The percentile (0 to 100, exclusive) that "pNN" names, None for the other statistics.

    Raises:
        InputError: Not a statistic.
    """
    if statistic in _PLAIN:
        return None
    try:
        percentile = float(statistic[1:]) if statistic.startswith("p") else math.nan
    except ValueError:
        percentile = math.nan
    if not 0 < percentile < 100:
        raise InputError(
            f"{statistic!r} is not a statistic",
            fix='use "mean", "max", "min", "share" or a percentile such as "p95"',
        )
    return percentile


def checked(values: Sequence[float]) -> NDArray[np.float64]:
    """The values as an array.

    Raises:
        MeasurementInvalid: There are none, or one is not a finite number.
    """
    array = np.asarray(values, np.float64)
    if not array.size:
        raise MeasurementInvalid("no values to estimate from", fix="measure at least once")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise MeasurementInvalid(
            f"value {bad[0] + 1} of {array.size} is {array[bad[0]]}, not a number",
            fix="find out what produced it; it is not dropped, because that would hide it",
        )
    return array


def describe(values: Sequence[float]) -> Spread:
    """Descriptive statistics; percentiles by linear interpolation between order statistics.

    Raises:
        MeasurementInvalid: See `checked`.
    """
    array = checked(values)
    p50, p95, p99 = (float(q) for q in np.percentile(array, [50, 95, 99]))
    return Spread(
        mean=_mean(array),
        std=_std(array),
        minimum=float(array.min()),
        p50=p50,
        p95=p95,
        p99=p99,
        maximum=float(array.max()),
    )


def _mean(array: NDArray[np.float64]) -> float:
    """Mean that lies between the extremes, which rounding may deny to a sum divided by n."""
    return min(max(math.fsum(array) / len(array), float(array.min())), float(array.max()))


def _std(array: NDArray[np.float64]) -> float:
    if array.min() == array.max():
        return 0.0
    return float(array.std(ddof=1))


def lag_1(values: Sequence[float]) -> float:
    """Autocorrelation of neighbouring values, -1 to 1; 0 where all are equal or there are fewer than 3."""
    array = np.asarray(values, np.float64)
    if len(array) < 3 or array.min() == array.max():
        return 0.0
    centred = array - array.mean()
    return float(np.dot(centred[1:], centred[:-1]) / np.dot(centred, centred))


def is_autocorrelated(values: Sequence[float]) -> bool:
    """True if neighbouring values resemble each other beyond chance (one-sided, 5 %)."""
    return _resemblance(values) > _LAG_1_LIMIT


def _resemblance(values: Sequence[float]) -> float:
    """Lag-1 autocorrelation in its standard deviations for independent values; 0 for too few values."""
    n = len(values)
    return (lag_1(values) + 1 / n) * math.sqrt(n) if n >= _FEWEST_FOR_LAGS else 0.0


def variance_inflation(values: Sequence[float]) -> float:
    """How many times more the mean of these values varies than that of as many independent ones; from 1.

    1 + 2 * sum of autocorrelations: the larger of two estimates, because each is short in another case.

    * Summed in pairs of lags while they stay positive (C. J. Geyer, Practical Markov Chain Monte Carlo,
      1992, initial positive sequence), and corrected for the record's own mean, which makes each
      autocorrelation look smaller than it is by that sum over n. Short where few values make it stop early.
    * That of a first-order autoregression with the lag-1 autocorrelation found. Short where a slow wander
      lies under noise.
    """
    n = len(values)
    if _resemblance(values) < _LAG_1_COUNTS:
        return 1.0
    array = np.asarray(values, np.float64)
    centred = array - array.mean()
    spectrum = np.fft.rfft(centred, 2 * n)
    lags = np.fft.irfft(spectrum * spectrum.conj(), 2 * n)[:n]
    lags = lags[1:] / lags[0]
    pairs = lags[: len(lags) // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    used = int(ends[0]) if len(ends) else len(pairs)
    summed = (1 + 2 * float(pairs[:used].sum())) / max(0.25, 1 - 4 * used / n)
    coefficient = min(max(float(lags[0]), 0.0), 1 - 1 / n)
    return max(1.0, summed, (1 + coefficient) / (1 - coefficient))


def effective_n(values: Sequence[float]) -> float:
    """How many independent values would give a mean as certain as these do; between 2 (or n) and n.

    Values whose lag-1 autocorrelation could well be chance count as independent.
    """
    n = float(len(values))
    return min(n, max(_FEWEST_EFFECTIVE, n / variance_inflation(values)))


def estimate(values: Sequence[float], statistic: str, instrument_error: float) -> Estimate:
    """A statistic of the values with its two-sided 95 % interval.

    * "mean": Student's t with the effective number of values; one value leaves the mean unbounded.
    * "pNN": order statistics, which assume nothing about the distribution; a side that n values can't bound
      is infinite (p95 has an upper limit from 72 values). Values that come in clusters widen the interval,
      up to the extreme values seen.
    * "max", "min": the extreme value seen. It is a fact about this record and has no statistical interval.
    * "share": the share of values that are 100 and not 0, in percent, with Wilson's score interval
      (E. B. Wilson, JASA 22 (1927), 209-212), which holds near 0 and 100 % too.

    The instrument's error is systematic: it does not shrink with n. It is combined with each side of the
    statistical interval as root sum of squares (JCGM 100:2008, 5.1.2).

    Args:
        values: In order of time.
        statistic: See above.
        instrument_error: 95 % half-width, unit of the values.

    Raises:
        InputError: Unknown statistic, or a negative instrument error.
        MeasurementInvalid: No values, or one that is not finite (for "share": neither 0 nor 100).
    """
    percentile = percentile_of(statistic)
    if not instrument_error >= 0:
        raise InputError(f"instrument error {instrument_error} is negative", fix="give a half-width")
    array = checked(values)
    if statistic == "max":
        value = low = high = float(array.max())
    elif statistic == "min":
        value = low = high = float(array.min())
    elif statistic == "share":
        value, low, high = _share(array)
    elif percentile is None:
        value = _mean(array)
        half = _half_width_of_mean(array)
        low, high = value - half, value + half
    else:
        value = float(np.percentile(array, percentile))
        low, high = _bounds_of_percentile(array, value, percentile / 100)
        low, high = min(low, value), max(high, value)
    return Estimate(
        statistic=statistic,
        value=value,
        ci95_low=low,
        ci95_high=high,
        instrument_error=instrument_error,
        low=min(low, value - math.hypot(value - low, instrument_error)),
        high=max(high, value + math.hypot(high - value, instrument_error)),
    )


def _share(array: NDArray[np.float64]) -> tuple[float, float, float]:
    """Share in percent, and Wilson's 95 % score interval."""
    if not np.isin(array, (0.0, 100.0)).all():
        raise MeasurementInvalid(
            "a share is made of values that are 0 or 100, some of these are neither",
            fix="give 100 for each case that counts and 0 for each that does not",
        )
    n, share = len(array), float(array.mean()) / 100
    z2 = _NORMAL**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _NORMAL * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return 100 * share, 100 * max(min(centre - half, share), 0.0), 100 * min(max(centre + half, share), 1.0)


def _half_width_of_mean(array: NDArray[np.float64]) -> float:
    if len(array) == 1:
        return math.inf
    n, count = len(array), effective_n(array.tolist())
    # Values that resemble each other spread less about their own mean than about the true one.
    std = _std(array) * math.sqrt((n - 1) / (n - n / count))
    return student_t_quantile(1 - _TAIL, count - 1) * std / math.sqrt(count)


def _bounds_of_percentile(array: NDArray[np.float64], value: float, quantile: float) -> tuple[float, float]:
    """Order statistics around the quantile, `value` being its estimate; infinite where n is too small."""
    n = len(array)
    lower, upper = order_statistic_ranks(n, quantile, CONFIDENCE)
    # A quantile is as certain as the share of values below it: that share's effective n counts.
    count = int(effective_n((array <= value).astype(np.float64).tolist()))
    if count < n:
        fewer_lower, fewer_upper = order_statistic_ranks(count, quantile, CONFIDENCE)
        # The rank keeps its place in the distribution, rounded outwards, at most the extreme value.
        lower = min(lower, max(fewer_lower * n // count, min(lower, 1)))
        upper = max(upper, min(-(-fewer_upper * n // count), max(upper, n)))
    ordered = np.sort(array)
    low = float(ordered[lower - 1]) if lower >= 1 else -math.inf
    high = float(ordered[upper - 1]) if upper <= n else math.inf
    return low, high


def fewest_for(statistic: str) -> int:
    """Number of independent values from which both sides of the statistic's interval are finite."""
    percentile = percentile_of(statistic)
    if percentile is None:
        return 2 if statistic == "mean" else 1
    q = percentile / 100
    return math.ceil(math.log(_TAIL) / math.log(max(q, 1 - q)) - 1e-9)
