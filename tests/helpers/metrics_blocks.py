"""Blocks of the C metrics library, made up for tests of what reads them."""

from __future__ import annotations

import zlib

from pytest_lan_hil.dut.metrics_frame import LAYOUT, MAGIC, SIZE, Block, Present

HZ = 64_000_000


def a_block(**changes: object) -> Block:
    """A device that knows everything, with changes."""
    block = Block(
        magic=MAGIC, layout=LAYOUT, size=SIZE, sequence=40, present=(1 << len(Present)) - 1,
        cycle_hz=HZ, tick_hz=32_768, refused=2, uptime_ticks=10 * 32_768,
        latency_sum=HZ // 100 * 4, confidence_sum=3600, power_sum=3000, energy_sum=48_000,
        latency_last=HZ // 100, latency_max=HZ // 50,
        confidence_last=950, power_last=900, power_max=1100, power_count=3,
        energy_last=12_000, energy_count=4,
        memory_used=20_000, memory_available=1_000, flash_used=150_000, flash_size=1 << 20,
        temperature=-12_250, battery_life=60, battery_voltage=2950, cpu=213,
        labelled=20, correct=19, negatives=50, false_positives=1, frames=313, dropped=7, errors=1,
    )  # fmt: skip
    block.latency_edges[:] = [HZ // 1000 * (k + 1) for k in range(15)]
    block.latency_buckets[:] = [0] * 8 + [3] + [0] * 6 + [1]
    block.confidence_buckets[:] = [0] * 8 + [1, 3]
    block.drift_edges[:] = range(-400, 500, 100)
    block.drift_share[:] = [100_000] * 10
    block.drift_buckets[:] = range(10)
    for name, value in changes.items():
        if isinstance(value, list):
            getattr(block, name)[:] = value
        else:
            setattr(block, name, value)
    return block


def frame(block: Block) -> bytes:
    """Its bytes with the right checksum."""
    body = bytes(block)[:-4]
    return body + zlib.crc32(body).to_bytes(4, "little")


def console_line(block: Block) -> str:
    """What `lnn metrics` answers."""
    return f"m-lnn-metrics-[{frame(block).hex()}]"
