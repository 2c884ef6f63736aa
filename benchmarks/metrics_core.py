"""The metrics library on a bare virtual nRF52840: a C program of metrics_on_core/, built and run."""

from __future__ import annotations

import shlex
import shutil
import struct
import subprocess
from pathlib import Path

from pytest_lan_hil.dut.image import FirmwareImage, load_image
from pytest_lan_hil.virtual.board import VirtualBoard

COMPILER = "arm-none-eabi-gcc"
HERE = Path(__file__).resolve().parent / "metrics_on_core"
FIRMWARE = HERE.parents[1] / "firmware"
# As in firmware/Makefile.
FLAGS = shlex.split(
    "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -std=c11 -O2 -ffreestanding -fno-common "
    "-fno-strict-aliasing -fno-tree-loop-distribute-patterns -Wall -Wextra -Werror -nostartfiles -nostdlib "
    "-Wl,--build-id=none -Wl,-n"
)

_DHCSR, _HALT, _STEP = 0xE000_EDF0, 0xA05F_0003, 0xA05F_0005


def available() -> bool:
    """Whether the compiler is installed."""
    return shutil.which(COMPILER) is not None


def build(program: str, folder: Path) -> FirmwareImage:
    """Compile `metrics_on_core/<program>.c` with the library."""
    elf = folder / f"{program}.elf"
    sources = [
        HERE / f"{program}.c",
        FIRMWARE / "common" / "liquid_audio_metrics.c",
        FIRMWARE / "cortex_m4" / "mem.c",
    ]
    command = [COMPILER, *FLAGS, "-T", HERE / "bare.ld", "-I", HERE, "-I", FIRMWARE / "common", *sources]
    subprocess.run([*map(str, command), "-lgcc", "-o", str(elf)], check=True, timeout=120)
    return load_image(elf)


class MetricsCore:
    """A virtual chip that runs the program, from reset."""

    def __init__(self, image: FirmwareImage) -> None:
        self.symbols = image.symbols
        self.board = VirtualBoard("nrf52840")
        for segment in image.segments:
            self.board.chip.bus.write_memory(segment.address, segment.data)
        self.board.chip.reset("power_on")

    def run_cycles(self, cycles: int) -> None:
        """Let the core run for so long, at 64 MHz; it may overshoot by an instruction."""
        self.board.advance(cycles * self.board.tick_hz // 64_000_000)

    def halt(self) -> None:
        """Stop the core, as a debugger does."""
        self.board.chip.core.debug_write(_DHCSR, _HALT, 4)
        self.run_cycles(20)

    def step(self) -> None:
        """One instruction of a halted core; an interrupt that is due comes first."""
        self.board.chip.core.debug_write(_DHCSR, _STEP, 4)
        self.run_cycles(20)

    def read(self, address: int, size: int) -> bytes:
        """Memory as a debugger sees it."""
        return bytes(self.board.chip.bus.read_memory(address, size))

    def words(self, symbol: str, count: int) -> tuple[int, ...]:
        """A variable of `count` words."""
        return struct.unpack(f"<{count}I", self.read(self.symbols[symbol], 4 * count))


def costs(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Cycles of each function of the library: of the first call, the least and the most of further ones."""
    core = MetricsCore(build("cost", folder))
    for _ in range(1000):
        core.run_cycles(4000)
        if core.words("done", 1) == (1,):
            break
    else:
        raise RuntimeError("the program did not end within 4 million cycles")
    found = {}
    for symbol in core.symbols:
        if symbol.startswith("cost_"):
            first, least, most = core.words(symbol, 3)
            found[symbol.removeprefix("cost_")] = (first, least, most)
    return found
