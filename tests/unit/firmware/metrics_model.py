"""The metrics library in Python, written from docs/reference/c-metrics.md; and the C one through ctypes."""

from __future__ import annotations

import bisect
import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_lan_hil.dut.metrics_frame import SIZE, Block, Present

U32, U64 = 1 << 32, 1 << 64
LATENCY_US = (100, 250, 500, 1000, 2000, 3000, 4000, 5000, 7500, 10000, 12000, 15000, 20000, 32000, 64000)


class Library:
    """The C library: `library.record_latency(5)` is lnn_record_latency(5)."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def __getattr__(self, name: str) -> object:
        return getattr(self._library, f"lnn_{name}")

    def init(self, cycle_hz: int, tick_hz: int) -> int:
        result: int = self._library.lnn_metrics_init(ctypes.c_uint32(cycle_hz), ctypes.c_uint32(tick_hz))
        return result

    def call(self, name: str, *arguments: int) -> None:
        """One function by its name behind lnn_; all but the uptime take 32 bits."""
        kind = ctypes.c_uint64 if name == "set_uptime" else ctypes.c_uint32
        getattr(self._library, f"lnn_{name}")(*(kind(one) for one in arguments))

    def drift_reference(self, edges: Sequence[int], share: Sequence[int]) -> None:
        self._library.lnn_set_drift_reference((ctypes.c_int32 * 9)(*edges), (ctypes.c_uint32 * 10)(*share))

    def frame(self) -> bytes:
        """A snapshot's bytes."""
        copy = ctypes.create_string_buffer(SIZE)
        self._library.lnn_metrics_snapshot(copy)
        return copy.raw

    def memory(self) -> ctypes.Array[ctypes.c_char]:
        """lan_metrics itself."""
        return (ctypes.c_char * SIZE).in_dll(self._library, "lan_metrics")


@dataclass
class Model:
    """What should be in the block; names as there."""

    cycle_hz: int
    tick_hz: int
    values: dict[str, int] = field(default_factory=dict)
    latency_buckets: list[int] = field(default_factory=lambda: [0] * 16)
    confidence_buckets: list[int] = field(default_factory=lambda: [0] * 10)
    drift_edges: list[int] | None = None
    drift_buckets: list[int] = field(default_factory=lambda: [0] * 10)
    present: int = 0

    def __post_init__(self) -> None:
        self.latency_edges = [us * self.cycle_hz // 1_000_000 for us in LATENCY_US]

    def call(self, name: str, *arguments: int) -> None:
        getattr(self, name)(*arguments)

    def _add(self, name: str, value: int, modulus: int = U32) -> None:
        self.values[name] = (self.values.get(name, 0) + value) % modulus

    def _most(self, name: str, value: int) -> None:
        self.values[name] = max(self.values.get(name, 0), value)

    def _refuse(self) -> None:
        self._add("refused", 1)

    def record_latency(self, cycles: int) -> None:
        self._add("latency_sum", cycles, U64)
        self.values["latency_last"] = cycles
        self._most("latency_max", cycles)
        self.latency_buckets[bisect.bisect_left(self.latency_edges, cycles)] += 1
        self.present |= Present.LATENCY

    def record_confidence(self, thousandths: int) -> None:
        if thousandths > 1000:
            self._refuse()
            return
        self._add("confidence_sum", thousandths, U64)
        self.values["confidence_last"] = thousandths
        self.confidence_buckets[max(-(-thousandths // 100) - 1, 0)] += 1
        self.present |= Present.CONFIDENCE

    def record_power(self, microwatts: int) -> None:
        self._add("power_sum", microwatts, U64)
        self._add("power_count", 1)
        self.values["power_last"] = microwatts
        self._most("power_max", microwatts)
        self.present |= Present.POWER

    def record_energy(self, nanojoules: int) -> None:
        self._add("energy_sum", nanojoules, U64)
        self._add("energy_count", 1)
        self.values["energy_last"] = nanojoules
        self.present |= Present.ENERGY

    def record_accuracy(self, correct: int) -> None:
        self._add("labelled", 1)
        self._add("correct", int(correct != 0))
        self.present |= Present.ACCURACY

    def record_false_positive(self, reported: int) -> None:
        self._add("negatives", 1)
        self._add("false_positives", int(reported != 0))
        self.present |= Present.FALSE_POSITIVE

    def record_frame(self) -> None:
        self._add("frames", 1)
        self.present |= Present.FRAMES

    def record_dropped(self, frames: int) -> None:
        self._add("dropped", frames)
        self.present |= Present.DROPPED

    def record_error(self, errors: int) -> None:
        self._add("errors", errors)
        self.present |= Present.ERRORS

    def set_drift(self, edges: list[int]) -> None:
        self.drift_edges, self.drift_buckets = edges, [0] * 10
        self.present |= Present.DRIFT

    def record_feature(self, value: int) -> None:
        if not self.present & Present.DRIFT or self.drift_edges is None:
            self._refuse()
            return
        self.drift_buckets[bisect.bisect_right(self.drift_edges, value)] += 1

    def set_memory_used(self, size: int) -> None:
        self.values["memory_used"] = size
        self.present |= Present.MEMORY_USED

    def set_memory_available(self, size: int) -> None:
        self.values["memory_available"] = size
        self.present |= Present.MEMORY_AVAILABLE

    def set_flash(self, used: int, size: int) -> None:
        if used > size:
            self._refuse()
            return
        self.values |= {"flash_used": used, "flash_size": size}
        self.present |= Present.FLASH

    def set_temperature(self, millidegrees: int) -> None:
        if millidegrees < -273_150:
            self._refuse()
            return
        self.values["temperature"] = millidegrees
        self.present |= Present.TEMPERATURE

    def set_battery_life(self, hours: int) -> None:
        self.values["battery_life"] = hours
        self.present |= Present.BATTERY_LIFE

    def set_battery_voltage(self, millivolts: int) -> None:
        self.values["battery_voltage"] = millivolts
        self.present |= Present.BATTERY_VOLTAGE

    def set_cpu(self, thousandths: int) -> None:
        if thousandths > 1000:
            self._refuse()
            return
        self.values["cpu"] = thousandths
        self.present |= Present.CPU

    def set_uptime(self, ticks: int) -> None:
        self.values["uptime_ticks"] = ticks
        self.present |= Present.UPTIME

    def set_absent(self, bits: int) -> None:
        self.present &= ~bits

    def differences(self, block: Block) -> list[str]:
        """Fields of the C library's block that differ from this."""
        wanted: dict[str, object] = {
            name: self.values.get(name, 0)
            for name, _ in Block._fields_
            if name not in {"magic", "layout", "size", "sequence", "crc", "drift_share"}
        }
        wanted |= {
            "present": self.present,
            "cycle_hz": self.cycle_hz,
            "tick_hz": self.tick_hz,
            "latency_edges": self.latency_edges,
            "latency_buckets": self.latency_buckets,
            "confidence_buckets": self.confidence_buckets,
            "drift_edges": self.drift_edges or [0] * 9,
            "drift_buckets": self.drift_buckets,
        }
        found = {name: _plain(getattr(block, name)) for name in wanted}
        return [
            f"{name}: {found[name]}, not {value}" for name, value in wanted.items() if found[name] != value
        ]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, ctypes.Array) else value
