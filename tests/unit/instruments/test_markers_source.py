"""The reading end of a program's ring of marker edges, with a writer in place of the program."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pytest_lan_hil.instruments import open_edges
from pytest_lan_hil.instruments.markers import MarkerRing, MarkersSource
from pytest_lan_hil.model.errors import InputError, InstrumentError

WIRED = {"inference": "inference", "phase": "phase"}


class Writer:
    """Does what firmware/desktop/markers.c does."""

    def __init__(self, ring: MarkerRing, capacity: int) -> None:
        self.memory = ring._memory
        self.capacity = capacity
        struct.pack_into("=QQ", self.memory, 48, 1, 40)  # resolution, cost

    def edge(self, line: int, level: int) -> int:
        written, taken = struct.unpack_from("=QQ", self.memory, 16)
        (number,) = struct.unpack_from("=I", self.memory, 32 + 4 * line)
        struct.pack_into("=I", self.memory, 32 + 4 * line, number + 1)
        struct.pack_into("=I", self.memory, 40 + 4 * line, level)
        stamp = time.monotonic_ns()
        if written - taken < self.capacity:
            at = 128 + 16 * (written % self.capacity)
            struct.pack_into("=QHHI", self.memory, at, stamp, line, level, number + 1)
            struct.pack_into("=Q", self.memory, 16, written + 1)
        return stamp

    def pulse(self, line: int = 0) -> tuple[int, int]:
        return self.edge(line, 1), self.edge(line, 0)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[MarkersSource, Writer]]:
    ring = MarkerRing(tmp_path / "scratch" / "m", capacity=8)
    source = MarkersSource(ring, WIRED)
    yield source, Writer(ring, 8)
    source.close()


@pytest.fixture
def large(tmp_path: Path) -> Iterator[tuple[MarkersSource, Writer]]:
    ring = MarkerRing(tmp_path / "scratch" / "m", capacity=1024)
    source = MarkersSource(ring, WIRED)
    yield source, Writer(ring, 1024)
    source.close()


def test_edges_of_a_record_are_seconds_since_its_start(large: tuple[MarkersSource, Writer]) -> None:
    source, writer = large
    source.start()
    stamps = np.array([writer.pulse() for _ in range(20)]).ravel()
    record = source.stop()
    line = record.lines["inference"]
    assert line.times_s + record.start_s == pytest.approx(stamps / 1e9, abs=1e-7)
    assert not line.high_at_start
    assert line.lost == ()
    assert (line.resolution_s, line.jitter_s) == (1e-9, 40e-9)
    assert record.timebase == 500e-6
    assert not record.instrument.simulated
    assert len(record.lines["phase"].times_s) == 0


def test_edges_from_before_the_record_only_tell_the_level(large: tuple[MarkersSource, Writer]) -> None:
    source, writer = large
    writer.pulse()
    writer.edge(1, 1)
    source.start()
    writer.edge(1, 0)
    record = source.stop()
    assert len(record.lines["inference"].times_s) == 0
    assert record.lines["phase"].high_at_start
    assert len(record.lines["phase"].times_s) == 1
    assert record.lines["phase"].lost == ()


def test_a_record_holds_more_edges_than_the_ring(small: tuple[MarkersSource, Writer]) -> None:
    source, writer = small
    source.start()
    for _ in range(4):
        for _ in range(4):
            writer.pulse()
        time.sleep(0.12)  # the thread empties it in between
    record = source.stop()
    assert len(record.lines["inference"].times_s) == 32
    assert record.lines["inference"].lost == ()


def test_edges_that_found_the_ring_full_are_a_gap_in_the_record(small: tuple[MarkersSource, Writer]) -> None:
    source, writer = small
    source.start()
    kept = [writer.pulse() for _ in range(4)]
    writer.pulse()  # lost
    time.sleep(0.12)
    after = writer.pulse()
    record = source.stop()
    line = record.lines["inference"]
    assert len(line.times_s) == 10
    ((start, stop),) = line.lost
    assert start == pytest.approx(kept[-1][1] / 1e9 - record.start_s, abs=1e-6)
    assert stop == pytest.approx(after[0] / 1e9 - record.start_s, abs=1e-6)


def test_edges_lost_at_the_end_are_a_gap_up_to_the_end(
    small: tuple[MarkersSource, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_lan_hil.instruments.markers._PERIOD_S", 60.0)
    source, writer = small
    source.start()
    kept = [writer.pulse() for _ in range(4)]
    writer.pulse()
    record = source.stop()
    line = record.lines["inference"]
    ((start, stop),) = line.lost
    assert start == pytest.approx(kept[-1][1] / 1e9 - record.start_s, abs=1e-6)
    assert stop == line.duration_s
    assert record.lines["phase"].lost == ()


def test_records_follow_each_other(large: tuple[MarkersSource, Writer]) -> None:
    source, writer = large
    for count in (1, 3):
        source.start()
        for _ in range(count):
            writer.pulse()
        assert len(source.stop().lines["inference"].times_s) == 2 * count


def test_a_concurrent_writer_loses_nothing(large: tuple[MarkersSource, Writer]) -> None:
    source, writer = large
    source.start()
    thread = threading.Thread(target=lambda: [(writer.pulse(), time.sleep(0.0005)) for _ in range(800)])
    thread.start()
    thread.join()
    line = source.stop().lines["inference"]
    assert len(line.times_s) == 1600
    assert line.lost == ()


def test_the_file_is_this_users_alone_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "scratch" / "lan.markers"
    source = open_edges(f"markers:{path}", lines=WIRED)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    source.close()
    source.close()
    assert not path.parent.exists()


def test_a_link_in_the_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "lan.markers").symlink_to(victim)
    open_edges(f"markers:{tmp_path}/lan.markers", lines=WIRED).close()
    assert victim.read_text() == "mine"


def test_start_and_stop_out_of_turn_are_refused(large: tuple[MarkersSource, Writer]) -> None:
    source, _ = large
    with pytest.raises(InstrumentError, match="not recording"):
        source.stop()
    source.start()
    with pytest.raises(InstrumentError, match="recording already"):
        source.start()
    source.close()
    with pytest.raises(InstrumentError, match="closed"):
        source.start()


@pytest.mark.parametrize("uri", ["markers:", "markers:/x?y=1", "markers+virtual:/x"])
def test_a_uri_that_is_not_a_file_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match="markers:FILE"):
        open_edges(uri, lines=WIRED)


def test_a_line_that_no_program_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'17', which no program has"):
        open_edges(f"markers:{tmp_path}/m", lines={"inference": "17"})


def test_a_folder_that_can_not_be_made_is_the_benchs_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InstrumentError, match="making the ring"):
        open_edges(f"markers:{tmp_path}/file/m", lines=WIRED)
