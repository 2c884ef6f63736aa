"""Where the metrics of a DUT come from: its console, or its RAM while the core runs."""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.dut.metrics_frame import (
    SEQUENCE_OFFSET,
    SIZE,
    Defect,
    MetricsFrameError,
    parse_line,
    parse_memory,
)
from pytest_lan_hil.dut.metrics_values import DeviceMetrics
from pytest_lan_hil.model.errors import ImageError

SYMBOL = "lan_metrics"
COMMAND = "lnn metrics"

_ANSWER = "m-lnn-metrics-"
_READS = 10


def ask(dut: Dut) -> DeviceMetrics:
    """What the DUT answers to `lnn metrics`.

    Raises:
        DutProtocolError: It does not know the command.
        MetricsFrameError: Its answer can't be used.
        DutTimeout, DutFault, ConsoleError: It did not answer.
    """
    lines = [line for line in dut.command(COMMAND) if line.startswith(_ANSWER)]
    return parse_line(lines[-1] if lines else "")


def address_in(image: FirmwareImage) -> int:
    """Where the block is in RAM.

    Raises:
        ImageError: The image has none.
    """
    address = image.symbols.get(SYMBOL)
    if address is None:
        raise ImageError(
            f"{image.path} has no symbol {SYMBOL}, so its metrics can't be read from RAM",
            fix="use an ELF that links liquid_audio_metrics.c (docs/reference/c-metrics.md)",
        )
    return address


def read_memory(read: Callable[[int, int], bytes], address: int) -> DeviceMetrics:
    """The block in RAM while the firmware goes on writing it: read again until nothing changed meanwhile.

    Args:
        read: (address, size) to bytes, in rising order: `Target.read_memory`.
        address: See `address_in`.

    Raises:
        MetricsFrameError: The block changed at every attempt, or can't be used.
    """
    for _ in range(_READS):
        block = read(address, SIZE)
        sequence = block[SEQUENCE_OFFSET : SEQUENCE_OFFSET + 4]
        if sequence == read(address + SEQUENCE_OFFSET, 4) and not sequence[0] & 1:
            return parse_memory(block)
    raise MetricsFrameError(
        Defect.TORN,
        f"the block at 0x{address:08x} was being written at each of {_READS} attempts to read it",
        fix="let the core run (one that is halted within a record stays there), or raise the SWD clock",
    )
