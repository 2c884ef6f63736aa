"""The committed image on the virtual nRF52840: what only the port and the chip together can show."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from firmware_host import FIRMWARE, HostConsole

from pytest_lan_hil.dut.image import load_image
from pytest_lan_hil.virtual.board import VirtualBoard
from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICK_HZ

IMAGE = FIRMWARE / "prebuilt" / "nrf52840" / "lan.elf"


class Chip:
    """A virtual board with the image in its flash, and a terminal on its UART."""

    def __init__(self) -> None:
        self.board = VirtualBoard("nrf52840")
        for segment in load_image(IMAGE).segments:
            self.board.chip.bus.write_memory(segment.address, segment.data)
        self.board.chip.reset("power_on")
        self.greeting = self.listen(0.5)

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

    def ask(self, command: str, seconds: float = 0.1) -> list[str]:
        """Lines that come within this time after a command."""
        self.send(f"{command}%")
        return self.listen(seconds)


@pytest.fixture(scope="module")
def booted() -> Chip:
    return Chip()


@pytest.fixture
def chip(booted: Chip) -> Iterator[Chip]:
    yield booted
    booted.board.chip.reset("soft")
    booted.listen(0.5)


def test_firmware_greets_after_the_crystal_has_started(booted: Chip) -> None:
    first, lap, *rest = booted.greeting
    assert (first, rest) == ("m-timestamp-mode-performance", ["m-init-done", "m-ready"])
    assert 250_000 < int(lap.removeprefix("m-lap-us-")) < 260_000


def test_a_garbled_byte_spoils_its_own_command_and_no_other(chip: Chip) -> None:
    assert chip.ask("name")[0] == "m-name-dut-[lan-nrf52840]"
    chip.send("na")
    chip.send("x", baud=57600)
    chip.send("me%name%")
    assert chip.listen(0.1) == [
        "e-[Bytes lost on reception]",
        "m-ready",
        "m-name-dut-[lan-nrf52840]",
        "m-ready",
    ]


def test_an_overflow_never_runs_a_damaged_command(chip: Chip) -> None:
    # the answers to 2,000 commands take longer than sending them: the ring of 2,048 bytes overflows
    for _ in range(20):
        chip.send("name%" * 100)
    answers = [line for line in chip.listen(1.0) if line != "m-ready"]
    assert 2048 // 5 < len(answers) < 2000
    assert set(answers) == {"m-name-dut-[lan-nrf52840]"}
    assert chip.ask("name") == ["e-[Bytes lost on reception]", "m-ready"]
    assert chip.ask("name") == ["m-name-dut-[lan-nrf52840]", "m-ready"]


def test_what_is_sent_while_the_console_is_off_is_lost_and_does_no_harm(chip: Chip) -> None:
    chip.send("lnn listen 200%")
    chip.listen(0.05)
    chip.send("name%")
    assert chip.listen(0.3) == ["m-lnn-listen-done-[frames=7]", "m-ready"]
    assert chip.ask("name") == ["m-name-dut-[lan-nrf52840]", "m-ready"]


def test_markers_rise_once_per_inference_inside_one_phase(chip: Chip) -> None:
    board = chip.board
    inference, phase = board.pins.record("P0.13", board.now), board.pins.record("P0.14", board.now)
    chip.ask("infer 10 3", 1.0)
    edges, around = inference.take(board.now), phase.take(board.now)
    board.pins.stop("P0.13", inference)
    board.pins.stop("P0.14", phase)
    assert around.values.tolist() == [1, 0]
    assert edges.values.tolist() == [1, 0] * 10
    assert around.ticks[0] < edges.ticks[0]
    assert edges.ticks[-1] < around.ticks[1]
    periods = (edges.ticks[2::2] - edges.ticks[:-2:2]) / TICK_HZ
    assert periods == pytest.approx(0.032, abs=70e-6)
    assert (around.ticks[1] - around.ticks[0]) / TICK_HZ == pytest.approx(0.32, abs=70e-6)


def test_the_chip_sleeps_between_frames_and_draws_what_sleep_draws(chip: Chip) -> None:
    board = chip.board
    chip.send("lnn listen 300%")
    current = board.power.record(board.now)
    chip.listen(0.25)
    steps = current.take(board.now)
    board.power.stop(current)
    assert min(steps.values) == pytest.approx(3.16e-6)


@pytest.mark.parametrize(("command", "kind"), [("hard", "hardfault"), ("stack", "memmanage")])
def test_a_fault_is_told_at_once_and_again_after_a_reset(chip: Chip, command: str, kind: str) -> None:
    lines = chip.ask(f"lnn fault {command}")
    assert lines[0] == f"m-lnn-fault-{command}"
    told = re.fullmatch(rf"e-\[(fault {kind} pc=0x.*)\]", lines[-1])
    assert told is not None
    where = dict(re.findall(r"(\w+)=0x(\w{8})", told[1]))
    image = load_image(IMAGE)
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
