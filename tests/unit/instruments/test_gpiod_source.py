"""GPIO lines opened as a bench file would, on the `gpiod` package with a scripted chip in it."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from types import SimpleNamespace

import pytest

from pytest_lan_hil.instruments import gpiod_chip, gpiod_open
from pytest_lan_hil.instruments.registry import open_edges
from pytest_lan_hil.model.errors import InputError, InstrumentError

gpiod = pytest.importorskip("gpiod")

NAMES = {17: "GPIO17", 27: "GPIO27"}
URI = "gpiod:/dev/gpiochip0"
THREAD = "lan-hil sampling"


class Request:
    """As `gpiod.LineRequest`; edges are pushed by the test."""

    def __init__(self, kernel: Kernel, offsets: tuple[int, ...], **asked) -> None:
        self.kernel, self.offsets, self.asked = kernel, offsets, asked
        self.queue: deque[SimpleNamespace] = deque()
        self.numbers = dict.fromkeys(offsets, 0)
        self.levels = {offset: kernel.levels.get(offset, False) for offset in offsets}
        self.changed = threading.Event()
        self.gone = False
        self.released = False

    def edge(self, offset: int, *, rising: bool, lost: int = 0, at_s: float | None = None) -> float:
        at_s = time.monotonic() if at_s is None else at_s
        self.numbers[offset] += 1 + lost
        kind = gpiod.EdgeEvent.Type.RISING_EDGE if rising else gpiod.EdgeEvent.Type.FALLING_EDGE
        self.queue.append(
            SimpleNamespace(
                event_type=kind,
                timestamp_ns=round(at_s * 1e9),
                line_offset=offset,
                line_seqno=self.numbers[offset],
            )
        )
        self.changed.set()
        return at_s

    def unplug(self) -> None:
        self.gone = True
        self.changed.set()

    def get_values(self, lines):
        assert not self.released
        if self.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        values = [gpiod.line.Value.ACTIVE if self.levels[o] else gpiod.line.Value.INACTIVE for o in lines]
        self.kernel.after_levels(self)
        return values

    def wait_edge_events(self, timeout):
        assert not self.released
        if not self.queue and not self.gone:
            self.changed.wait(timeout)
        self.changed.clear()
        return bool(self.queue) or self.gone

    def read_edge_events(self, max_events):
        if self.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return [self.queue.popleft() for _ in range(min(max_events, len(self.queue)))]

    def release(self):
        self.released = True


class Kernel:
    """What `gpiod.Chip` opens."""

    def __init__(self) -> None:
        self.levels: dict[int, bool] = {}
        self.requests: list[Request] = []
        self.refuse: dict[str, int] = {}
        self.holders: dict[int, str] = {}
        self.closed = 0
        self.after_levels = lambda request: None

    def fail(self, call: str) -> None:
        if call in self.refuse:
            raise OSError(self.refuse[call], os.strerror(self.refuse[call]))

    def chip(self, path):
        self.fail("open")
        self.path = path
        return self

    def get_info(self):
        return SimpleNamespace(label="pinctrl-bcm2711")

    def line_offset_from_id(self, id):
        for offset, name in NAMES.items():
            if id == name:
                return offset
        if not id.isdecimal():
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if int(id) >= 58:
            raise ValueError("line offset of out range")
        return int(id)

    def get_line_info(self, offset):
        holder = self.holders.get(offset, "")
        return SimpleNamespace(used=bool(holder), consumer=holder)

    def request_lines(self, config, consumer, event_buffer_size):
        self.fail("request")
        ((offsets, settings),) = config.items()
        request = Request(self, offsets, settings=settings, consumer=consumer, buffer=event_buffer_size)
        self.requests.append(request)
        return request

    def close(self):
        self.closed += 1


@pytest.fixture
def kernel(monkeypatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(gpiod, "Chip", made.chip)
    return made


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


@pytest.fixture(autouse=True)
def _no_reader_is_left():
    yield
    assert readers() == []


def test_two_lines_are_recorded_apart_with_their_kernel_time_stamps(kernel: Kernel) -> None:
    source = open_edges(URI, lines={"inference": "17", "phase": "GPIO27"})
    source.start()
    request = kernel.requests[-1]
    rose, up = request.edge(27, rising=True), request.edge(17, rising=True)
    time.sleep(0.02)
    fell, down = request.edge(17, rising=False), request.edge(27, rising=False)
    record = source.stop()
    source.close()
    inference, phase = record.lines["inference"], record.lines["phase"]
    assert inference.times_s + record.start_s == pytest.approx([up, fell], abs=2e-8)
    assert phase.times_s + record.start_s == pytest.approx([rose, down], abs=2e-8)
    assert (inference.high_at_start, inference.lost, phase.lost, record.complete) == (False, (), (), True)
    assert (inference.resolution_s, inference.jitter_s, record.timebase) == (1e-9, 20e-6, 5e-4)
    assert 0.02 < inference.duration_s == phase.duration_s < 1
    assert source.capabilities == {"edges"}


def test_the_lines_are_asked_for_with_both_edges_the_monotonic_clock_and_the_wished_settings(kernel) -> None:
    with_options = f"{URI}?bias=pull-up&debounce_us=100&buffer=64&jitter_us=3&timebase_ppm=50"
    source = open_edges(with_options, lines={"inference": "17"})
    source.start()
    record = source.stop()
    source.close()
    asked = kernel.requests[-1].asked
    settings = asked["settings"]
    assert (asked["buffer"], asked["consumer"]) == (64, "lan-hil")
    assert settings.edge_detection is gpiod.line.Edge.BOTH
    assert settings.event_clock is gpiod.line.Clock.MONOTONIC
    assert settings.direction is gpiod.line.Direction.INPUT
    assert settings.bias is gpiod.line.Bias.PULL_UP
    assert settings.debounce_period.total_seconds() == 100e-6
    line = record.lines["inference"]
    assert (line.jitter_s, record.timebase) == (3e-6, 50e-6)
    assert line.resolution_s > 0.01  # the kernel debounces in jiffies, and stamps when it is done


def test_a_busy_line_keeps_more_events_than_one_reading_takes(kernel: Kernel) -> None:
    source = open_edges(f"{URI}?buffer=16", lines={"inference": "17"})
    source.start()
    for k in range(101):
        kernel.requests[-1].edge(17, rising=k % 2 == 0)
    assert len(source.stop().lines["inference"].times_s) == 101
    source.close()


def test_an_overrun_loses_the_span_on_the_line_that_lost_events_only(kernel: Kernel) -> None:
    source = open_edges(URI, lines={"inference": "17", "phase": "27"})
    source.start()
    request = kernel.requests[-1]
    request.edge(27, rising=True)
    request.edge(17, rising=True)
    last = request.edge(17, rising=False)
    time.sleep(0.01)
    first = request.edge(17, rising=False, lost=5)
    request.edge(27, rising=False)
    record = source.stop()
    source.close()
    ((start, stop),) = record.lines["inference"].lost
    assert (start + record.start_s, stop + record.start_s) == pytest.approx((last, first), abs=2e-8)
    assert record.lines["phase"].lost == ()
    assert len(record.lines["inference"].times_s) == 2


def test_an_edge_between_the_reading_of_the_level_and_the_reader_is_not_lost(kernel: Kernel) -> None:
    kernel.after_levels = lambda request: request.edge(17, rising=True)
    source = open_edges(URI, lines={"inference": "17"})
    source.start()
    line = source.stop().lines["inference"]
    source.close()
    assert (line.high_at_start, len(line.times_s)) == (False, 1)


def test_each_record_has_a_request_of_its_own_and_knows_nothing_of_the_one_before(kernel: Kernel) -> None:
    source = open_edges(URI, lines={"inference": "17"})
    kernel.requests[-1].edge(17, rising=True)
    for _ in range(2):
        source.start()
        kernel.requests[-1].edge(17, rising=True)
        line = source.stop().lines["inference"]
        assert (len(line.times_s), line.lost) == (1, ())
        kernel.requests[-1].edge(17, rising=False)
    assert [request.released for request in kernel.requests] == [True, True, False]
    source.close()
    assert kernel.requests[-1].released


def test_a_chip_that_is_unplugged_keeps_what_was_recorded_as_incomplete(kernel: Kernel) -> None:
    source = open_edges(URI, lines={"inference": "17"})
    source.start()
    request = kernel.requests[-1]
    request.edge(17, rising=True)
    request.edge(17, rising=False)
    time.sleep(0.1)
    request.unplug()
    time.sleep(0.2)
    record = source.stop()
    source.close()
    assert not record.complete
    line = record.lines["inference"]
    assert len(line.times_s) == 2
    assert line.times_s[-1] <= line.duration_s < 0.2


def test_time_stamps_of_another_clock_are_refused_and_the_source_stays_usable(kernel: Kernel) -> None:
    source = open_edges(URI, lines={"inference": "17"})
    source.start()
    kernel.requests[-1].edge(17, rising=True, at_s=time.time())
    with pytest.raises(InstrumentError, match="another clock"):
        source.stop()
    source.start()
    assert source.stop().complete
    source.close()


def test_closing_in_the_middle_of_a_record_ends_the_reader_and_may_be_repeated(kernel: Kernel) -> None:
    source = open_edges(URI, lines={"inference": "17"})
    source.start()
    assert len(readers()) == 1
    source.close()
    source.close()
    assert readers() == []
    assert (kernel.requests[-1].released, kernel.closed) == (True, 1)
    with pytest.raises(InstrumentError, match="not recording"):
        source.stop()
    with pytest.raises(InstrumentError, match="closed"):
        source.start()


def test_the_reader_ends_when_stopping_is_interrupted(kernel: Kernel, monkeypatch) -> None:
    source = open_edges(URI, lines={"inference": "17"})
    source.start()

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(source.clock), "sleep", lambda self, seconds: interrupt(seconds))
    with pytest.raises(KeyboardInterrupt):
        source.stop()
    assert readers() == []
    source.close()


def test_a_second_start_is_refused_and_harms_nothing(kernel: Kernel) -> None:
    source = open_edges(URI, lines={"inference": "17"})
    source.start()
    with pytest.raises(InstrumentError, match="recording already"):
        source.start()
    kernel.requests[-1].edge(17, rising=True)
    assert len(source.stop().lines["inference"].times_s) == 1
    source.close()


def test_a_bench_without_lines_records_none_and_offers_nothing(kernel: Kernel) -> None:
    source = open_edges(URI, lines={})
    source.start()
    record = source.stop()
    source.close()
    assert (dict(record.lines), source.capabilities, kernel.requests) == ({}, frozenset(), [])


def test_the_identity_names_the_chip_and_says_that_its_jitter_is_assumed(kernel: Kernel) -> None:
    source = open_edges(URI, lines={"inference": "17"})
    assert str(source.identity) == "GPIO lines of pinctrl-bcm2711 /dev/gpiochip0"
    assert not source.identity.simulated
    assert ["20 us" in note and "unconfirmed" in note for note in source.identity.notes] == [True]
    source.close()
    told = open_edges(f"{URI}?jitter_us=5", lines={"inference": "17"})
    assert told.identity.notes == ()
    told.close()


# -- what can't be opened ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "says", "fix"),
    [
        ("gpiod:", "names no GPIO chip", "gpiod:/dev/gpiochip0"),
        (f"{URI}?pull=up", "no option 'pull'", "bias"),
        (f"{URI}?bias=up", "bias=up", "pull-down"),
        (f"{URI}?buffer=0", "buffer=0", "1 to 1024"),
        (f"{URI}?buffer=4096", "buffer=4096", "1 to 1024"),
        (f"{URI}?debounce_us=-1", "debounce_us=-1", "0 to"),
        (f"{URI}?jitter_us=nan", "jitter_us=nan", "jitter_us=20"),
        (f"{URI}?timebase_ppm=x", "timebase_ppm=x", "timebase_ppm=500"),
        ("gpiod+nothing:x", "no GPIO chip 'nothing'", "virtual"),
    ],
)
def test_a_uri_that_cant_be_meant_is_refused_with_what_to_write(
    kernel, uri: str, says: str, fix: str
) -> None:
    with pytest.raises(InputError, match=says) as error:
        open_edges(uri, lines={"inference": "17"})
    assert fix in error.value.fix


@pytest.mark.parametrize("line", ["58", "GPIO99"])
def test_a_line_that_the_chip_lacks_is_named_with_its_marker(kernel: Kernel, line: str) -> None:
    with pytest.raises(InputError, match=rf"'inference'.*'{line}'.*pinctrl-bcm2711.*lacks") as error:
        open_edges(URI, lines={"inference": line})
    assert "gpioinfo" in error.value.fix
    assert kernel.closed == 1


def test_one_line_under_two_names_is_refused(kernel: Kernel) -> None:
    with pytest.raises(InputError, match=r"'inference' \(17\) and 'phase' \(GPIO17\) are the same line"):
        open_edges(URI, lines={"inference": "17", "phase": "GPIO17"})
    assert kernel.closed == 1


def test_a_line_that_someone_holds_is_named_with_its_holder(kernel: Kernel) -> None:
    kernel.refuse["request"] = errno.EBUSY
    kernel.holders[27] = "w1-gpio"
    with pytest.raises(InstrumentError, match=r"GPIO line 27 \(phase\).*w1-gpio holds the line") as error:
        open_edges(URI, lines={"inference": "17", "phase": "27"})
    assert "gpioinfo" in error.value.fix
    assert kernel.closed == 1


def test_a_line_that_was_taken_between_records_is_an_error_and_the_next_start_may_succeed(kernel) -> None:
    source = open_edges(URI, lines={"inference": "17"})
    kernel.refuse["request"] = errno.EBUSY
    with pytest.raises(InstrumentError, match="another process or driver holds the line"):
        source.start()
    kernel.refuse.clear()
    source.start()
    assert source.stop().complete
    source.close()


@pytest.mark.parametrize(
    ("code", "says", "fix"),
    [
        (errno.ENOENT, "no such chip", "/dev/gpiochip7"),
        (errno.ENOTTY, "not a GPIO chip", "gpiodetect"),
        (errno.EACCES, "permission denied", "usermod -aG gpio"),
    ],
)
def test_a_chip_that_cant_be_opened_says_why(
    kernel, monkeypatch, tmp_path, code, says: str, fix: str
) -> None:
    (tmp_path / "gpiochip7").touch()
    monkeypatch.setattr(gpiod_chip, "Path", lambda path: tmp_path if path == "/dev" else None)
    kernel.refuse["open"] = code
    with pytest.raises(InstrumentError, match=f"opening GPIO chip /dev/gpiochip0: .*{says}") as error:
        open_edges(URI, lines={"inference": "17"})
    assert fix.rpartition("/")[2] in error.value.fix


def test_without_a_gpio_chip_on_the_host_that_is_said(monkeypatch, tmp_path) -> None:
    """Through the real package: there is no such file."""
    monkeypatch.setattr(gpiod_chip, "Path", lambda path: tmp_path)
    with pytest.raises(InstrumentError, match="no such chip") as error:
        open_edges(f"gpiod:{tmp_path}/gpiochip0", lines={"inference": "17"})
    assert "no GPIO chip is present on this host" in error.value.fix


def test_a_missing_or_old_gpiod_package_is_named_with_the_extra_that_brings_it(monkeypatch) -> None:
    monkeypatch.delattr(gpiod, "LineRequest")
    with pytest.raises(InstrumentError, match="version 1") as error:
        open_edges(URI, lines={"inference": "17"})
    assert "pytest-lan-hil[gpio]" in error.value.fix
    monkeypatch.setitem(__import__("sys").modules, "gpiod", None)
    with pytest.raises(InstrumentError, match="not installed") as error:
        open_edges(URI, lines={"inference": "17"})
    assert "pytest-lan-hil[gpio]" in error.value.fix


def test_an_entry_point_whose_package_is_missing_is_named(monkeypatch) -> None:
    def load():
        raise ImportError("no module named broken")

    monkeypatch.setattr(gpiod_open, "entry_points", lambda group: [SimpleNamespace(name="broken", load=load)])
    with pytest.raises(InstrumentError, match="loading the GPIO chip 'broken'"):
        open_edges("gpiod+broken:x", lines={"inference": "17"})
