"""The firmware as a process of this host, talked to over a pseudo terminal."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from desktop_image import FIRMWARE, build_desktop
from firmware_host import HostConsole

from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.dut.metrics_frame import parse_line
from pytest_lan_hil.dut.process import open_process
from pytest_lan_hil.dut.program import load_program
from pytest_lan_hil.dut.unprobed import UnprobedDut
from pytest_lan_hil.instruments.markers import LINES, MarkerRing
from pytest_lan_hil.model.errors import DutFault


@pytest.fixture(scope="session")
def desktop_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_desktop(tmp_path_factory.mktemp("desktop"))


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[MarkerRing]:
    ring = MarkerRing(tmp_path / "ring" / "lan.markers")
    yield ring
    ring.close()


@pytest.fixture
def desktop(desktop_image: Path, ring: MarkerRing) -> Iterator[UnprobedDut]:
    with Console.open(f"exec:{desktop_image} --markers {ring.path}", baudrate=115200) as console:
        yield UnprobedDut(console)


def edges(ring: MarkerRing, line: str) -> np.ndarray:
    events, _ = ring.take()
    return events[events["line"] == LINES[line]]


def test_the_process_greets_and_says_its_name(desktop: UnprobedDut) -> None:
    desktop.console.expect("m-init-done", timeout_s=2)
    assert desktop.name() == "dut lan-desktop"


def test_the_process_says_the_identity_that_its_file_carries(
    desktop: UnprobedDut, desktop_image: Path
) -> None:
    said = str(desktop.identity())
    assert said == load_program(desktop_image).build_id
    assert "git=" + "0" * 40 not in said
    assert "image=" + "0" * 64 not in said


def test_the_identity_names_the_tree_of_the_sources(desktop: UnprobedDut) -> None:
    spec = importlib.util.spec_from_file_location("stamp", FIRMWARE / "tools" / "stamp.py")
    assert spec is not None
    assert spec.loader is not None
    stamp = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stamp)
    parts = [FIRMWARE / part for part in ("Makefile", "common", "desktop", "tools")]
    assert desktop.identity().git == stamp.git_tree(parts).hex()


def test_the_process_knows_its_memory_as_the_kernel_counts_it_and_no_flash(desktop: UnprobedDut) -> None:
    desktop.infer(3)
    (line,) = (line for line in desktop.command("lnn metrics") if line.startswith("m-lnn-metrics-"))
    known = parse_line(line)
    process = desktop.console.description.split()[1]
    status = Path(f"/proc/{process}/status").read_text("utf-8")
    (kernel_kib,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert known.memory_used is not None
    # the kernel brings its count up to date now and then: proc_pid_status(5)
    assert 0 <= int(kernel_kib) * 1024 - known.memory_used < 1 << 20
    assert (known.memory_available, known.flash_used, known.flash_size) == (None, None, None)


def test_the_network_answers_bit_for_bit_as_the_tested_library(
    desktop: UnprobedDut, host: HostConsole
) -> None:
    desktop.set_pace(0)
    host.ask("lnn pace 0")
    for count in (1, 40, 130):
        desktop.infer(count)
        host.ask(f"infer {count} 0")
        assert desktop.command("lnn logits") == host.ask("lnn logits")


def test_listening_takes_real_time_and_is_mostly_sleep(desktop: UnprobedDut) -> None:
    start = time.monotonic()
    desktop.run_for(0.5)
    took = time.monotonic() - start
    counters = desktop.counters()
    assert counters is not None
    assert 0.5 <= took < 1.5
    assert counters["frames"] == 16
    assert 400 < counters["asleep_ms"] <= counters["uptime_ms"]


def test_marker_edges_alternate_and_enclose_each_inference(desktop: UnprobedDut, ring: MarkerRing) -> None:
    desktop.infer(5, warmups=2)
    events, was_full = ring.take()
    inference = events[events["line"] == LINES["inference"]]
    phase = events[events["line"] == LINES["phase"]]
    assert not was_full
    assert inference["level"].tolist() == [1, 0] * 5
    assert inference["number"].tolist() == list(range(1, 11))
    assert phase["level"].tolist() == [1, 0]
    assert phase["stamp_ns"][0] < inference["stamp_ns"][0] < inference["stamp_ns"][-1] < phase["stamp_ns"][1]
    # Inferences start every 32 ms.
    starts = inference["stamp_ns"][::2].astype(np.int64)
    assert np.median(np.diff(starts)) == pytest.approx(32e6, rel=0.2)


def test_stamps_are_of_the_hosts_monotonic_clock(desktop: UnprobedDut, ring: MarkerRing) -> None:
    desktop.name()
    before = time.monotonic_ns()
    desktop.infer(1)
    stamps = edges(ring, "inference")["stamp_ns"]
    assert before < stamps[0] < stamps[1] < time.monotonic_ns()


def test_the_process_measures_what_a_stamp_costs(desktop: UnprobedDut, ring: MarkerRing) -> None:
    desktop.name()
    header = ring.header()
    assert 1 <= header.resolution_ns < 1_000_000
    assert 0 < header.cost_ns < 1_000_000


def test_a_full_ring_takes_no_more_and_counts_what_it_lost(desktop_image: Path, tmp_path: Path) -> None:
    ring = MarkerRing(tmp_path / "small" / "lan.markers", capacity=4)
    with Console.open(f"exec:{desktop_image} --markers {ring.path}", baudrate=115200) as console:
        dut = UnprobedDut(console)
        dut.infer(6)
        events, was_full = ring.take()
        assert was_full
        # phase up, then the first edges: the oldest are kept
        assert events["number"].tolist() == [1, 1, 2, 3]
        assert ring.header().numbers[LINES["inference"]] == 12
        dut.infer(1)
        later = edges(ring, "inference")
        assert later["number"].tolist() == [13, 14]
    ring.close()


def test_lines_that_a_killed_process_left_high_fall_when_the_next_one_starts(
    desktop_image: Path, ring: MarkerRing
) -> None:
    with Console.open(f"exec:{desktop_image} --markers {ring.path}", baudrate=115200) as console:
        dut = UnprobedDut(console)
        dut.name()
        console.write("lnn listen 5000%")
        console.expect("m-lnn-listen-start", timeout_s=2)
        time.sleep(0.1)
    assert ring.header().levels[LINES["phase"]] == 1
    with Console.open(f"exec:{desktop_image} --markers {ring.path}", baudrate=115200) as console:
        UnprobedDut(console).name()
        assert ring.header().levels == (0, 0)
        assert edges(ring, "phase")["level"].tolist() == [1, 0]


def hear(desktop: UnprobedDut, announced: int, checksum: int, data: bytes) -> str:
    """Send a piece of audio; what comes of it."""
    cursor = desktop.console.cursor()
    desktop.console.write(f"lnn hear {announced} {checksum:08x}%")
    assert cursor.next_line(timeout_s=2).text == f"m-lnn-hear-ready-[{announced}]"
    desktop.console.write_bytes(data)
    answer = cursor.next_line(timeout_s=10).text
    assert cursor.next_line(timeout_s=2).text == "m-ready"
    return answer


def test_audio_is_received_as_raw_bytes_of_every_value(desktop: UnprobedDut) -> None:
    data = np.random.default_rng(5).integers(0, 256, 4096, np.uint8).tobytes()
    assert {0x00, 0x0A, 0x0D, 0x11, 0x13, 0x25, 0xFF} <= set(data)  # what a terminal would act on, and "%"
    desktop.command("lnn hear start")
    assert hear(desktop, len(data), zlib.crc32(data), data).startswith("m-lnn-hear-taken-[frames=8,")
    (heard,) = desktop.command("lnn hear end")
    assert "frames=8," in heard
    assert heard.endswith("dropped=0]")


def test_audio_that_stops_short_is_said_to_be_short(desktop: UnprobedDut) -> None:
    desktop.command("lnn hear start")
    assert hear(desktop, 1024, 0, bytes(100)) == "e-[Audio: got 100 of 1024 bytes]"


def test_the_stack_is_painted_and_its_high_water_mark_reported(desktop: UnprobedDut) -> None:
    desktop.infer(1)
    (answer,) = desktop.command("lnn stack")
    used, size = (int(part.partition("=")[2]) for part in answer.partition("[")[2].rstrip("]").split(","))
    assert size == 65536
    assert 500 < used < 32768


@pytest.mark.parametrize(
    ("kind", "said", "signal"),
    [
        ("hard", "fault sig(ill|trap) pc=0x", "SIG(ILL|TRAP)"),
        ("stack", "fault stack overflow pc=0x", "SIGSEGV"),
    ],
)
def test_a_fault_is_said_and_ends_the_process_by_its_signal(
    desktop: UnprobedDut, kind: str, said: str, signal: str
) -> None:
    with pytest.raises(DutFault, match=said):
        desktop.command(f"lnn fault {kind}")
    with pytest.raises(DutFault, match=signal):
        desktop.name()


def test_hanging_up_ends_the_process(desktop_image: Path) -> None:
    port = open_process(f"exec:{desktop_image}", baudrate=115200, timeout=0.1)
    process = port._process
    port.close()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--verbose"], "it takes none, or --markers FILE"),
        (["--markers", "{folder}/none"], "No such file"),
        (["--markers", "{folder}/short"], "too short for a ring"),
        (["--markers", "{folder}/foreign"], "not a ring of markers of this layout"),
    ],
)
def test_a_bad_argument_is_named_and_ends_with_code_2(
    desktop_image: Path, tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    (tmp_path / "short").write_bytes(b"LANMARK1")
    (tmp_path / "foreign").write_bytes(b"x" * 8192)
    filled = [word.format(folder=tmp_path) for word in arguments]
    done = subprocess.run(
        [desktop_image, *filled],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert done.returncode == 2
    assert complaint in done.stderr


def test_without_a_compiler_the_message_names_it(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "-C", str(FIRMWARE), "BOARD=desktop", f"OUT={tmp_path}", "HOST_CC=no-such-cc"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "no-such-cc not found" in done.stderr
    assert "apt install gcc" in done.stderr
