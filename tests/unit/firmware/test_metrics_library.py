"""The C metrics library on the host, against a model of it in Python."""

from __future__ import annotations

import ctypes
import threading
import zlib
from itertools import pairwise
from pathlib import Path

import pytest
from firmware_host import FIRMWARE, build_metrics, output_of_c
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_model import LATENCY_US, U32, U64, Library, Model

from pytest_lan_hil.dut.metrics_frame import SIZE, Block, Defect, MetricsFrameError, Present, parse_frame
from pytest_lan_hil.dut.metrics_source import read_memory

CYCLE_HZ, TICK_HZ = 64_000_000, 32_768
EDGES = [-1600, -1200, -800, -400, 0, 400, 800, 1200, 1600]
SHARE = [100_000] * 10

word = st.one_of(st.integers(0, 1200), st.integers(0, U32 - 1), st.sampled_from([0, U32 - 1]))
signed = st.one_of(st.integers(-2000, 2000), st.integers(-(1 << 31), (1 << 31) - 1))
cycles = st.one_of(word, st.sampled_from([us * 64 + step for us in LATENCY_US for step in (-1, 0, 1)]))
edges = st.lists(signed, min_size=9, max_size=9, unique=True).map(sorted)
CALLS = st.one_of(
    st.tuples(st.just("record_latency"), cycles),
    st.tuples(st.just("record_feature"), signed),
    st.tuples(st.just("set_temperature"), signed),
    *(
        st.tuples(st.just(name), word)
        for name in (
            "record_confidence", "record_power", "record_energy", "record_accuracy", "record_false_positive",
            "record_dropped", "record_error", "set_battery_life", "set_battery_voltage", "set_cpu",
            "set_memory_used", "set_memory_available",
        )
    ),
    st.tuples(st.just("set_flash"), word, word),
    st.just(("record_frame",)),
    st.tuples(st.just("set_uptime"), st.integers(0, U64 - 1)),
    st.tuples(st.just("set_absent"), st.integers(0, (1 << len(Present)) - 1)),
    st.tuples(st.just("drift_reference"), edges),
)  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(ctypes.CDLL(str(build_metrics(tmp_path_factory.mktemp("metrics")))))


def _block(library: Library) -> Block:
    return Block.from_buffer_copy(library.frame())


@settings(max_examples=300, deadline=None)
@given(
    reference=st.none() | edges,
    calls=st.lists(CALLS, min_size=10, max_size=60) | st.lists(CALLS, max_size=5),
    cycle_hz=st.sampled_from([1_000_000, 64_000_000, 100_000_000, 480_000_000, 1_000_000_000]),
)
def test_whatever_is_recorded_the_block_holds_what_the_model_holds(
    library: Library, reference: list[int] | None, calls: list[tuple], cycle_hz: int
) -> None:
    assert library.init(cycle_hz, TICK_HZ) == 1
    model = Model(cycle_hz, TICK_HZ)
    first = [] if reference is None else [("drift_reference", reference)]
    for name, *arguments in first + calls:
        if name == "drift_reference":
            library.drift_reference(arguments[0], SHARE)
            model.set_drift(arguments[0])
        else:
            library.call(name, *arguments)
            model.call(name, *arguments)
    assert model.differences(_block(library)) == []


def test_every_call_moves_the_sequence_by_two_and_leaves_it_even(library: Library) -> None:
    library.init(CYCLE_HZ, TICK_HZ)
    sequences = [_block(library).sequence]
    for name, *arguments in (
        ("record_latency", 5), ("record_confidence", 5), ("record_confidence", 1001), ("record_power", 5),
        ("record_frame",), ("set_flash", 1, 2), ("set_uptime", 3), ("set_absent", 1),
    ):  # fmt: skip
        library.call(name, *arguments)
        sequences.append(_block(library).sequence)
    assert [b - a for a, b in pairwise(sequences)] == [2] * 8
    assert sequences[0] % 2 == 0


def test_a_start_forgets_everything_but_the_sequence_which_readers_watch(library: Library) -> None:
    library.init(CYCLE_HZ, TICK_HZ)
    library.call("record_latency", 5)
    before = _block(library).sequence
    library.init(CYCLE_HZ, TICK_HZ)
    block = _block(library)
    assert block.sequence == before + 2
    assert (block.present, sum(block.latency_buckets)) == (0, 0)


@pytest.mark.parametrize("counter", ["record_frame", "record_dropped", "record_error"])
def test_counters_wrap_and_the_difference_of_two_readings_is_right(library: Library, counter: str) -> None:
    library.init(CYCLE_HZ, TICK_HZ)
    library.call("set_uptime", 10)
    name = {"record_frame": "frames", "record_dropped": "dropped", "record_error": "errors"}[counter]
    library.call(counter, *([] if name == "frames" else [0]))
    offset = getattr(Block, name).offset
    library.memory()[offset : offset + 4] = (U32 - 2).to_bytes(4, "little")
    before = parse_frame(library.frame())
    for _ in range(5):
        library.call(counter, *([] if name == "frames" else [1]))
    after = parse_frame(library.frame())
    assert getattr(after, name) == 3
    difference = after.since(before)
    assert difference is not None
    assert getattr(difference, name) == 5


def test_a_millisecond_tick_is_refused_as_a_cycle_counter(library: Library) -> None:
    assert library.init(1000, TICK_HZ) == 0
    library.call("record_latency", 12)
    metrics = parse_frame(library.frame())
    assert (metrics.latency, metrics.refused) == (None, 1)
    assert library.init(CYCLE_HZ, 0) == 0
    library.call("set_uptime", 12)
    assert parse_frame(library.frame()).uptime_s is None


def test_what_nobody_recorded_is_absent_and_what_was_recorded_as_zero_is_zero(library: Library) -> None:
    library.init(CYCLE_HZ, TICK_HZ)
    empty = parse_frame(library.frame())
    assert {empty.latency, empty.power, empty.temperature_degc, empty.dropped, empty.cpu_percent} == {None}
    library.call("record_dropped", 0)
    library.call("set_temperature", 0)
    metrics = parse_frame(library.frame())
    assert (metrics.dropped, metrics.errors, metrics.temperature_degc) == (0, None, 0.0)
    library.call("set_absent", int(Present.TEMPERATURE))
    assert parse_frame(library.frame()).temperature_degc is None


@pytest.mark.parametrize(
    "call",
    [("record_confidence", 1001), ("set_cpu", 1001), ("set_flash", 2, 1), ("set_temperature", -273_151)],
)
def test_a_value_that_cannot_be_is_counted_and_stays_absent(library: Library, call: tuple) -> None:
    library.init(CYCLE_HZ, TICK_HZ)
    name, *values = call
    library.call(name, *(value % U32 for value in values))
    block = _block(library)
    assert (block.refused, block.present) == (1, 0)


def test_budgets_of_5_12_and_15_ms_lie_on_edges_of_the_histogram(library: Library) -> None:
    library.init(CYCLE_HZ, TICK_HZ)
    for ms in (5, 12, 15):
        library.call("record_latency", 64_000 * ms)
        library.call("record_latency", 64_000 * ms + 1)
    latency = parse_frame(library.frame()).latency
    assert latency is not None
    at = {edge: count for edge, count in zip(latency.edges_ms, latency.counts, strict=False) if count}
    assert at == {5.0: 1, 7.5: 1, 12.0: 1, 15.0: 2, 20.0: 1}
    assert latency.n == 6


def test_a_feature_counts_below_the_first_edge_that_is_above_it_as_in_the_training(library: Library) -> None:
    library.init(CYCLE_HZ, TICK_HZ)
    library.call("record_feature", 0)
    assert parse_frame(library.frame()).refused == 1  # there is nothing to compare it with
    library.drift_reference(EDGES, SHARE)
    for value in (*EDGES, *(edge - 1 for edge in EDGES), -(1 << 31), (1 << 31) - 1):
        library.call("record_feature", value)
    features = parse_frame(library.frame()).features
    assert features is not None
    assert features.counts == tuple(2 for _ in range(10))
    assert features.training == (0.1,) * 10


def test_the_python_layout_is_that_of_the_c_struct(tmp_path: Path) -> None:
    fields = [name for name, _ in Block._fields_]
    printed = "".join(
        f'printf("%zu %zu\\n", offsetof(lnn_metrics, {n}), sizeof lan_metrics.{n});' for n in fields
    )
    source = (
        f'#include <stdio.h>\n#include "liquid_audio_metrics.h"\nint main(void) {{ {printed} return 0; }}'
    )
    output = output_of_c(tmp_path, source, FIRMWARE / "common" / "liquid_audio_metrics.c")
    found = [tuple(map(int, line.split())) for line in output.splitlines()]
    assert found == [(getattr(Block, name).offset, getattr(Block, name).size) for name in fields]
    assert found[-1] == (SIZE - 4, 4)


def test_the_checksum_is_zlibs(library: Library) -> None:
    compute = library._library.lnn_crc32
    compute.restype = ctypes.c_uint32
    data = bytes(range(256)) * 3
    assert compute(0, data, len(data)) == zlib.crc32(data)
    assert compute(compute(0, data, 100), data[100:], len(data) - 100) == zlib.crc32(data)
    assert compute(0, b"", 0) == 0


def test_threads_that_record_at_once_lose_nothing_and_no_reader_meets_half_a_record(library: Library) -> None:
    """ctypes lets go of the interpreter, so these are real threads; the reader copies RAM as a probe does."""
    library.init(CYCLE_HZ, TICK_HZ)
    library.call("record_latency", 1000)
    rounds, memory = 20_000, library.memory()

    def write() -> None:
        for _ in range(rounds):
            library.call("record_latency", 1000)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    readings = 0
    while any(thread.is_alive() for thread in threads):
        try:
            latency = read_memory(lambda start, size: memory[start : start + size], 0).latency
        except MetricsFrameError as error:
            if error.defect is Defect.TORN:  # nothing but records: no moment of rest was found
                continue
            raise
        readings += 1
        assert latency is not None
        assert latency.total == 1000 * latency.n
    latency = read_memory(lambda start, size: memory[start : start + size], 0).latency
    assert readings > 0
    assert latency is not None
    assert (latency.n, latency.total) == (3 * rounds + 1, 1000 * (3 * rounds + 1))
