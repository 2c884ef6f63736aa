"""The metrics library on the virtual nRF52840: what it costs, and that interrupts and probes do no harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from required import binary

from benchmarks.metrics_core import COMPILER, MetricsCore, build, costs
from pytest_lan_hil.dut.metrics_frame import SEQUENCE_OFFSET, SIZE, Defect, MetricsFrameError, parse_memory
from pytest_lan_hil.dut.metrics_source import address_in, read_memory

BAR_CYCLES = 100
STEPS = 6000


@pytest.fixture(autouse=True)
def compiler() -> None:
    binary(COMPILER, "gcc-arm-none-eabi")


class Interrupted(MetricsCore):
    """The main program and an interrupt record at once; the core is stepped, so that it stands anywhere."""

    def __init__(self, folder: Path) -> None:
        image = build("interrupted", folder)
        super().__init__(image)
        self.at = address_in(image)
        self.run_cycles(20_000)  # past the start
        self.halt()

    @property
    def within_a_record(self) -> bool:
        return bool(self.read(self.at + SEQUENCE_OFFSET, 1)[0] & 1)

    def places(self) -> Iterator[bytes]:
        """The block as it is behind each of the next instructions."""
        for _ in range(STEPS):
            self.step()
            yield self.read(self.at, SIZE)

    def step_into_a_record(self) -> None:
        while not self.within_a_record:
            self.step()


def test_every_call_takes_less_than_100_cycles_and_less_than_125_where_nothing_is_cached(
    tmp_path: Path,
) -> None:
    found = costs(tmp_path)
    calls = {name: cost for name, cost in found.items() if name.startswith(("lnn_record_", "lnn_set_"))}
    assert len(calls) == 19
    assert {name: most for name, (_, _, most) in calls.items() if most >= BAR_CYCLES} == {}
    assert {name: first for name, (first, _, _) in calls.items() if first >= 1.25 * BAR_CYCLES} == {}
    # a function that did nothing would take a call and a return
    assert min(least for _, least, _ in calls.values()) > 20


def test_an_interrupt_at_any_instruction_loses_no_record_and_no_probe_takes_half_a_one(
    tmp_path: Path,
) -> None:
    core = Interrupted(tmp_path)
    interrupts = core.words("done", 1)[0]
    torn = sound = 0
    for block in core.places():
        try:
            metrics = parse_memory(block)
        except MetricsFrameError as error:
            assert error.defect is Defect.TORN  # noqa: PT017 - both ways are right, and counted
            torn += 1
            continue
        sound += 1
        assert metrics.latency is not None
        assert metrics.confidence is not None
        assert metrics.latency.total == 1000 * metrics.latency.n
        assert metrics.confidence.total == 500 * metrics.confidence.n
    assert torn > 1000
    assert sound > 1000
    assert core.words("done", 1)[0] > interrupts + 10
    while core.within_a_record:
        core.step()
    latency = parse_memory(core.read(core.at, SIZE)).latency
    assert latency is not None
    # each of the two records before it counts, so that either may be one ahead
    assert latency.n - core.words("done", 1)[0] - core.words("recorded", 1)[0] in {0, 1, 2}


def test_a_probe_reads_again_while_the_block_is_being_written(tmp_path: Path) -> None:
    core = Interrupted(tmp_path)
    core.step_into_a_record()
    reads = 0

    def read(address: int, size: int) -> bytes:
        nonlocal reads
        reads += 1
        data = core.read(address, size)
        for _ in range(5):
            core.step()  # the core goes on between two accesses of the probe
        return data

    latency = read_memory(read, core.at).latency
    assert latency is not None
    assert latency.total == 1000 * latency.n
    assert reads > 2


def test_a_core_that_is_halted_within_a_record_is_told_apart_from_a_damaged_block(tmp_path: Path) -> None:
    core = Interrupted(tmp_path)
    core.step_into_a_record()
    with pytest.raises(
        MetricsFrameError, match=r"being written at each of 10 attempts[\s\S]*let the core run"
    ):
        read_memory(core.read, core.at)
