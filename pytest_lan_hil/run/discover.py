"""The bench when none is configured: one real probe that is attached, or a refusal that says what to do.

Never a simulated one: silent simulation is forbidden (docs/explanation/decisions/).
"""

from __future__ import annotations

from serial.tools import list_ports

from pytest_lan_hil.config import Bench
from pytest_lan_hil.dut.probe import list_probes
from pytest_lan_hil.model.errors import InputError


def discover_bench(boards: tuple[str, ...]) -> Bench:
    """A bench of the one real probe attached, with the serial port of the same USB device if it has one.

    Raises:
        InputError: No real probe, or more than one.
    """
    probes = [probe for probe in list_probes() if not probe.simulated]
    options = " ".join(f"--board {name}" for name in boards)
    if not probes:
        raise InputError(
            "no bench is configured (--bench, LAN_HIL_BENCH, hil_bench in the ini file), and no debug probe"
            " is attached: looked for CMSIS-DAP, J-Link and ST-Link probes through pyOCD",
            fix=f"attach a board, name a bench, or use the virtual bench: pytest {options} --bench virtual",
        )
    if len(probes) > 1:
        names = ", ".join(f"{probe.uri} ({probe.description})" for probe in probes)
        raise InputError(
            f"no bench is configured and {len(probes)} debug probes are attached: {names}",
            fix="write a bench file that names one of them: docs/how-to/describe-a-bench.md",
        )
    probe = probes[0]
    ports = [
        port.device
        for port in list_ports.comports()
        if port.serial_number and port.serial_number in probe.uid
    ]
    return Bench(
        name="attached",
        title=f"the one probe attached: {probe.description}",
        probe=probe.uri,
        console=ports[0] if len(ports) == 1 else None,
    )
