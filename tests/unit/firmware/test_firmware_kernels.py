"""The kernel image (firmware/kernels/): its parts compute what they are defined to, on host and chip."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest
from firmware_host import FIRMWARE, FLAGS
from required import binary

from benchmarks.bench_kernels import kernels

SEED = 20260701
MASK = 0xFFFFFFFF


class Random:
    """The generator of mix.c."""

    def __init__(self) -> None:
        self.state = SEED

    def __call__(self) -> int:
        self.state = (self.state * 1664525 + 1013904223) & MASK
        return self.state >> 16


def signed(value: int) -> int:
    return value - (1 << 16) if value & 0x8000 else value


def folded(values: list[int], start: int = 0) -> int:
    for value in values:
        start = (start * 31 + value) & MASK
    return start


def list_sum() -> int:
    draw = Random()
    values = [draw() for _ in range(64)]
    wanted = [draw() & 255 for _ in range(16)]
    return folded(sorted(values), sum((value & 255) == w for w in wanted for value in values))


def matrix_sum() -> int:
    draw = Random()
    cells = [(signed(draw()), draw() >> 4) for _ in range(144)]
    a, b = ([[cell[k] for cell in cells[12 * i : 12 * i + 12]] for i in range(12)] for k in (0, 1))
    products = [sum(a[i][k] * b[k][j] for k in range(12)) & MASK for i in range(12) for j in range(12)]
    return folded([product >> 5 & 0x7FF for product in products])


def crc_sum() -> int:
    draw, crc = Random(), 0xFFFF
    for _ in range(256):
        crc ^= (draw() & 255) << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


NEXT = {  # state machine of a number: digit, sign, point, e
    "start": ("digits", "sign", "point", None),
    "sign": ("digits", None, "point", None),
    "digits": ("digits", None, "decimals", "exponent"),
    "point": ("decimals", None, None, None),
    "decimals": ("decimals", None, None, "exponent"),
    "exponent": ("exponent_digits", None, None, None),
    "exponent_digits": ("exponent_digits", None, None, None),
}


def state_sum() -> int:
    draw = Random()
    text = "".join("01234567891,.,e-"[draw() & 15] for _ in range(256))
    names = [*NEXT, "wrong"]
    ends = [0] * len(names)
    for number in text.split(","):
        state: str | None = "start"
        for c in number:
            kind = 0 if c.isdigit() else "-.e".index(c) + 1
            state = NEXT[state][kind] if state in NEXT else None
        ends[names.index(state or "wrong")] += 1
    return folded(ends)


EXPECTED = {"list": list_sum, "matrix": matrix_sum, "state": state_sum, "crc": crc_sum}


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("mix") / "mix.so"
    source: Path = FIRMWARE / "kernels" / "mix.c"
    command = [binary("gcc", "gcc"), *FLAGS, "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run(command, check=True, timeout=60)
    return ctypes.CDLL(str(library))


@pytest.mark.parametrize("part", EXPECTED)
def test_each_part_computes_what_it_is_defined_to(mix: ctypes.CDLL, part: str) -> None:
    work = getattr(mix, f"mix_{part}")
    work.restype = ctypes.c_uint32
    assert work(ctypes.c_uint32(SEED)) == EXPECTED[part]()


@pytest.mark.parametrize("chip", ["nrf52840", "stm32f412"])
def test_the_chip_computes_the_same_and_the_layer_beats_a_plain_loop(chip: str) -> None:
    binary("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    found = kernels(chip)
    parts = [EXPECTED[part]() for part in ("list", "matrix", "state", "crc")]
    assert found["sum"] == folded([*parts, SEED, SEED])  # the layers hand their seed on
    assert found["plain"] / found["ours"] >= 1.5
