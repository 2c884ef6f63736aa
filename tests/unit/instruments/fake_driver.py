"""A driver that plays a script to the joulescope package: attached devices, and which message comes when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyjoulescope_driver

CLOCK_HZ = 2_000_000


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sleepers = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for wake in tuple(self.sleepers):
            wake()


class FakeDriver:
    """The methods of `pyjoulescope_driver.Driver`.

    Args:
        paths: Attached devices.
        script: (seconds after the first stream was switched on, signal such as "s/i", message).
        clock: Its time.
        refuses: Topics (or "open") that time out.
    """

    def __init__(self, *paths: str, script: Iterable = (), refuses: Iterable[str] = ()) -> None:
        self.clock = FakeClock()
        self.clock.sleepers.append(self.deliver)
        self.paths = list(paths)
        self.refuses = set(refuses)
        self.published: list[tuple[str, object]] = []
        self.refused: list[str] = []
        self.subscribed: list[tuple[str, object]] = []
        self.finalized = 0
        self._script = sorted(script, key=lambda entry: entry[0])
        self._began: float | None = None

    def device_paths(self, timeout=None):
        return list(self.paths)

    def open(self, path, mode=None, timeout=None):
        if "open" in self.refuses or path not in self.paths:
            raise TimeoutError(f"jsdrv_open timed out | {path}")
        # Since pyjoulescope_driver 2.5.
        context = getattr(pyjoulescope_driver, "DeviceContext", None)
        return context and context(self, path)

    def close(self, path, timeout=None):
        self.published.append(("close", path))

    def publish(self, topic, value, timeout=None):
        signal = topic.split("/", 3)[3]
        if signal in self.refuses or not self.paths:
            self.refused.append(signal)
            raise TimeoutError(f"jsdrv_publish timed out | {topic}")
        self.published.append((signal, value))
        if signal == "s/i/ctrl" and value:
            self._began = self.clock.now

    def query(self, topic, timeout=None):
        if not topic.endswith("/version"):
            raise RuntimeError(f"jsdrv_query failed 16 NOT_FOUND | {topic}")
        return 0x0102_0003

    def subscribe(self, topic, flags, fn, timeout=None):
        self.subscribed.append((topic, fn))
        context = getattr(pyjoulescope_driver, "SubscribeContext", None)
        return context and context(self, [(topic, fn)])

    def unsubscribe(self, topic, fn, timeout=None):
        if (topic, fn) not in self.subscribed:
            raise RuntimeError(f"jsdrv_unsubscribe failed 16 NOT_FOUND | {topic}")
        self.subscribed.remove((topic, fn))

    def finalize(self):
        self.finalized += 1

    def deliver(self) -> None:
        """Hand out what is due."""
        while self._began is not None and self._script:
            if self._began + self._script[0][0] > self.clock.now + 1e-9:
                return
            _, signal, message = self._script.pop(0)
            self.emit(f"{self.paths[0]}/{signal}/!data", message)

    def unplug(self) -> None:
        """The device goes away."""
        path = self.paths.pop(0)
        self._began = None
        self.emit("@/!remove", path)

    def emit(self, topic: str, value: object) -> None:
        """Call whoever has subscribed."""
        for pattern, fn in tuple(self.subscribed):
            if topic == pattern or topic.startswith(pattern + "/"):
                fn(topic, value)


def message(sample_id: int, data: object, *, decimation: int = 2, rate: int = CLOCK_HZ) -> dict[str, object]:
    return {"sample_id": sample_id, "sample_rate": rate, "decimate_factor": decimation, "data": data}


def analog(sample_id: int, values: object, **options: int) -> dict[str, object]:
    return message(sample_id, np.asarray(values, np.float32), **options)


def bits(sample_id: int, levels: object, *, decimation: int = 1, **options: int) -> dict[str, object]:
    packed = np.packbits(np.asarray(levels, np.uint8), bitorder="little")
    return message(sample_id, packed, decimation=decimation, **options)


def steady(
    duration_s: float,
    values: Mapping[str, float],
    *,
    first_id: int = 4_000_000,
    late_s: float = 0.0,
    piece_s: float = 0.01,
    decimation: int = 2,
) -> list:
    """A script of steady signals: "s/i" and "s/v" as numbers, lines as 0 or 1, a message every 10 ms."""
    script = []
    for piece in range(round(duration_s / piece_s)):
        counts = round(piece_s * CLOCK_HZ)
        at, first = (piece + 1) * piece_s + late_s, first_id + piece * counts
        for signal, value in values.items():
            if signal.startswith("s/gpi"):
                script.append((at, signal, bits(first, np.full(counts, value))))
            else:
                samples = np.full(counts // decimation, value)
                script.append((at, signal, analog(first, samples, decimation=decimation)))
    return script
