"""The block of the C metrics library, from bytes to `DeviceMetrics`. Pure; `metrics_source` gets the bytes.

Layout 2, as firmware/common/liquid_audio_metrics.h has it: little-endian, 448 bytes, the last four of which
are the CRC-32 (zlib's) of those before it in a frame, and 0 in RAM. What is damaged or can't be is refused
with the reason, so that no damaged byte ever looks like a measurement.
"""

from __future__ import annotations

import re
import zlib
from ctypes import LittleEndianStructure, c_char, c_int32, c_uint32, c_uint64, sizeof
from enum import Enum, IntFlag, auto
from itertools import pairwise

from pytest_lan_hil.dut.metrics_values import (
    Confidence,
    DeviceMetrics,
    Energy,
    FeatureHistogram,
    Latency,
    Power,
    Share,
)
from pytest_lan_hil.model.errors import DutProtocolError

MAGIC = b"LNNM"
LAYOUT = 2

# What can be: a counter that resolves microseconds, silicon that works, a device younger than a century.
CYCLE_HZ = range(1_000_000, 4_000_000_001)
TEMPERATURE_MC = range(-100_000, 250_001)
BATTERY_MV_MAX = 100_000
UPTIME_S_MAX = 100 * 366 * 86400

_LINE = re.compile(r"m-lnn-metrics-\[((?:[0-9a-f]{2})*)\]")
_ASK_AGAIN = "ask again; if it stays so, look at the wiring and the baud rate"
_OTHER_BUILD = "use the harness and the liquid_audio_metrics.h of one release"


class Block(LittleEndianStructure):
    """The bytes, field by field; names and units as in the header."""

    _pack_ = 1
    _fields_ = (
        ("magic", c_char * 4),
        *((name, c_uint32) for name in ("layout", "size", "sequence", "present")),
        *((name, c_uint32) for name in ("cycle_hz", "tick_hz", "refused")),
        *(
            (name, c_uint64)
            for name in ("uptime_ticks", "latency_sum", "confidence_sum", "power_sum", "energy_sum")
        ),
        *((name, c_uint32) for name in ("latency_last", "latency_max")),
        ("latency_edges", c_uint32 * 15),
        ("latency_buckets", c_uint32 * 16),
        ("confidence_last", c_uint32),
        ("confidence_buckets", c_uint32 * 10),
        *(
            (name, c_uint32)
            for name in ("power_last", "power_max", "power_count", "energy_last", "energy_count")
        ),
        *((name, c_uint32) for name in ("memory_used", "memory_available", "flash_used", "flash_size")),
        ("temperature", c_int32),
        *((name, c_uint32) for name in ("battery_life", "battery_voltage", "cpu")),
        *((name, c_uint32) for name in ("labelled", "correct", "negatives", "false_positives")),
        *((name, c_uint32) for name in ("frames", "dropped", "errors")),
        ("drift_edges", c_int32 * 9),
        ("drift_share", c_uint32 * 10),
        ("drift_buckets", c_uint32 * 10),
        ("crc", c_uint32),
    )


SIZE = sizeof(Block)
SEQUENCE_OFFSET: int = Block.sequence.offset


class Present(IntFlag):
    """The bits of `present`: what the device knows."""

    LATENCY = auto()
    CONFIDENCE = auto()
    POWER = auto()
    ENERGY = auto()
    MEMORY_USED = auto()
    FLASH = auto()
    TEMPERATURE = auto()
    BATTERY_LIFE = auto()
    BATTERY_VOLTAGE = auto()
    CPU = auto()
    ACCURACY = auto()
    FALSE_POSITIVE = auto()
    DRIFT = auto()
    UPTIME = auto()
    FRAMES = auto()
    DROPPED = auto()
    ERRORS = auto()
    MEMORY_AVAILABLE = auto()


class Defect(str, Enum):
    """Why a frame is refused; the value is a label that a counter can carry."""

    LENGTH = "length"
    MAGIC = "magic"
    LAYOUT = "layout"
    CHECKSUM = "checksum"
    TORN = "torn"
    RANGE = "range"


class MetricsFrameError(DutProtocolError):
    """A metrics frame that can't be used; `defect` says why in one word."""

    def __init__(self, defect: Defect, problem: str, *, fix: str = "") -> None:
        super().__init__(f"metrics of the DUT: {problem}", fix=fix)
        self.defect = defect


def parse_line(line: str) -> DeviceMetrics:
    """The console's `m-lnn-metrics-[...]`.

    Raises:
        MetricsFrameError: It is none, or its frame can't be used.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        raise MetricsFrameError(Defect.LENGTH, f"{line[:80]!r} is not m-lnn-metrics-[<hex>]", fix=_ASK_AGAIN)
    return parse_frame(bytes.fromhex(found[1]))


def parse_frame(data: bytes) -> DeviceMetrics:
    """A frame: a snapshot with its checksum.

    Raises:
        MetricsFrameError: It is cut, too long, damaged, no frame, of another layout, or holds what can't be.
    """
    block = _block(data)
    computed = zlib.crc32(data[: Block.crc.offset])
    if block.crc != computed:
        raise MetricsFrameError(
            Defect.CHECKSUM, f"the checksum is {block.crc:08x}, the bytes give {computed:08x}", fix=_ASK_AGAIN
        )
    return _values(block)


def parse_memory(data: bytes) -> DeviceMetrics:
    """The bytes of `lan_metrics` in RAM. Whether they belong together shows `sequence`, read once more.

    Raises:
        MetricsFrameError: As `parse_frame`, but for the checksum.
    """
    return _values(_block(data))


def _block(data: bytes) -> Block:
    """The fields, once length, magic and layout are right."""
    if len(data) != SIZE:
        raise MetricsFrameError(Defect.LENGTH, f"{len(data)} bytes, a frame has {SIZE}", fix=_ASK_AGAIN)
    block = Block.from_buffer_copy(data)
    if data[: len(MAGIC)] != MAGIC:
        raise MetricsFrameError(
            Defect.MAGIC,
            f"the bytes start with {data[:4].hex()}, a frame with {MAGIC.hex()}",
            fix="call lnn_metrics_init() at start-up",
        )
    if block.layout != LAYOUT or block.size != SIZE:
        raise MetricsFrameError(
            Defect.LAYOUT,
            f"layout {block.layout} of {block.size} bytes, known is layout {LAYOUT} of {SIZE}",
            fix=_OTHER_BUILD,
        )
    return block


def _values(block: Block) -> DeviceMetrics:
    if block.sequence & 1:
        raise MetricsFrameError(Defect.TORN, "the block was being written when it was copied", fix=_ASK_AGAIN)
    _check(block)
    known = Present(block.present)
    return DeviceMetrics(
        sequence=block.sequence,
        tick_hz=block.tick_hz,
        uptime_ticks=block.uptime_ticks if Present.UPTIME in known else None,
        latency=_latency(block) if Present.LATENCY in known else None,
        confidence=(
            Confidence(tuple(block.confidence_buckets), block.confidence_sum, block.confidence_last)
            if Present.CONFIDENCE in known
            else None
        ),
        power=(
            Power(block.power_count, block.power_sum, block.power_last, block.power_max)
            if Present.POWER in known
            else None
        ),
        energy=(
            Energy(block.energy_count, block.energy_sum, block.energy_last)
            if Present.ENERGY in known
            else None
        ),
        memory_used=block.memory_used if Present.MEMORY_USED in known else None,
        memory_available=block.memory_available if Present.MEMORY_AVAILABLE in known else None,
        flash_used=block.flash_used if Present.FLASH in known else None,
        flash_size=block.flash_size if Present.FLASH in known else None,
        temperature_degc=block.temperature / 1000 if Present.TEMPERATURE in known else None,
        battery_h=block.battery_life if Present.BATTERY_LIFE in known else None,
        battery_v=block.battery_voltage / 1000 if Present.BATTERY_VOLTAGE in known else None,
        cpu_percent=block.cpu / 10 if Present.CPU in known else None,
        accuracy=Share(block.correct, block.labelled) if Present.ACCURACY in known else None,
        false_positives=(
            Share(block.false_positives, block.negatives) if Present.FALSE_POSITIVE in known else None
        ),
        frames=block.frames if Present.FRAMES in known else None,
        dropped=block.dropped if Present.DROPPED in known else None,
        errors=block.errors if Present.ERRORS in known else None,
        features=_features(block) if Present.DRIFT in known else None,
        refused=block.refused,
    )


def _latency(block: Block) -> Latency:
    return Latency(
        cycle_hz=block.cycle_hz,
        edges=tuple(block.latency_edges),
        counts=tuple(block.latency_buckets),
        total=block.latency_sum,
        last=block.latency_last,
        highest=block.latency_max,
    )


def _features(block: Block) -> FeatureHistogram:
    training = tuple(share / 1e6 for share in block.drift_share)
    return FeatureHistogram(tuple(block.drift_edges), training, tuple(block.drift_buckets))


def _check(block: Block) -> None:
    """Refuse what no device can have recorded; what is absent may be anything."""
    limits = {
        Present.UPTIME: (
            block.tick_hz > 0 and block.uptime_ticks < UPTIME_S_MAX * block.tick_hz,
            f"an uptime of {block.uptime_ticks} ticks of {block.tick_hz} Hz",
        ),
        Present.LATENCY: (
            block.cycle_hz in CYCLE_HZ
            and _rises(block.latency_edges)
            and block.latency_last <= block.latency_max <= block.latency_sum,
            f"latencies of {block.latency_last} cycles, {block.latency_max} at most, {block.latency_sum}"
            f" in all, at {block.cycle_hz} Hz, with edges {list(block.latency_edges)}",
        ),
        Present.CONFIDENCE: (
            block.confidence_last <= 1000,
            f"a confidence of {block.confidence_last} thousandths",
        ),
        Present.POWER: (
            block.power_last <= block.power_max,
            f"a power of {block.power_last} uW, {block.power_max} uW at most",
        ),
        Present.FLASH: (
            block.flash_used <= block.flash_size,
            f"{block.flash_used} bytes used of {block.flash_size} bytes of flash",
        ),
        Present.TEMPERATURE: (block.temperature in TEMPERATURE_MC, f"{block.temperature / 1000} degC"),
        Present.BATTERY_VOLTAGE: (
            block.battery_voltage <= BATTERY_MV_MAX,
            f"a battery of {block.battery_voltage} mV",
        ),
        Present.CPU: (block.cpu <= 1000, f"a CPU utilisation of {block.cpu} thousandths"),
        Present.ACCURACY: (
            block.correct <= block.labelled,
            f"{block.correct} right ones of {block.labelled} labelled results",
        ),
        Present.FALSE_POSITIVE: (
            block.false_positives <= block.negatives,
            f"{block.false_positives} false positives in {block.negatives} windows",
        ),
        Present.DRIFT: (
            # ten shares, each rounded to a millionth
            _rises(block.drift_edges) and abs(sum(block.drift_share) - 1_000_000) <= 10,
            f"a feature with edges {list(block.drift_edges)} and shares {list(block.drift_share)}",
        ),
    }  # fmt: skip
    wrong = [what for bit, (possible, what) in limits.items() if block.present & bit and not possible]
    if block.present >= 1 << len(Present):
        wrong.append(f"to know what has no name here: 0x{block.present:08x}")
    if wrong:
        raise MetricsFrameError(
            Defect.RANGE, f"it claims {'; '.join(wrong)}, which can't be", fix=_OTHER_BUILD
        )


def _rises(edges: tuple[int, ...]) -> bool:
    return all(a < b for a, b in pairwise(edges))
