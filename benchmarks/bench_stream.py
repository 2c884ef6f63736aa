"""What a Joulescope's stream costs: memory while it goes to disk, processor time, and reading the file.

The messages are those of the real drivers, at their rate and in their form, through the joulescope package;
their arrays are made once, so that nearly all of the time is ours and pyjls's. Half an hour at a JS220's full
1 MS/s would be 18 GB of file: both lengths are fed at a tenth of the samples a message (100 kS/s, which a
JS220 can be set to), with as many messages.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import Row
from pytest_lan_hil.instruments.jls import read_jls
from pytest_lan_hil.instruments.jls_write import load_pyjls
from pytest_lan_hil.instruments.joulescope import Joulescope

MARKERS = {"inference": "gpi0", "phase": "gpi1"}
MESSAGE_S = 0.05
LIVE_S = 20
READ_S = 30
ROUNDS = 7
UTC = 252_460_800 << 30


class _Clock:
    """Time that passes when somebody waits, and brings messages."""

    def __init__(self) -> None:
        self.now = 0.0
        self.passed: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.passed()


class _Driver:
    """Stands in for `pyjoulescope_driver.Driver`.

    Args:
        path: The device's.
        decimation: Counts of the 2 MHz sample clock per sample of current and voltage.
        line_decimation: Likewise of the digital signals.
    """

    def __init__(self, path: str, decimation: int, line_decimation: int = 1) -> None:
        self.path = path
        self.clock = _Clock()
        self.clock.passed = self._deliver
        self._subscribers: dict[str, Any] = {}
        self._due = 0.0
        self._sent = 0
        counts = round(MESSAGE_S * 2_000_000)
        rng = np.random.default_rng(1)
        lines = counts // line_decimation
        noise = rng.standard_normal(counts // decimation, np.float32)
        busy = (np.arange(lines) % (lines // 10)) < lines // 40
        self._messages = [
            ("s/i", decimation, (3.2e-6 + 1e-7 * noise).astype(np.float32)),
            ("s/v", decimation, (3 + 1e-3 * noise).astype(np.float32)),
            ("s/gpi/0", line_decimation, np.packbits(busy, bitorder="little")),
            ("s/gpi/1", line_decimation, np.packbits(busy, bitorder="little")),
            ("s/i/range", line_decimation, np.where(busy, 4, 6).astype(np.uint8)),
        ]
        self._counts = counts

    def _deliver(self) -> None:
        while self._subscribers and self._due + MESSAGE_S <= self.clock.now + 1e-9:
            self._due += MESSAGE_S
            for topic, decimation, data in self._messages:
                send = self._subscribers.get(f"{self.path}/{topic}/!data")
                if send is not None:
                    send(f"{self.path}/{topic}/!data", self._message(decimation, data))
            self._sent += self._counts

    def _message(self, decimation: int, data: Any) -> dict[str, Any]:
        return {
            "sample_id": self._sent,
            "utc": UTC + self._sent * (1 << 30) // 2_000_000,
            "sample_rate": 2_000_000,
            "decimate_factor": decimation,
            "time_map": {"offset_time": UTC, "offset_counter": 0, "counter_rate": 2e6},
            "data": data,
        }

    def device_paths(self, timeout: float | None = None) -> list[str]:
        del timeout
        return [self.path]

    def open(self, path: str, mode: object = None, timeout: float | None = None) -> Any:
        import pyjoulescope_driver

        del mode, timeout
        context = getattr(pyjoulescope_driver, "DeviceContext", None)
        return context and context(self, path)

    def close(self, path: str, timeout: float | None = None) -> None:
        pass

    def publish(self, topic: str, value: object, timeout: float | None = None) -> None:
        del timeout
        if topic.endswith("s/i/ctrl") and value:
            self._due = self.clock.now

    def query(self, topic: str, timeout: float | None = None) -> Any:
        del timeout
        raise RuntimeError(topic)

    def subscribe(self, topic: str, flags: object, fn: Any, timeout: float | None = None) -> Any:
        import pyjoulescope_driver

        del flags, timeout
        self._subscribers[topic] = fn
        context = getattr(pyjoulescope_driver, "SubscribeContext", None)
        return context and context(self, [(topic, fn)])

    def unsubscribe(self, topic: str, fn: Any, timeout: float | None = None) -> None:
        del fn, timeout
        self._subscribers.pop(topic, None)


def run() -> list[Row]:
    # Each in a process of its own: a peak of memory is that of the process.
    with tempfile.TemporaryDirectory(dir=".") as folder:
        minute = _apart(_stream_slowly, folder, 60.0)
        half_hour = _apart(_stream_slowly, folder, 1800.0)
        memory = _apart(_live_in_memory, folder, LIVE_S)
        disk = _apart(_live_to_disk, folder, LIVE_S)
        ratio, ours, plain = _apart(_read, folder, READ_S)
    return [
        Row(
            "stream to disk, peak RSS at 30 min",
            half_hour / minute,
            "x",
            f"peak at 1 min; {half_hour / 2**20:.0f} MiB / {minute / 2**20:.0f} MiB; 5 signals at 100 kS/s,"
            " 20 messages a second of each",
            1.1,
            at_least=False,
        ),
        Row(
            "live 2 MS/s (JS110) in memory, of one core",
            100 * memory,
            "%",
            f"the time that the {LIVE_S} s stream lasts; current, voltage, 2 lines, range; first capture",
            25.0,
            at_least=False,
        ),
        Row(
            "live 2 MS/s (JS110) to disk, of one core",
            100 * disk,
            "%",
            "the same; pyjls's own thread and the system's writing included",
            100.0,
            at_least=False,
        ),
        Row(
            "reading a .jls",
            ratio,
            "x",
            f"pyjls reading the same {READ_S} s of 5 signals: {1e3 * ours:.0f} ms / {1e3 * plain:.0f} ms,"
            f" median of {ROUNDS} interleaved rounds",
            1.2,
            at_least=False,
        ),
    ]


def _apart(work: Callable[[str, float], Any], folder: str, seconds: float) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, folder, seconds).result()


def _opened(driver: _Driver) -> Joulescope:
    from joulescope.v1.js110 import DeviceJs110
    from joulescope.v1.js220 import DeviceJs220

    device = (DeviceJs110 if "js110" in driver.path else DeviceJs220)(driver, driver.path)
    analyzer = Joulescope(driver, device, driver.path, markers=MARKERS, release=lambda: None)
    analyzer.open_device()
    return analyzer


def _stream_slowly(folder: str, seconds: float) -> int:
    """Peak of this process's memory in bytes."""
    path = Path(folder) / "slow.jls"
    _stream(_opened(_Driver("u/js220/000001", 20, 10)), path, seconds)
    path.unlink()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _live_in_memory(folder: str, seconds: float) -> float:
    """Processor time per second of stream."""
    del folder
    analyzer = _opened(_Driver("u/js110/000001", 1))
    began = time.process_time()
    analyzer.start()
    _wait(analyzer, seconds)
    capture = analyzer.stop()
    spent = time.process_time() - began
    assert capture.complete
    assert capture.count == seconds * 2_000_000
    return spent / seconds


def _live_to_disk(folder: str, seconds: float) -> float:
    analyzer = _opened(_Driver("u/js110/000001", 1))
    path = Path(folder) / "live.jls"
    began = time.process_time()
    _stream(analyzer, path, seconds)
    spent = time.process_time() - began
    path.unlink()
    return spent / seconds


def _read(folder: str, seconds: float) -> tuple[float, float, float]:
    """Median ratio, and medians of our seconds and of pyjls's."""
    path = Path(folder) / "read.jls"
    _stream(_opened(_Driver("u/js220/000001", 2)), path, seconds)
    _read_plain(path)
    ours, plain = [], []
    for _ in range(ROUNDS):
        plain.append(_seconds(lambda: _read_plain(path)))
        ours.append(_seconds(lambda: read_jls(path, markers=MARKERS)))
    ratio = statistics.median(a / b for a, b in zip(ours, plain, strict=True))
    path.unlink()
    return ratio, statistics.median(ours), statistics.median(plain)


def _read_plain(path: Path) -> list[Any]:
    with load_pyjls("reading").Reader(str(path)) as reader:
        return [
            reader.fsr(number, 0, signal.length) for number, signal in reader.signals.items() if signal.length
        ]


def _stream(analyzer: Joulescope, path: Path, seconds: float) -> None:
    with analyzer.stream_to(path) as stream:
        _wait(analyzer, seconds)
    assert stream.report is not None
    assert stream.report.complete
    assert abs(stream.report.duration_s - seconds) < MESSAGE_S


def _wait(analyzer: Joulescope, seconds: float) -> None:
    for _ in range(round(seconds)):
        analyzer.clock.sleep(1.0)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
