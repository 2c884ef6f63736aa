"""pyOCD's own command line, unpatched, on the virtual boards: every command on the nRF52840, and on the
STM32F412 those that meet what is its own (target, flash algorithm, reset, core)."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from required import binary

from pytest_lan_hil.dut.image import FirmwareImage, load_image

PREBUILT = Path(__file__).parents[2] / "firmware" / "prebuilt"


@dataclass(frozen=True, slots=True)
class Kind:
    """A chip, and what pyOCD knows it by.

    Attributes:
        id_register, part: Where its part number stands, and how pyOCD shows it.
    """

    name: str
    target: str
    id_register: str
    part: str

    @property
    def probe(self) -> tuple[str, ...]:
        return ("-u", f"virtual:{self.name}", "-t", self.target)

    @property
    def elf(self) -> Path:
        return PREBUILT / self.name / "lan.elf"


NRF = Kind("nrf52840", "nrf52840", "10000100", "00052840")
STM = Kind("stm32f412", "stm32f412xg", "e0042000", r"\w{5}441")  # DBGMCU_IDCODE: device 0x441 (RM0402)
PROBE = NRF.probe
HOLDER = """
import sys
from pytest_lan_hil.virtual.state import BoardState
held = BoardState("nrf52840")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Virtual boards of its own, and no colours in the output."""
    return {**os.environ, "LAN_HIL_VIRTUAL_STATE": str(tmp_path / "state"), "PYOCD_COLOR": "never"}


@pytest.fixture(params=[NRF, STM], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def image(kind: Kind) -> FirmwareImage:
    return load_image(kind.elf)


def pyocd(environment: dict[str, str], *arguments: str, exit_code: int = 0) -> str:
    """Run a pyOCD command; its whole output."""
    done = subprocess.run(
        [sys.executable, "-m", "pyocd", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout
    return done.stdout


def flash_of(environment: dict[str, str], kind: Kind, image: FirmwareImage, folder: Path) -> list[bytes]:
    """What a new process reads where the image belongs."""
    files = [folder / f"{segment.address:08x}.bin" for segment in image.segments]
    commands = [
        f"savemem 0x{segment.address:x} {len(segment.data)} {file}"
        for segment, file in zip(image.segments, files, strict=True)
    ]
    pyocd(environment, "cmd", *kind.probe, *(part for command in commands for part in ("-c", command)))
    return [file.read_bytes() for file in files]


def test_list_shows_the_board_and_that_it_is_simulated(environment: dict[str, str]) -> None:
    listed = pyocd(environment, "list")
    assert re.search(r"virtual nRF52840 \(simulated\).*\bnrf52840\b", listed)


def test_an_absent_probe_is_not_listed(environment: dict[str, str]) -> None:
    listed = pyocd({**environment, "LAN_HIL_VIRTUAL_FAULTS": "probe_absent"}, "list")
    assert "virtual" not in listed
    assert "No available debug probes" in listed


def test_the_probe_knows_its_target_and_reads_the_part_number(
    environment: dict[str, str], kind: Kind
) -> None:
    unnamed = kind.probe[:2]
    shown = pyocd(environment, "cmd", *unnamed, "-c", f"read32 0x{kind.id_register}")
    assert re.search(rf"{kind.id_register}:\s+{kind.part}\b", shown)


def test_a_further_board_has_a_flash_of_its_own(environment: dict[str, str]) -> None:
    second = ("-u", "virtual:nrf52840-2", "-t", "nrf52840")
    write = ("write32 0x4001e504 1", "write32 0x1000 0x12345678", "write32 0x4001e504 0")
    pyocd(environment, "cmd", *second, *(part for command in write for part in ("-c", command)))
    assert "12345678" in pyocd(environment, "cmd", *second, "-c", "read32 0x1000")
    assert "ffffffff" in pyocd(environment, "cmd", *PROBE, "-c", "read32 0x1000")
    assert "nrf52840-2" in pyocd(environment, "list")


def test_load_stays_in_flash_and_mass_erase_takes_it_away(
    environment: dict[str, str], kind: Kind, image: FirmwareImage, tmp_path: Path
) -> None:
    pyocd(environment, "load", *kind.probe, str(kind.elf))
    assert flash_of(environment, kind, image, tmp_path) == [segment.data for segment in image.segments]
    pyocd(environment, "erase", *kind.probe, "--mass")
    assert all(set(data) == {0xFF} for data in flash_of(environment, kind, image, tmp_path))
    erased = pyocd(environment, "cmd", *kind.probe, "-c", f"read32 0x{image.segments[0].address:x} 16")
    assert erased.count("ffffffff") == 4


@pytest.mark.parametrize("method", ["default", "hardware"])
def test_reset_starts_the_firmware_again(environment: dict[str, str], method: str) -> None:
    pyocd(environment, "load", *PROBE, str(NRF.elf))
    assert "Done." in pyocd(environment, "reset", "-v", *PROBE, "-m", method)


@pytest.mark.parametrize("kind", [NRF], ids=["nrf52840"])  # the STM32F412 does so under gdb, below
def test_reset_and_halt_stops_at_the_reset_vector(
    environment: dict[str, str], kind: Kind, image: FirmwareImage
) -> None:
    pyocd(environment, "load", *kind.probe, str(kind.elf))
    entry = int.from_bytes(image.segments[0].data[4:8], "little") & ~1
    shown = pyocd(environment, "cmd", *kind.probe, "-c", "reset halt", "-c", "reg pc", "-c", "step")
    assert f"0x{entry:08x}" in shown
    assert "Successfully halted" in shown


def test_a_board_that_another_process_holds_is_one_clear_message(environment: dict[str, str]) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        hurried = {**environment, "LAN_HIL_VIRTUAL_WAIT_S": "0.2"}
        assert "nrf52840" in pyocd(hurried, "list"), "listing needs no board"
        for command in (("cmd", *PROBE, "-c", "read32 0x10000100"), ("reset", *PROBE)):
            done = subprocess.run(
                [sys.executable, "-m", "pyocd", *command],
                env=hurried,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode != 0
            said = done.stdout + done.stderr
            assert said.count(f"in use by process {holder.pid}") == 1, said
            assert "fix: wait for it" in said
            assert "Traceback" not in said
    finally:
        holder.communicate("", timeout=30)


def test_an_unmodelled_register_is_named(environment: dict[str, str]) -> None:
    said = pyocd(environment, "cmd", *PROBE, "-c", "read32 0x40001550", exit_code=1)
    assert re.search(r"unmodelled access: 4-byte read of RADIO\.\w+ \(0x40001550\) by the debugger", said)
    assert "Traceback" not in said


def test_an_address_where_nothing_is_is_a_transfer_fault(environment: dict[str, str]) -> None:
    said = pyocd(environment, "cmd", *PROBE, "-c", "read32 0x30000000", exit_code=2)
    assert "memory transfer failed" in said
    assert "Traceback" not in said


# -- gdb -----------------------------------------------------------------------------------------------------


@pytest.fixture
def gdb() -> str:
    """gdb for Arm; must be there where servers are required (CI)."""
    return binary("gdb-multiarch", "gdb-multiarch")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.fixture
def server(environment: dict[str, str], kind: Kind) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`pyocd gdbserver`, listening, and its port."""
    port, telnet = _free_ports(2)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pyocd",
            "gdbserver",
            *kind.probe,
            "--port",
            str(port),
            "--telnet-port",
            str(telnet),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "listening on port" in line:
                break
        else:
            pytest.fail(f"pyocd gdbserver ended: {said}")
        yield process, port
    finally:
        process.kill()
        process.communicate(timeout=30)


def test_gdb_loads_breaks_continues_and_walks_the_stack(
    environment: dict[str, str],
    gdb: str,
    kind: Kind,
    server: tuple[subprocess.Popen[str], int],
    image: FirmwareImage,
    tmp_path: Path,
) -> None:
    process, port = server
    script = [
        "set confirm off",
        "set tcp connect-timeout 60",
        f"target remote 127.0.0.1:{port}",
        "load",
        "monitor reset halt",
        "break lan_cfc_step",
        "break main",
        "continue",
        "backtrace",
        "stepi",
        "break sleep_masked",
        "continue",
        "backtrace",
        "info registers pc",
        "monitor reset halt",
        "maintenance flush register-cache",
        "info registers pc",
        "monitor reset",
    ]
    done = subprocess.run(
        [gdb, "-nx", "-batch", *(part for command in script for part in ("-ex", command)), str(kind.elf)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout
    assert re.search(r"Breakpoint \d, main \(", said), said
    assert re.search(r"#0 +main \(", said), said
    assert re.search(r"#0 +sleep_masked \(.*\n(.*\n)*?#\d +(0x\w+ in )?main ", said), said
    entry = int.from_bytes(image.segments[0].data[4:8], "little") & ~1
    assert re.search(rf"\npc +0x{entry:x} ", said), said
    assert "Remote communication error" not in said
    # What was loaded before the process died is in flash. gdb loads section by section: between them it stays
    # erased where the linker's padding is zero.
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    for segment, found in zip(image.segments, flash_of(environment, kind, image, tmp_path), strict=True):
        differing = {pair for pair in zip(segment.data, found, strict=True) if len({*pair}) > 1}
        assert differing <= {(0x00, 0xFF)}
