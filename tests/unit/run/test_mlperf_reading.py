"""A captured window: found by either kind of marker line, and refused where the lines contradict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_lan_hil.model.capture import Accuracy, Capture, EdgeLine, Gap, InstrumentIdentity, MarkerLine
from pytest_lan_hil.model.errors import MeasurementInvalid
from pytest_lan_hil.run.mlperf.reading import falling_edges, read_window

RATE = 100_000.0
COUNT = 100_000
IDLE_A, BUSY_A, SUPPLY_V = 1e-3, 5e-3, 3.0
ACCURACY = Accuracy(0.01, 0.0, 0.0, 0.0, 0.0, "made up")


def levels(*spans: tuple[float, float], resting: int = 0) -> MarkerLine:
    """A line that has the other level within the spans, seconds."""
    samples = np.full(COUNT, resting, np.uint8)
    for start, stop in spans:
        samples[round(start * RATE) : round(stop * RATE)] = 1 - resting
    return MarkerLine(np.packbits(samples, bitorder="little"), COUNT, RATE)


def capture(busy: tuple[float, float] = (0.2, 0.7), **markers: MarkerLine | EdgeLine) -> Capture:
    current = np.full(COUNT, IDLE_A, np.float32)
    current[round(busy[0] * RATE) : round(busy[1] * RATE)] = BUSY_A
    return Capture(
        RATE,
        current,
        np.full(COUNT, SUPPLY_V, np.float32),
        InstrumentIdentity("Test", "1"),
        ACCURACY,
        markers,
    )


def stamps(*times: float) -> MarkerLine:
    """Pulled low for 20 us at each time."""
    return levels(*((at, at + 20e-6) for at in times), resting=1)


@pytest.mark.parametrize(
    "lines",
    [{"phase": levels((0.2, 0.7))}, {"timestamp": stamps(0.2, 0.7)}],
    ids=["phase", "timestamp"],
)
def test_both_kinds_of_line_show_the_same_window(lines: dict[str, MarkerLine]) -> None:
    reading = read_window(capture(**lines), 50)
    energy_uj = 0.5 * BUSY_A * SUPPLY_V * 1e6
    assert reading.start_s == pytest.approx(0.2)
    assert reading.duration_s == pytest.approx(0.5)
    assert reading.energy_uj == pytest.approx(energy_uj, rel=1e-5)
    assert reading.energy_error_uj == pytest.approx(0.01 * energy_uj, rel=0.02)
    assert reading.contributions


def test_the_time_stamp_pin_goes_before_phase() -> None:
    both = capture(timestamp=stamps(0.2, 0.7), phase=levels((0.1, 0.9)))
    assert read_window(both, 50).marker == "timestamp"


def test_time_stamps_of_an_edge_source_count_as_well() -> None:
    edges = EdgeLine(np.array([0.2, 0.2001, 0.7, 0.7001]), True, 1.0, 1e-6)
    assert read_window(capture(timestamp=edges), 50).duration_s == pytest.approx(0.5)


def test_noise_of_a_falling_edge_is_no_second_stamp() -> None:
    noisy = levels((0.2, 0.20002), (0.20004, 0.2001), (0.7, 0.7001), resting=1)
    assert falling_edges(noisy) == pytest.approx([0.2, 0.7])


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({}, "no marker line that shows the window: it has none"),
        ({"inference": levels((0.3, 0.4))}, "it has inference"),
        ({"timestamp": stamps(0.2)}, "fell 1 times"),
        ({"timestamp": stamps(0.2, 0.5, 0.7)}, "fell 3 times"),
        ({"phase": levels((0.2, 0.3), (0.5, 0.6))}, "shows 2 windows"),
        ({"phase": levels((0.2, 1.0))}, "phase"),
        ({"phase": levels((0.2, 0.7)), "inference": levels((0.3, 0.4))}, "shows 1 inferences"),
    ],
    ids=["none", "inference", "one stamp", "three stamps", "two windows", "cut", "count"],
)
def test_a_record_that_does_not_show_one_window_gives_no_number(
    lines: dict[str, MarkerLine], told: str
) -> None:
    with pytest.raises(MeasurementInvalid, match=told):
        read_window(capture(**lines), 50)


ROSE_AND_NEVER_FELL = {"phase": levels((0.2, 1.0))}


def gaps(*spans: tuple[float, float]) -> tuple[Gap, ...]:
    return tuple(Gap(round(start * RATE), round(stop * RATE)) for start, stop in spans)


def test_an_analyzer_that_stopped_early_is_named_and_not_the_dut() -> None:
    with pytest.raises(MeasurementInvalid, match=r"stopped after 1\.000 s, before it was told to") as caught:
        read_window(replace(capture(**ROSE_AND_NEVER_FELL), complete=False), 50)
    assert "DUT" not in str(caught.value)
    assert "hang" not in str(caught.value)


@pytest.mark.parametrize(
    "lines",
    [
        {"phase": levels((0.2, 0.7)), "inference": levels((0.3, 0.4))},
        {"timestamp": stamps(0.2, 0.7), "inference": levels((0.3, 0.4))},
    ],
    ids=["phase", "timestamp"],
)
def test_samples_dropped_in_the_window_are_told_before_the_inferences_are_counted(
    lines: dict[str, MarkerLine],
) -> None:
    with pytest.raises(MeasurementInvalid, match="dropped samples in 1 places") as caught:
        read_window(replace(capture(**lines), gaps=gaps((0.5, 0.505))), 50)
    assert "firmware" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"timestamp": stamps(0.2)}, "fell 1 times"),
        ({"phase": levels((0.2, 0.3), (0.5, 0.6))}, "shows 2 windows"),
        (ROSE_AND_NEVER_FELL, "rose and never fell"),
        ({"phase": levels((0.2, 0.7)), "inference": levels((0.3, 0.4))}, "shows 1 inferences"),
    ],
    ids=["one stamp", "two windows", "no fall", "count"],
)
def test_lines_that_contradict_the_dut_do_not_where_the_record_has_a_hole(
    lines: dict[str, MarkerLine], told: str
) -> None:
    """The hole is outside the window that is left, or the window is not there because of it."""
    with pytest.raises(MeasurementInvalid, match=told) as caught:
        read_window(replace(capture(**lines), gaps=gaps((0.8, 0.805))), 50)
    assert "1 hole (first at 0.800000 s)" in caught.value.problem
    assert "the analyzer" in caught.value.fix


def test_edges_that_a_source_may_have_lost_are_a_hole_as_well() -> None:
    line = EdgeLine(np.array([0.2, 0.3]), True, 1.0, 1e-6, lost=((0.25, 0.26),))
    with pytest.raises(MeasurementInvalid, match=r"fell 1 times.* 1 hole \(first at 0\.250000 s\)"):
        read_window(capture(timestamp=line), 50)


def test_a_hole_outside_the_window_harms_nothing() -> None:
    whole = replace(capture(phase=levels((0.2, 0.7))), gaps=gaps((0.8, 0.805)))
    assert read_window(whole, 50).lost_share == pytest.approx(0.005)
