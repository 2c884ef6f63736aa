"""Where the core was: cycles or samples by function, and how the samples are taken."""

from __future__ import annotations

import math
import random
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.dut.profile import (
    DEMCR,
    DHCSR,
    DWT_PCSR,
    S_SLEEP,
    TRCENA,
    cycles_by_function,
    profile,
    samples_by_function,
)
from pytest_lan_hil.model.errors import DutTimeout, ImageError, MeasurementInvalid
from pytest_lan_hil.model.profile import OUTSIDE, Counted

NAMES = {0x100: "main", 0x200: "filter", 0x300: "filter"}
ADDRESSES = st.sampled_from([0x100, 0x200, 0x300, 0x9000])


def function_at(address: int) -> str:
    return NAMES.get(address, "")


@given(st.dictionaries(ADDRESSES, st.integers(0, 10**12)))
def test_no_cycle_is_lost_between_blocks_and_functions(blocks: dict[int, int]) -> None:
    rows = cycles_by_function(blocks, function_at)
    assert sum(row.amount for row in rows) == sum(blocks.values())
    assert {row.name for row in rows} <= {"main", "filter", OUTSIDE}
    assert [row.amount for row in rows] == sorted((row.amount for row in rows), reverse=True)
    assert not any(row.error for row in rows)


@given(st.lists(st.lists(ADDRESSES | st.none(), min_size=1, max_size=20), min_size=2, max_size=20))
def test_every_sample_is_some_functions_or_found_the_core_asleep(bursts: list[list[int | None]]) -> None:
    rows, asleep = samples_by_function(bursts, function_at)
    assert sum(row.amount for row in rows) + asleep == sum(len(burst) for burst in bursts)
    assert asleep == sum(sample is None for burst in bursts for sample in burst)
    assert all(row.error >= 0 and math.isfinite(row.error) for row in rows)


@pytest.mark.parametrize("alike", [1, 8])
def test_the_standard_error_is_how_much_the_share_would_differ_another_time(alike: int) -> None:
    """`alike`: so many samples in a row are one and the same, as in a burst that is faster than the code."""
    draw = random.Random(6)

    def pass_of() -> list[list[int | None]]:
        return [
            [address for _ in range(8 // alike) for address in [draw.choice((0x100, 0x200))] * alike]
            for _ in range(100)
        ]

    amounts, errors = [], []
    for _ in range(200):
        rows, _ = samples_by_function(pass_of(), function_at)
        (row,) = [row for row in rows if row.name == "main"]
        amounts.append(row.amount)
        errors.append(row.error)
    assert statistics.fmean(errors) == pytest.approx(statistics.stdev(amounts), rel=0.15)


@dataclass
class FakeTarget:
    """A core of which each read finds the next of `states` and `addresses`."""

    states: list[int]
    addresses: list[int]
    demcr: int = 0x10
    demcr_while_read: set[int] = field(default_factory=set)
    reads: int = 0

    def read32(self, address: int) -> int:
        assert address == DEMCR
        return self.demcr

    def write32(self, address: int, value: int) -> None:
        assert address == DEMCR
        self.demcr = value

    def read32_often(self, addresses: tuple[int, ...], times: int) -> list[tuple[int, ...]]:
        assert addresses == (DHCSR, DWT_PCSR)
        self.demcr_while_read.add(self.demcr)
        at = [(self.reads + n) % len(self.states) for n in range(times)]
        self.reads += times
        return [(self.states[n], self.addresses[n]) for n in at]


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.25
        return self.now


class FakeProbe:
    def __init__(self, target: FakeTarget, counts: Any = None) -> None:
        self.clock = FakeClock()
        self._target, self._counts = target, counts

    def count_cycles(self) -> Any:
        return None if self._counts is None else nullcontext(self._counts)

    @contextmanager
    def attached(self) -> Iterator[FakeTarget]:
        yield self._target


class FakeDut:
    """Makes inferences for as long as it takes to sample a few bursts."""

    def __init__(self, target: FakeTarget, functions: tuple[Any, ...] = ((0x100, 4, "main"),)) -> None:
        self.image = SimpleNamespace(
            sha256="aa", functions=functions, path="lan.elf", function_at=function_at
        )
        self.asked: list[int] = []
        self.error: Exception | None = None
        self._target = target

    def set_pace(self, milliseconds: int) -> None:
        assert milliseconds == 0

    def infer(self, count: int) -> None:
        self.asked.append(count)
        if len(self.asked) == 1 or threading.current_thread() is threading.main_thread():
            return
        if self.error is not None:
            raise self.error
        until = self._target.reads + 64
        for _ in range(500):  # as a DUT's time limit
            if self._target.reads >= until:
                return
            time.sleep(0.001)


def test_a_probe_that_counts_is_asked_for_every_cycle() -> None:
    target = FakeTarget([0], [0x100])
    counts = SimpleNamespace(cycles=70, blocks={0x100: 30, 0x200: 40}, running_s=0.2)
    found = profile(FakeProbe(target, counts), FakeDut(target), inferences=7)  # type: ignore[arg-type]
    assert (found.counted, found.inferences, found.total) == (Counted.CYCLES, 7, 70)
    assert [(row.name, row.amount) for row in found.functions] == [("filter", 40), ("main", 30)]
    assert (found.duration_s, found.asleep_s) == (0.25, pytest.approx(0.05))
    assert target.reads == 0


def test_any_other_probe_samples_the_program_counter_until_the_time_is_over() -> None:
    target = FakeTarget([0, 0, S_SLEEP, 0], [0x100, 0x200, 0x100, 0xFFFF_FFFF])
    dut = FakeDut(target)
    found = profile(FakeProbe(target), dut, inferences=5, seconds=2.0)  # type: ignore[arg-type]
    assert found.counted is Counted.SAMPLES
    assert found.inferences == 5 * (len(dut.asked) - 1) > 5
    assert dut.asked[0] == 1  # a first one warms up
    assert {row.name: row.amount * 4 for row in found.functions} == dict.fromkeys(
        ("main", "filter", OUTSIDE), found.total
    )
    assert found.asleep_s == found.duration_s / 4
    assert target.demcr_while_read == {0x10 | TRCENA}
    assert target.demcr == 0x10  # left as it was found


def test_a_core_without_program_counter_sampling_is_said_so() -> None:
    target = FakeTarget([0], [0])
    with pytest.raises(MeasurementInvalid, match="DWT_PCSR reads as zero"):
        profile(FakeProbe(target), FakeDut(target), seconds=1.0)  # type: ignore[arg-type]


def test_what_goes_wrong_while_samples_are_taken_is_raised() -> None:
    target = FakeTarget([0], [0x100])
    dut = FakeDut(target)
    dut.error = DutTimeout("it did not answer", fix="look")
    with pytest.raises(DutTimeout, match="did not answer"):
        profile(FakeProbe(target), dut, seconds=1.0)  # type: ignore[arg-type]
    assert target.demcr == 0x10


def test_an_image_without_function_names_is_refused() -> None:
    target = FakeTarget([0], [0x100])
    with pytest.raises(ImageError, match="names no functions"):
        profile(FakeProbe(target), FakeDut(target, ()))  # type: ignore[arg-type]
