"""A DUT that is a program of this host: started where a board is flashed, started again where one is reset.

There is no debug probe. That the image under test is what runs is proved by the file that the operating
system runs (/proc/PID/exe) and by the build identity on the console; memory is the process's peak, as the
kernel counts it (proc(5), VmHWM).
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path

from pytest_lan_hil.dut.answering import ANSWER_S
from pytest_lan_hil.dut.attached import FlashReport
from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.fault_report import explain_fault
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.dut.memory import MemoryUse
from pytest_lan_hil.dut.memory_bytes import MemoryBytes
from pytest_lan_hil.dut.program_port import ProgramPort
from pytest_lan_hil.dut.protocol import Stack
from pytest_lan_hil.dut.unprobed import NoProbe
from pytest_lan_hil.model.errors import CapabilityMissing, DutFault, DutTimeout, ProbeError

_PROC = Path("/proc")
_STATES = {"R": "running", "S": "asleep", "D": "waiting for a device", "T": "stopped", "Z": "dead"}
# Each thread keeps so many pages to itself before the kernel counts them for the process (mm/memory.c,
# TASK_RSS_EVENTS_THRESH; since Linux 6.2 each CPU keeps some, lib/percpu_counter.c: of the same size).
_UNCOUNTED_PAGES = 64


class Starter(NoProbe):
    """Stands where a debug probe does for a board: what flashes and resets, here by starting a program.

    Args:
        console: The DUT's, on `port`.
        port: Where programs are started.
    """

    def __init__(self, console: Console, port: ProgramPort) -> None:
        super().__init__(console)
        self._port = port
        self._program: Path | None = None

    def flash(self, image: FirmwareImage, *, progress: Callable[[float], None] | None = None) -> FlashReport:
        """Start the image; see `Probe.flash`.

        Raises:
            ConsoleError: It can't be started.
        """
        start = time.monotonic()
        self._program = image.path
        self._port.start(image.path)
        if progress is not None:
            progress(1.0)
        size = image.path.stat().st_size
        return FlashReport(
            written=True,
            bytes=size,
            duration_s=time.monotonic() - start,
            flash_sha256=self.read_flash_sha256(image),
        )

    def reset(self) -> None:
        """Start the program again.

        Raises:
            ProbeError: None was started yet.
            ConsoleError: It can't be started.
        """
        if self._program is None:
            raise ProbeError(
                "resetting the DUT: no program was started yet", fix="use the `dut` fixture, which does"
            )
        self._port.start(self._program)

    def read_flash_sha256(self, image: FirmwareImage) -> str:
        """Hash of the file that the process was started from, as the operating system holds it open.

        Raises:
            DutFault: The program has ended.
            ProbeError: It can't be read.
        """
        try:
            return hashlib.sha256((_PROC / str(self._port.process_id) / "exe").read_bytes()).hexdigest()
        except FileNotFoundError as error:  # what is left of a process that has ended names no file
            raise self._port.ended() from error
        except OSError as error:
            raise ProbeError(
                f"reading the program of process {self._port.process_id}: {error.strerror or error}",
                fix=f"check that {image.path} runs in a terminal",
            ) from error


class NativeDut(Dut):
    """A `Dut` that is a program of this host."""

    def __init__(self, console: Console, port: ProgramPort, *, timeout_s: float = ANSWER_S) -> None:
        super().__init__(Starter(console, port), console, timeout_s=timeout_s)
        self._port = port

    def memory_bytes(self) -> MemoryBytes:
        """Peak of the resident set since the program started.

        Raises:
            CapabilityMissing: This system does not tell.
            DutFault: The program has ended.
        """
        found = self._proc("status")
        if not found:
            raise CapabilityMissing(
                "this system does not tell a process's peak of memory: there is no /proc/PID/status",
                fix="run it on Linux",
            )
        fields = dict(re.findall(r"^(\w+):\s*(\d+)", found, re.MULTILINE))
        if "VmHWM" not in fields:  # a process that has ended has none
            raise self._port.ended()
        page = os.sysconf("SC_PAGE_SIZE")
        return MemoryBytes(
            total=int(fields["VmHWM"]) * 1024,
            instrument="VmHWM of the process, Linux",
            error_bytes=_UNCOUNTED_PAGES * page * int(fields["Threads"]),
            error_source="pages that the kernel has not counted yet, proc_pid_status(5)",
            notes=(
                f"Linux {platform.release()}: peak of the resident set, in pages of {page} bytes: code, data,"
                " stacks, the C library and the ring of marker edges; pages that it shares with other"
                " processes are counted in full",
            ),
        )

    def memory_use(self) -> MemoryUse:
        """The parts that a chip's memory has are not those of a process.

        Raises:
            CapabilityMissing: Always; see `memory_bytes`.
        """
        raise CapabilityMissing(
            "static RAM, stack and heap of a process: the kernel counts its pages, whatever is in them",
            fix="use memory_budget, which judges the peak of its resident set",
        )

    def stack_high_water(self) -> int:
        """Bytes of the firmware's stack that were ever used, as the program reports them."""
        return self._ask("lnn stack", Stack).used

    def silence(self, error: DutTimeout) -> Exception:
        """What to raise for a program that did not answer: what it is doing, as the kernel says."""
        found = re.search(r"^State:\s*(\S)", self._proc("status"), re.MULTILINE)
        if found is None or found[1] == "Z":
            return self._port.ended()
        return DutTimeout(
            f"{error.problem}; process {self._port.process_id} is {_STATES.get(found[1], 'alive')}",
            fix="run the program in a terminal and type the commands that the log shows, each ended by %",
        )

    def _stop_if_faulted(self, waiting_for: str, reported: str) -> None:
        """The program says what kills it, and is gone then: always a fault."""
        self._in_step = False
        where = explain_fault(reported, self.image)
        raise DutFault(
            f"waiting for {waiting_for}: the program reports {reported!r}{where};"
            f" {self._port.ended().problem}",
            fix="look at the function named here, or run the program in a debugger",
        )

    def _proc(self, name: str) -> str:
        try:
            return (_PROC / str(self._port.process_id) / name).read_text("utf-8", "replace")
        except OSError:
            return ""


def host_notes() -> tuple[str, ...]:
    """What a reader of numbers from this host must know of it."""
    try:
        told = re.search(r"^model name\s*:\s*(.+)$", (_PROC / "cpuinfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        told = None
    processor = told[1] if told else platform.machine()
    return (
        f"a process of this host: {platform.system()} {platform.release()}, {processor},"
        f" {os.cpu_count()} CPUs, beside whatever else ran on it",
    )
