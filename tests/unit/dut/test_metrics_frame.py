"""Metrics frames: what is read, and what is refused and why."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metrics_blocks import HZ, a_block, frame

from pytest_lan_hil.dut.metrics_frame import (
    SIZE,
    Defect,
    MetricsFrameError,
    Present,
    parse_frame,
    parse_line,
    parse_memory,
)
from pytest_lan_hil.dut.metrics_source import read_memory
from pytest_lan_hil.dut.metrics_values import DeviceMetrics, Share


def refused(data: bytes, parse: Callable[[bytes], object] = parse_frame) -> MetricsFrameError:
    with pytest.raises(MetricsFrameError) as caught:
        parse(data)
    assert caught.value.fix
    return caught.value


def test_a_frame_is_read_in_the_units_that_engineers_say() -> None:
    metrics = parse_frame(frame(a_block()))
    assert metrics.latency is not None
    assert metrics.confidence is not None
    assert metrics.power is not None
    assert metrics.energy is not None
    latency = metrics.latency
    assert (latency.n, latency.mean_ms, latency.last_ms, latency.highest_ms) == (4, 10.0, 10.0, 20.0)
    assert latency.edges_ms == tuple(range(1, 16))
    assert (metrics.confidence.n, metrics.confidence.mean_percent, metrics.confidence.last_percent) == (
        4,
        90,
        95,
    )
    assert (metrics.power.mean_mw, metrics.power.last_mw) == (1.0, 0.9)
    assert (metrics.energy.mean_uj, metrics.energy.last_uj) == (12.0, 12.0)
    assert (metrics.temperature_degc, metrics.battery_h, metrics.battery_v) == (-12.25, 60, 2.95)
    assert (metrics.cpu_percent, metrics.uptime_s, metrics.frame_rate_hz) == (21.3, 10.0, 31.3)
    assert (metrics.accuracy, metrics.false_positives) == (Share(19, 20), Share(1, 50))
    assert (metrics.throughput_hz, metrics.dropped_percent) == (0.4, pytest.approx(7 / 3.2))
    assert (metrics.memory_used, metrics.memory_available) == (20_000, 1_000)
    assert (metrics.flash_used, metrics.flash_size) == (150_000, 1 << 20)
    assert metrics.features is not None
    assert (metrics.features.n, math.fsum(metrics.features.training)) == (45, pytest.approx(1))


@pytest.mark.parametrize(("share", "bound_ms"), [(0.5, 9.0), (0.75, 9.0), (0.76, 20.0), (1.0, 20.0)])
def test_the_histogram_bounds_a_share_of_the_latencies(share: float, bound_ms: float) -> None:
    latency = parse_frame(frame(a_block())).latency
    assert latency is not None
    assert latency.bound_ms(share) == bound_ms


def test_a_bound_is_never_above_the_longest() -> None:
    block = a_block(latency_buckets=[0] * 9 + [4] + [0] * 6, latency_max=HZ // 1000 * 19 // 2, latency_last=1)
    latency = parse_frame(frame(block)).latency
    assert latency is not None
    assert latency.bound_ms(0.95) == 9.5


@pytest.mark.parametrize("bit", list(Present), ids=lambda bit: bit.name)
def test_what_the_device_does_not_know_is_none_and_its_bytes_do_not_matter(bit: Present) -> None:
    everything = (1 << len(Present)) - 1
    known, unknown = parse_frame(frame(a_block())), parse_frame(frame(a_block(present=everything & ~bit)))
    gone = {
        field.name
        for field in dataclasses.fields(DeviceMetrics)
        if getattr(known, field.name) is not None and getattr(unknown, field.name) is None
    }
    assert 1 <= len(gone) <= 2
    nonsense = a_block(
        present=0, cycle_hz=0, tick_hz=0, latency_edges=[0] * 15, confidence_last=5000, temperature=1 << 30,
        cpu=9999, correct=100, false_positives=100, drift_share=[0] * 10, flash_used=1 << 30,
    )  # fmt: skip
    assert parse_frame(frame(nonsense)).uptime_s is None


def test_a_device_that_knows_nothing_yet_has_no_rates() -> None:
    metrics = parse_frame(frame(a_block(present=0)))
    assert (metrics.throughput_hz, metrics.frame_rate_hz, metrics.dropped_percent) == (None, None, None)


@given(st.integers(0, SIZE - 1), st.integers(1, 255))
def test_no_damaged_byte_gets_through(at: int, flip: int) -> None:
    data = bytearray(frame(a_block()))
    data[at] ^= flip
    error = refused(bytes(data))
    assert error.defect in {Defect.MAGIC, Defect.LAYOUT, Defect.CHECKSUM}


@given(st.integers(0, SIZE * 2).filter(lambda size: size != SIZE))
def test_a_frame_that_is_cut_or_too_long_is_told_by_its_length(size: int) -> None:
    data = (frame(a_block()) * 2)[:size]
    error = refused(data)
    assert (error.defect, f"{size} bytes, a frame has {SIZE}" in error.problem) == (Defect.LENGTH, True)


@given(st.binary(min_size=SIZE, max_size=SIZE))
def test_noise_of_the_right_length_is_refused(data: bytes) -> None:
    refused(data)
    refused(data, parse_memory)


@given(st.text(max_size=2000))
def test_a_line_that_is_no_frame_is_refused(line: str) -> None:
    with pytest.raises(MetricsFrameError):
        parse_line(line)


def test_a_console_line_is_the_frame_in_hex() -> None:
    data = frame(a_block())
    assert parse_line(f"m-lnn-metrics-[{data.hex()}]") == parse_frame(data)
    for line in (
        f"m-lnn-metrics-[{data.hex()[:-1]}]",
        f"m-lnn-metrics-[{data.hex()}",
        f"m-lnn-metrics-[{'zz' * SIZE}]",
    ):
        with pytest.raises(MetricsFrameError, match=r"is not m-lnn-metrics-\[<hex>\]"):
            parse_line(line)


@pytest.mark.parametrize(
    ("changes", "defect", "words"),
    [
        ({"magic": b"XNNM"}, Defect.MAGIC, "lnn_metrics_init"),
        ({"layout": 1}, Defect.LAYOUT, "layout 1 of 448 bytes"),
        ({"size": 452}, Defect.LAYOUT, "of 452 bytes"),
        ({"sequence": 41}, Defect.TORN, "being written"),
        ({"present": 1 << len(Present)}, Defect.RANGE, "no name here"),
        ({"uptime_ticks": 1 << 63}, Defect.RANGE, "uptime"),
        ({"tick_hz": 0}, Defect.RANGE, "uptime"),
        ({"cycle_hz": 1000}, Defect.RANGE, "latencies"),
        ({"latency_edges": [5] * 15}, Defect.RANGE, "latencies"),
        ({"latency_last": HZ}, Defect.RANGE, "latencies"),
        ({"latency_sum": 1}, Defect.RANGE, "latencies"),
        ({"confidence_last": 1001}, Defect.RANGE, "confidence of 1001"),
        ({"power_last": 1101}, Defect.RANGE, "1101 uW"),
        ({"flash_used": (1 << 20) + 1}, Defect.RANGE, "of flash"),
        ({"temperature": 250_001}, Defect.RANGE, "250.001 degC"),
        ({"temperature": -100_001}, Defect.RANGE, "-100.001 degC"),
        ({"battery_voltage": 100_001}, Defect.RANGE, "100001 mV"),
        ({"cpu": 1001}, Defect.RANGE, "1001 thousandths"),
        ({"correct": 21}, Defect.RANGE, "21 right ones of 20"),
        ({"false_positives": 51}, Defect.RANGE, "51 false positives in 50"),
        ({"drift_edges": [1] * 9}, Defect.RANGE, "edges"),
        ({"drift_share": [0] * 10}, Defect.RANGE, "shares"),
        ({"drift_share": [100_000] * 9 + [100_011]}, Defect.RANGE, "shares"),
    ],
    ids=lambda value: None if isinstance(value, (Defect, str)) else next(iter(value)),
)
def test_what_cannot_be_is_refused_with_its_reason(
    changes: dict[str, object], defect: Defect, words: str
) -> None:
    for parse, data in ((parse_frame, frame(a_block(**changes))), (parse_memory, bytes(a_block(**changes)))):
        error = refused(data, parse)
        assert error.defect is defect
        assert words in str(error)


def test_all_that_cannot_be_is_told_at_once() -> None:
    error = refused(frame(a_block(cpu=1001, correct=21)))
    assert "1001 thousandths; 21 right ones" in error.problem


def test_the_difference_of_two_readings_is_what_happened_between_them() -> None:
    turn = 1 << 32
    before = parse_frame(frame(a_block(frames=turn - 3, dropped=0, power_count=turn - 1)))
    buckets = [0] * 8 + [5] + [0] * 6 + [1]
    now = parse_frame(
        frame(
            a_block(
                sequence=60, uptime_ticks=12 * 32_768, latency_buckets=buckets, latency_sum=HZ // 100 * 8,
                frames=59, dropped=1, power_count=1, power_sum=5000, labelled=24, correct=20,
                drift_buckets=list(range(1, 11)),
            )
        )
    )  # fmt: skip
    change = now.since(before)
    assert change is not None
    assert change.latency is not None
    assert change.power is not None
    assert change.features is not None
    assert (change.uptime_s, change.latency.n, change.latency.mean_ms) == (2.0, 2, 20.0)
    assert (change.frames, change.frame_rate_hz, change.dropped) == (62, 31.0, 1)
    assert (change.power.n, change.power.mean_mw) == (2, 1.0)
    assert (change.accuracy, change.features.counts) == (Share(1, 4), (1,) * 10)
    assert (change.temperature_degc, change.cpu_percent) == (now.temperature_degc, now.cpu_percent)


def test_a_group_that_appears_counts_from_nothing_and_a_quiet_interval_has_no_mean() -> None:
    everything = (1 << len(Present)) - 1
    before = parse_frame(frame(a_block(present=everything & ~Present.LATENCY & ~Present.FRAMES)))
    now = parse_frame(frame(a_block()))
    change = now.since(before)
    assert change is not None
    assert (change.latency, change.frames) == (now.latency, 313)
    quiet = now.since(now)
    assert quiet is not None
    assert quiet.latency is not None
    assert quiet.accuracy is not None
    assert quiet.confidence is not None
    assert (quiet.latency.mean_ms, quiet.latency.bound_ms(0.95), quiet.throughput_hz) == (None, None, None)
    assert (quiet.accuracy.percent, quiet.confidence.mean_percent) == (None, None)


def test_a_device_that_started_anew_or_has_no_clock_has_no_difference() -> None:
    before, now = parse_frame(frame(a_block())), parse_frame(frame(a_block(uptime_ticks=5)))
    assert now.since(before) is None
    clockless = parse_frame(frame(a_block(present=1)))
    assert clockless.since(before) is None
    assert before.since(clockless) is None


def test_memory_that_changes_under_the_reader_is_read_again() -> None:
    blocks = [
        bytes(a_block(sequence=2, frames=1)),
        bytes(a_block(sequence=3)),
        bytes(a_block(sequence=4, frames=2)),
    ]
    reads: list[int] = []

    def read(address: int, size: int) -> bytes:
        reads.append(address)
        block = blocks[min(len(reads) // 2, 2)]  # it changes after the 1st and the 3rd access
        return block[address - 0x2000 :][:size]

    assert read_memory(read, 0x2000).frames == 2
    assert reads == [0x2000, 0x200C] * 3
