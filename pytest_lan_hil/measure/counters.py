"""A DUT's own counters to measurements: what happened between two readings of `lnn status`. Pure.

A counter that the firmware does not have is absent and never zero (CapabilityMissing); one that ran backwards
says that the DUT has started anew in between (MeasurementInvalid). The keys: docs/reference/dut-console.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pytest_lan_hil.dut.work import Work
from pytest_lan_hil.measure.distributions import UNIFORM_95
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.errors import CapabilityMissing, InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Contribution, Measurement

Counters = Mapping[str, int]
_TURN = 1 << 32
# How fine a DUT's time stamps are nobody says; 1 ms is the coarsest that `run.mlperf.counting` takes.
_STAMP_S = 1e-3
_MILLISECOND = "the counters are in whole milliseconds, cut"


def cpu_utilisation(before: Counters, after: Counters, work: Sequence[Work]) -> Measurement:
    """Share of the working time that the core was awake, in percent.

    The core sleeps while it waits for a command, so that time between the readings in which nobody asked for
    work adds nothing to the time awake: it is held against the time worked, and does not flatter the figure.

    Raises:
        CapabilityMissing: The firmware does not count how long it slept.
        MeasurementInvalid: The DUT was not given work whose length is known, or was reset.
    """
    seconds = [one.seconds for one in work]
    lengths = [one for one in seconds if one is not None]
    worked_s = math.fsum(lengths)
    if len(lengths) < len(seconds) or not worked_s > 0:
        raise MeasurementInvalid(
            "the DUT was given no work whose length is known: its time awake is a share of nothing",
            fix="call dut.run_for(seconds), or dut.infer(n) on a firmware that stamps its time (m-lap-us)",
        )
    awake_s = (grown(before, after, "uptime_ms") - grown(before, after, "asleep_ms")) / 1e3
    percent = 100 * awake_s / worked_s
    # Two differences of two readings each; what is cut off a reading is evenly spread over one millisecond.
    error = 100 * UNIFORM_95 * 1e-3 * math.sqrt(4) / worked_s
    return from_values(
        "cpu_utilisation",
        [min(percent, 100.0)],
        contributions=(Contribution("resolution of the counters", error, "%", _MILLISECOND),),
        notes=(f"awake for {awake_s:.3g} s of {worked_s:.3g} s of work, its console included",),
    )


def dropped_frames(before: Counters, after: Counters) -> Measurement:
    """Share of the audio frames that came too late, in percent: an exact figure.

    Raises:
        CapabilityMissing: The firmware does not count frames and overruns.
        MeasurementInvalid: The DUT took no frame, or was reset.
    """
    taken, lost = grown(before, after, "frames"), grown(before, after, "overruns")
    if taken + lost == 0:
        raise MeasurementInvalid(
            "the DUT took no audio frame in this test", fix="call dut.run_for(seconds) or dut.infer(n)"
        )
    return from_values(
        "dropped_frames",
        [100 * lost / (taken + lost)],
        notes=(f"{lost} of {taken + lost} audio frames lost",),
    )


def temperature(readings: Sequence[Counters], error_k: float | None) -> Measurement:
    """What the chip's own sensor said, in degrees Celsius, one value per reading.

    Args:
        readings: In order of time.
        error_k: 95 % half-width of the sensor, kelvin; None if the board file does not say: unbounded.

    Raises:
        CapabilityMissing: The chip has no sensor, or the firmware does not read it.
    """
    values = [_value(one, "temperature_mc") / 1e3 for one in readings]
    notes: tuple[str, ...] = ()
    if error_k is None:
        part = Contribution("sensor of the chip", math.inf, "degC", "the board file says nothing of it")
        notes = (
            "the error has no bound: the board file does not say how good the chip's sensor is"
            " (temperature_error_k)",
        )
    else:
        part = Contribution("sensor of the chip", error_k, "degC", "temperature_error_k of the board file")
    return from_values("temperature", values, contributions=(part,), notes=notes)


def uptime(after: Counters) -> Measurement:
    """Time since the last reset, in seconds (the counter wraps after 49.7 days).

    Raises:
        CapabilityMissing: The firmware does not count it.
    """
    part = Contribution("resolution of the counter", UNIFORM_95 * 1e-3, "s", _MILLISECOND)
    return from_values("uptime", [_value(after, "uptime_ms") / 1e3], contributions=(part,))


def throughput(work: Sequence[Work]) -> Measurement:
    """Inferences per second, one value for each stretch of work that was done back to back.

    By the DUT's own time stamps around the stretch, as MLPerf Tiny's runner counts them.

    Raises:
        InputError: The test had nothing done back to back.
        MeasurementInvalid: The DUT does not stamp its time.
    """
    stretches = [one for one in work if one.back_to_back and one.inferences]
    if not stretches:
        raise InputError(
            "a throughput_budget on a test that has no inferences done back to back",
            fix="call dut.set_pace(0) before dut.infer(n): by default the DUT keeps the pace of its audio",
        )
    rates, errors = [], []
    for one in stretches:
        if not one.seconds:
            raise MeasurementInvalid(
                f"the DUT gave no time stamps around {one.inferences} inferences",
                fix="use a firmware in MLPerf Tiny's performance mode (m-lap-us), or more inferences",
            )
        rate = one.inferences / one.seconds
        rates.append(rate)
        errors.append(rate * UNIFORM_95 * math.sqrt(2) * _STAMP_S / one.seconds)
    part = Contribution("two time stamps", max(errors), "1/s", "of microseconds, in steps of up to 1 ms")
    return from_values(
        "throughput",
        rates,
        contributions=(part,),
        notes=("by the DUT's own clock, whose rate is not checked",),
    )


def grown(before: Counters, after: Counters, key: str) -> int:
    """What a counter, 32 bits wide, has counted between two readings.

    Raises:
        CapabilityMissing: The firmware does not have it.
        MeasurementInvalid: The DUT has started anew in between.
    """
    if _value(after, "uptime_ms") < _value(before, "uptime_ms"):
        raise MeasurementInvalid(
            f"the DUT was reset in the measured part: up for {before['uptime_ms']} ms before it, for"
            f" {after['uptime_ms']} ms after it",
            fix="look for a fault or a watchdog; leave dut.reset() out of a test that judges counters",
        )
    return (_value(after, key) - _value(before, key)) % _TURN


def _value(counters: Counters, key: str) -> int:
    if key not in counters:
        known = ", ".join(counters) or "nothing"
        raise CapabilityMissing(
            f"this DUT does not tell {key}: its `lnn status` says {known}",
            fix="use a chip and a firmware that can tell",
        )
    return counters[key]
