"""Firmware with known faults for `bench_planted`, and a project that measures it on the virtual bench.

Each image is built from a temporary copy of firmware/, changed in one place: the shipped sources stay as they
are. A change that no longer fits its source is refused.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BOARD, BENCH = "product", "virtual"

# As tests/hil judges it, but shorter.
_TESTS = """\
import pytest

@pytest.mark.latency_budget(ms=12)
@pytest.mark.energy_budget(uj=100)
def test_inference(dut):
    dut.infer(100, warmups=5)

@pytest.mark.power_budget(mw=3)
def test_power_while_listening(dut):
    dut.run_for(5)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One place of one file of the repository, before and after."""

    file: str
    before: str
    after: str

    def applied(self, text: str) -> str:
        """The file's text with the change.

        Raises:
            LookupError: The text does not have the place just once.
        """
        found = text.count(self.before)
        if found != 1:
            raise LookupError(
                f"changing {self.file} for a benchmark: it has {self.before!r} {found} times, not once; adapt"
                " benchmarks/planted_project.py to the file as it is now"
            )
        return text.replace(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Firmware:
    """One image.

    Attributes:
        name: Of its file.
        title: What is planted.
        changes: What makes it differ from the shipped one.
    """

    name: str
    title: str
    changes: tuple[Change, ...] = ()


SAME = Firmware("same", "nothing (A/A)")
# Four GPIOTE channels are left listening to pins (CONFIG[n]: event mode, pin, from low to high; nRF52840
# Product Specification, "GPIOTE"). Each draws 15 uA in the virtual chip (unconfirmed there), so that 3.2 uA
# asleep become 63 uA. Five would make 78 uA; four lie nearer to 70 uA, and are harder to find.
IDLE = Firmware(
    "idle",
    "asleep 63 uA, was 3.2 uA",
    (
        Change(
            "firmware/nrf52840/port.c",
            "void port_quiet_enter(void) {\n    uart_stop();\n    clock_stop_high();\n",
            "void port_quiet_enter(void) {\n    uart_stop();\n    clock_stop_high();\n"
            "    for (uint32_t n = 0u; n < 4u; n++) {\n"
            "        LAN_REG(0x40006510u + 4u * n) = 1u | ((24u + n) << 8) | (1u << 16);\n"
            "    }\n",
        ),
    ),
)
# 15 % of the 135,264 cycles of an inference.
SLOW = Firmware(
    "slow",
    "latency +15 %",
    (
        Change(
            "firmware/common/run.c",
            "    lan_pipeline_infer(pcm);\n    lan_marker_inference_low();\n",
            "    lan_pipeline_infer(pcm);\n"
            "    for (const uint32_t start = lan_cycles(); lan_cycles() - start < 20290u;) {\n"
            "    }\n"
            "    lan_marker_inference_low();\n",
        ),
    ),
)

FIRMWARES = (SAME, IDLE, SLOW)


def make_project(folder: Path) -> None:
    """Lay a project into an empty folder: tests, and a board for each of `FIRMWARES`, which are built.

    All boards have one name, so that what they measure is compared.

    Raises:
        LookupError: A change does not fit the sources.
        CalledProcessError: A build failed; make has said why.
    """
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "test_product.py").write_text(_TESTS, encoding="utf-8")
    shipped = (ROOT / "boards" / "nrf52840.toml").read_text(encoding="utf-8")
    for firmware in FIRMWARES:
        image = _built(firmware, folder)
        change = Change("boards/nrf52840.toml", "../firmware/prebuilt/nrf52840/lan.elf", str(image))
        path = board_file(folder, firmware)
        path.parent.mkdir(parents=True)
        path.write_text(change.applied(shipped), encoding="utf-8")


def _built(firmware: Firmware, folder: Path) -> Path:
    copy, out = folder / "sources" / firmware.name, folder / "build" / firmware.name
    sources = copy / "firmware"
    shutil.copytree(ROOT / "firmware", sources, ignore=shutil.ignore_patterns("build", "prebuilt"))
    for change in firmware.changes:
        path = copy / change.file
        path.write_text(change.applied(path.read_text(encoding="utf-8")), encoding="utf-8")
    make = ["make", "--silent", "-j2", "-C", str(sources), "BOARD=nrf52840", f"OUT={out}"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    return out / "lan.elf"


def board_file(folder: Path, firmware: Firmware) -> Path:
    """The board with this firmware."""
    return folder / "boards" / firmware.name / f"{BOARD}.toml"


def make_bench(folder: Path, seed: int) -> Path:
    """The virtual bench with a noise seed of its own for the analyzer; it keeps the bench's name.

    Raises:
        LookupError: The shipped bench is not written as expected.
    """
    shipped = (ROOT / "benches" / f"{BENCH}.toml").read_text(encoding="utf-8")
    supply = "&supply_v={supply_v}"
    path = folder / "benches" / str(seed) / f"{BENCH}.toml"
    path.parent.mkdir(parents=True)
    change = Change(f"benches/{BENCH}.toml", supply, f"{supply}&seed={seed}")
    path.write_text(change.applied(shipped), encoding="utf-8")
    return path
