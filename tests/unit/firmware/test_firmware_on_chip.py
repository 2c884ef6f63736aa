"""The committed images on their virtual chips: what only port and chip together can show."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from firmware_host import FIRMWARE, HostConsole

from pytest_lan_hil.dut.image import load_image
from pytest_lan_hil.dut.metrics_frame import parse_line
from pytest_lan_hil.virtual.board import VirtualBoard


@dataclass(frozen=True)
class Kind:
    """A chip, and what its port promises.

    Attributes:
        inference, phase: Pins of the marker lines.
        crystal_s: From power on until the 32 kHz crystal runs and the console greets.
        late_s: How late a frame may start: wake-up, and what the timer cannot resolve.
        asleep_a: Supply current between two frames.
    """

    name: str
    inference: str
    phase: str
    crystal_s: float
    late_s: float
    asleep_a: float

    @property
    def image(self) -> Path:
        return FIRMWARE / "prebuilt" / self.name / "lan.elf"

    @property
    def named(self) -> str:
        return f"m-name-dut-[lan-{self.name}]"


KINDS = (
    Kind("nrf52840", "P0.13", "P0.14", crystal_s=0.3, late_s=70e-6, asleep_a=3.16e-6),
    Kind("stm32f412", "PF12", "PF13", crystal_s=2.1, late_s=400e-6, asleep_a=19e-6),
)


class Chip:
    """A virtual board with the image in its flash, and a terminal on its UART."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.board = VirtualBoard(kind.name)
        for segment in load_image(kind.image).segments:
            self.board.chip.bus.write_memory(segment.address, segment.data)
        self.board.chip.reset("power_on")
        self.greeting = self.listen(kind.crystal_s)

    def listen(self, seconds: float) -> list[str]:
        """Lines received while this time passes, and what came before."""
        self.board.clock.sleep(seconds)
        return self.board.uart0.host_read().decode("latin-1").split("\r\n")[:-1]

    def send(self, text: str, *, baud: int = 115200) -> None:
        """Send at a rate, and wait until the last bit is out."""
        self.board.uart0.host_baud = baud
        self.board.uart0.host_write(text.encode("latin-1"))
        self.board.clock.sleep(11 * len(text) / baud)
        self.board.uart0.host_baud = 115200

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are, and wait until the last bit is out."""
        self.board.uart0.host_write(data)
        self.board.clock.sleep(11 * len(data) / 115200)

    def ask(self, command: str, seconds: float = 0.1) -> list[str]:
        """Lines that come within this time after a command."""
        self.send(f"{command}%")
        return self.listen(seconds)


@pytest.fixture(scope="module", params=KINDS, ids=[kind.name for kind in KINDS])
def booted(request: pytest.FixtureRequest) -> Chip:
    return Chip(request.param)


@pytest.fixture
def chip(booted: Chip) -> Iterator[Chip]:
    yield booted
    booted.board.chip.reset("soft")
    booted.listen(0.5)


def test_firmware_greets_after_the_crystal_has_started(booted: Chip) -> None:
    first, lap, *rest = booted.greeting
    assert (first, rest) == ("m-timestamp-mode-performance", ["m-init-done", "m-ready"])
    assert int(lap.removeprefix("m-lap-us-")) / 1e6 < booted.kind.crystal_s


def test_the_metrics_know_how_much_memory_and_flash_the_image_takes(chip: Chip) -> None:
    image = load_image(chip.kind.image)
    chip.ask("infer 5 0", 1.0)
    chip.ask("lnn metrics", 0.5)  # the deepest that the stack is used below
    metrics = parse_line(chip.ask("lnn metrics", 0.5)[0])
    (stack,) = re.findall(r"used=(\d+)", chip.ask("lnn stack")[0])
    assert metrics.memory_used == image.static_ram_bytes + int(stack)
    assert metrics.memory_available == 256 * 1024 - metrics.memory_used
    assert (metrics.flash_used, metrics.flash_size) == (image.flash_bytes, 1 << 20)


def test_what_a_board_cannot_know_is_absent_from_its_metrics(chip: Chip) -> None:
    chip.ask("infer 5 0", 1.0)
    metrics = parse_line(chip.ask("lnn metrics", 0.5)[0])
    unknown = {field.name for field in dataclasses.fields(metrics) if getattr(metrics, field.name) is None}
    # a meter, a battery, and whoever knows the right answers are elsewhere
    elsewhere = {"power", "energy", "battery_h", "battery_v", "accuracy", "false_positives"}
    assert unknown == elsewhere | ({"temperature_degc"} if chip.kind.name == "stm32f412" else set())


def test_a_garbled_byte_spoils_its_own_command_and_no_other(chip: Chip) -> None:
    assert chip.ask("name")[0] == chip.kind.named
    chip.send("na")
    chip.send("x", baud=57600)
    chip.send("me%name%")
    assert chip.listen(0.1) == [
        "e-[Bytes lost on reception]",
        "m-ready",
        chip.kind.named,
        "m-ready",
    ]


def test_an_overflow_never_runs_a_damaged_command(chip: Chip) -> None:
    # the answers to 2,000 commands take longer than sending them: the ring of 2,048 bytes overflows
    for _ in range(20):
        chip.send("name%" * 100)
    answers = [line for line in chip.listen(1.0) if line != "m-ready"]
    assert 2048 // 5 < len(answers) < 2000
    assert set(answers) == {chip.kind.named}
    assert chip.ask("name") == ["e-[Bytes lost on reception]", "m-ready"]
    assert chip.ask("name") == [chip.kind.named, "m-ready"]


def test_what_is_sent_while_the_console_is_off_is_lost_and_does_no_harm(chip: Chip) -> None:
    chip.send("lnn listen 200%")
    chip.listen(0.05)
    chip.send("name%")
    assert chip.listen(0.3) == ["m-lnn-listen-done-[frames=7]", "m-ready"]
    assert chip.ask("name") == [chip.kind.named, "m-ready"]


def test_markers_rise_once_per_inference_inside_one_phase(chip: Chip) -> None:
    board, kind = chip.board, chip.kind
    inference, phase = board.pins.record(kind.inference, board.now), board.pins.record(kind.phase, board.now)
    chip.ask("infer 10 3", 1.0)
    edges, around = inference.take(board.now), phase.take(board.now)
    board.pins.stop(kind.inference, inference)
    board.pins.stop(kind.phase, phase)
    assert around.values.tolist() == [1, 0]
    assert edges.values.tolist() == [1, 0] * 10
    assert around.ticks[0] < edges.ticks[0]
    assert edges.ticks[-1] < around.ticks[1]
    periods = (edges.ticks[2::2] - edges.ticks[:-2:2]) / board.tick_hz
    assert periods == pytest.approx(0.032, abs=kind.late_s)
    assert (around.ticks[1] - around.ticks[0]) / board.tick_hz == pytest.approx(0.32, abs=kind.late_s)


def test_the_chip_sleeps_between_frames_and_draws_what_sleep_draws(chip: Chip) -> None:
    board = chip.board
    chip.send("lnn listen 300%")
    current = board.power.record(board.now)
    chip.listen(0.25)
    steps = current.take(board.now)
    board.power.stop(current)
    assert min(steps.values) == pytest.approx(chip.kind.asleep_a)


def test_the_wait_for_the_pll_after_stop_mode_is_slept_through() -> None:
    """What woke the core, pending and masked, would keep it awake until the PLL has locked."""
    chip = Chip(next(kind for kind in KINDS if kind.name == "stm32f412"))
    board = chip.board
    chip.send("lnn listen 300%")
    current = board.power.record(board.now)
    chip.listen(0.25)
    steps = current.take(board.now)
    board.power.stop(current)
    stopped = min(steps.values)
    lasted_s = np.diff(steps.ticks) / board.tick_hz
    wakes = [at + 1 for at in range(len(lasted_s) - 7) if steps.values[at] == stopped]
    assert len(wakes) >= 5
    for at in wakes:
        awake = steps.values[at]
        slept = [
            s for s, a in zip(lasted_s[at : at + 4], steps.values[at:], strict=False) if stopped < a < awake
        ]
        assert sum(slept) > 100e-6


@pytest.mark.parametrize(("command", "kind"), [("hard", "hardfault"), ("stack", "memmanage")])
def test_a_fault_is_told_at_once_and_again_after_a_reset(chip: Chip, command: str, kind: str) -> None:
    lines = chip.ask(f"lnn fault {command}")
    assert lines[0] == f"m-lnn-fault-{command}"
    told = re.fullmatch(rf"e-\[(fault {kind} pc=0x.*)\]", lines[-1])
    assert told is not None
    where = dict(re.findall(r"(\w+)=0x(\w{8})", told[1]))
    image = load_image(chip.kind.image)
    if command == "stack":
        guard = range(image.symbols["__stack_guard"], image.symbols["__stack_bottom"])
        assert int(where["mmfar"], 16) in guard
        assert image.function_at(int(where["trace"], 16)).startswith(
            "descend"
        )  # the compiler may specialise it
    else:
        assert int(where["cfsr"], 16) == 1 << 16  # UNDEFINSTR
        assert image.function_at(int(where["pc"], 16)) == "port_fault_hard"
    assert chip.ask("name") == []  # it stays in the handler
    chip.board.chip.reset("soft")
    chip.listen(0.5)
    assert chip.ask("lnn fault") == [f"m-lnn-fault-[{told[1]}]", "m-ready"]


def test_chip_and_host_compute_the_same_bits(chip: Chip, host: HostConsole) -> None:
    chip.ask("infer 20 0", 1.0)
    host.ask("infer 20 0")
    assert chip.ask("lnn logits")[:1] == host.ask("lnn logits")


def hear(chip: Chip, piece: bytes, *, waiting: bool = True) -> list[str]:
    """One piece, sent when the DUT is ready for it or right behind the command."""
    command = f"lnn hear {len(piece)} {zlib.crc32(piece):08x}"
    if not waiting:
        chip.send_raw(f"{command}%".encode() + piece)
        return chip.listen(0.3)
    assert chip.ask(command, 0.01) == [f"m-lnn-hear-ready-[{len(piece)}]"]
    chip.send_raw(piece)
    return chip.listen(0.3)


def noise(samples: int) -> bytes:
    return np.random.default_rng(samples).normal(scale=3000, size=samples).astype("<i2").tobytes()


@pytest.mark.parametrize("samples", [1, 2, 3, 31, 64, 3840])
def test_pieces_of_any_size_arrive_whole_by_dma(chip: Chip, samples: int) -> None:
    chip.ask("lnn hear start")
    assert hear(chip, noise(samples))[-1] == "m-ready"
    (heard, _) = chip.ask("lnn hear end")
    assert re.search(rf"frames={-(-samples // 256)},ran=\d+,dropped=0\]", heard)


@pytest.mark.parametrize("samples", [1, 2, 3, 40, 2000])
def test_no_byte_is_lost_where_the_receiver_changes_over(chip: Chip, samples: int) -> None:
    chip.ask("lnn hear start")
    for _ in range(3):  # console, bulk, console again, without a pause between them
        command = f"lnn hear {2 * samples} {zlib.crc32(noise(samples)):08x}%"
        chip.send_raw(command.encode() + noise(samples) + b"name%")
        lines = chip.listen(0.4)
        assert lines[1].startswith("m-lnn-hear-taken-[")
        assert lines[2:] == ["m-ready", chip.kind.named, "m-ready"]


def test_the_core_sleeps_while_audio_arrives(chip: Chip) -> None:
    def asleep_ms() -> tuple[int, int]:
        found = re.search(r"uptime_ms=(\d+).*asleep_ms=(\d+)", chip.ask("lnn status")[0])
        assert found is not None
        return int(found[1]), int(found[2])

    chip.ask("lnn hear start")
    before = asleep_ms()
    hear(chip, noise(3840))
    after = asleep_ms()
    passed, slept = after[0] - before[0], after[1] - before[1]
    assert passed > 600  # 7680 bytes at 115200 baud
    assert slept / passed > 0.9


@pytest.mark.parametrize("arriving", [0, 1, 2, 3, 999])
def test_a_piece_that_stops_early_is_an_error_and_the_console_goes_on(chip: Chip, arriving: int) -> None:
    chip.ask("lnn hear start")
    chip.ask("lnn hear 1000 00000000", 0.01)
    chip.send_raw(bytes(arriving))
    assert chip.listen(1.5) == [f"e-[Audio: got {arriving} of 1000 bytes]", "m-ready"]
    assert chip.ask("name") == [chip.kind.named, "m-ready"]
    assert hear(chip, noise(256))[-1] == "m-ready"


def test_a_garbled_byte_spoils_its_piece_and_the_console_goes_on(chip: Chip) -> None:
    chip.ask("lnn hear start")
    piece = noise(500)
    chip.ask(f"lnn hear {len(piece)} {zlib.crc32(piece):08x}", 0.01)
    chip.send_raw(piece[:300])
    chip.send("x", baud=57600)
    chip.send_raw(piece[300:])
    assert chip.listen(1.5) == ["e-[Audio: checksum differs]", "m-ready"]
    assert chip.ask("name") == [chip.kind.named, "m-ready"]


def test_time_never_goes_back_and_keeps_pace_through_sleep(chip: Chip) -> None:
    def lap_us() -> int:
        return int(chip.ask("timestamp", 0.02)[0].removeprefix("m-lap-us-"))

    first, started = lap_us(), chip.board.clock.monotonic()
    laps = [first]
    for _ in range(3):
        chip.ask("lnn listen 900", 1.2)
        laps.append(lap_us())
    assert laps == sorted(laps)
    passed_s = chip.board.clock.monotonic() - started
    assert (laps[-1] - first) / 1e6 == pytest.approx(passed_s, abs=0.001)
