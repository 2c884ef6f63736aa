"""Memory of the DUT on an open bench, as a measurement."""

from __future__ import annotations

from pytest_lan_hil.dut.memory import MemoryUse
from pytest_lan_hil.measure.quantities import from_values, memory
from pytest_lan_hil.model.errors import ImageError
from pytest_lan_hil.model.measurement import Contribution, Measurement
from pytest_lan_hil.run.bench import OpenBench


def measure_memory(bench: OpenBench) -> Measurement:
    """What the DUT ever used of its memory, in KB: what a budget judges.

    Raises:
        CapabilityMissing: No board stands on the bench, or it can't tell.
        HilError: See `Dut.memory_bytes`.
    """
    probe, dut = bench.flashable()
    found = dut.memory_bytes()
    parts: tuple[Contribution, ...] = ()
    if found.error_bytes:
        parts = (Contribution("pages not counted", found.error_bytes / 1024, "KB", found.error_source),)
    return from_values(
        "memory",
        [found.total / 1024],
        contributions=parts,
        simulated=probe.simulated,
        instrument=found.instrument,
        notes=found.notes,
    )


def read_memory(bench: OpenBench) -> tuple[MemoryUse, Measurement]:
    """Static RAM, stack and heap of what runs on the bench, and their sum as a measurement in KB.

    Raises:
        CapabilityMissing: No board stands on the bench.
        HilError: See `Dut.memory_use`.
    """
    probe, dut = bench.flashable()
    use = dut.memory_use()
    if dut.image is None:
        raise ImageError("measuring the memory: no image was flashed", fix="flash an ELF first")
    return use, memory(
        use.static,
        use.stack.used,
        use.heap.used,
        simulated=probe.simulated,
        instrument=f"the image and the memory behind {probe.description}",
        notes=use.notes,
    )
