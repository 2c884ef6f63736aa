"""docs/reference/c-metrics.md says what the C metrics library is, costs and lays out."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from required import binary

from benchmarks.metrics_core import COMPILER, costs
from pytest_lan_hil.dut.metrics_frame import Block, Defect

ROOT = Path(__file__).resolve().parents[3]
COMMON = ROOT / "firmware" / "common"
TEXT = (ROOT / "docs" / "reference" / "c-metrics.md").read_text(encoding="utf-8")
HEADER = (COMMON / "liquid_audio_metrics.h").read_text(encoding="utf-8")


def test_every_function_is_named_with_its_arguments() -> None:
    declared = re.findall(r"^\w+ (lnn_\w+)\(([^)]*)\);", HEADER, re.MULTILINE)
    assert len(declared) == 23
    for name, parameters in declared:
        names = re.findall(r"(\w+)(?:\[[^\]]*\])?(?:,|$)", "" if parameters == "void" else parameters)
        assert f"`{name}({', '.join(names)})`" in TEXT


def test_the_layout_is_that_of_the_block() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (\d+) \|", TEXT, re.MULTILINE)
    assert [(int(offset), name, int(size)) for offset, name, size in rows] == [
        (getattr(Block, name).offset, name, getattr(Block, name).size) for name, _ in Block._fields_
    ]


def test_the_bits_are_those_of_the_header() -> None:
    bits = [int(bit) for bit in re.findall(r"#define LNN_\w+ \(1u << (\d+)\)", HEADER)]
    row = re.search(r"`present` \| 4 \| bits: (.*) \|", TEXT)
    assert row is not None
    assert [int(part.split()[-1]) for part in row[1].split(", ")] == bits == list(range(18))


def test_every_reason_of_a_refusal_is_named() -> None:
    for defect in Defect:
        assert f"`{defect.value}`" in TEXT


def test_the_cycles_are_those_of_the_virtual_core(tmp_path: Path) -> None:
    binary(COMPILER, "gcc-arm-none-eabi")
    rows = re.findall(r"^\| `(lnn_\w+)\(.*\| (\d+) \| (\d+) \|$", TEXT, re.MULTILINE)
    found = costs(tmp_path)
    assert {name for name, _, _ in rows} == set(found) - {"lnn_crc32"}
    for name, most, cold in rows:
        # another compiler may take a few cycles more or less
        assert (int(most), int(cold)) == pytest.approx((found[name][2], found[name][0]), rel=0.15), name
    copying = found["lnn_metrics_snapshot"][2] - found["lnn_crc32"][2]
    assert copying == pytest.approx(240, rel=0.15)


def test_the_example_compiles_with_nothing_but_the_two_files(tmp_path: Path) -> None:
    example = re.search(r"```c\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    (tmp_path / "example.c").write_text(example[1])
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wno-missing-prototypes"]
    for source in (tmp_path / "example.c", COMMON / "liquid_audio_metrics.c"):
        command = [
            binary("gcc", "gcc"),
            "-std=c11",
            "-ffreestanding",
            *warnings,
            f"-I{COMMON}",
            "-c",
            str(source),
        ]
        subprocess.run([*command, "-o", str(tmp_path / "out.o")], check=True, timeout=60)
