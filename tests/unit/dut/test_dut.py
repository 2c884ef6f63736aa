"""The DUT behind a console and a probe: commands, identity, silence, stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dut_elf
import pytest
from fake_bench import Clock, Port, Probe

from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.image import FirmwareImage, load_image
from pytest_lan_hil.model.errors import (
    ConsoleError,
    DutFault,
    DutProtocolError,
    DutTimeout,
    IdentityError,
    ImageError,
)

BUILD = (
    b"BID1"
    + (1).to_bytes(2, "little")
    + (92).to_bytes(2, "little")
    + bytes(20)
    + bytes(32)
    + b"0.1".ljust(32, b"\0")
)


class Desk:
    """A DUT with its fake devices."""

    def __init__(self, console: Console, port: Port, probe: Probe) -> None:
        self.port, self.probe = port, probe
        anything: Any = probe
        self.dut = Dut(anything, console)


@pytest.fixture
def desk() -> Iterator[Desk]:
    port = Port(Clock(), simulated=False)
    anything: Any = port
    with Console(anything, "fake") as console:
        yield Desk(console, port, Probe("fake:1", port, []))


@pytest.fixture
def image(tmp_path: Path) -> FirmwareImage:
    path = tmp_path / "app.elf"
    path.write_bytes(dut_elf.firmware(build_id=BUILD).build())
    return load_image(path)


def test_infer_returns_what_the_dut_confirmed(desk: Desk) -> None:
    result = desk.dut.infer(3, warmups=2)
    assert (result.count, result.warmups, result.results) == (3, 2, (0.25, 0.75))


def test_work_is_kept_with_its_length_and_whether_it_was_back_to_back(desk: Desk) -> None:
    laps = ["m-lap-us-4294967000", "m-infer-start-5", "m-warmup-start-0", "m-lap-us-1704", "m-infer-done"]
    desk.port.answers["infer 5 0"] = lambda: [*laps, "m-results-[0.5]"]
    desk.port.answers["lnn pace 0"] = lambda: ["m-lnn-pace-[0]"]
    desk.dut.infer(5)
    desk.dut.set_pace(0)
    desk.dut.infer(5)
    desk.dut.run_for(0.5)
    desk.dut.reset()  # and the pace of the audio is back
    desk.dut.infer(5)
    paced, fast, listened, again = desk.dut.work
    assert (paced.inferences, paced.back_to_back) == (5, False)
    assert (fast.inferences, fast.seconds, fast.back_to_back) == (5, pytest.approx(0.002), True)
    assert (listened.inferences, listened.seconds) == (0, 0.5)
    assert not again.back_to_back


def test_counters_are_the_whole_numbers_of_the_status(desk: Desk) -> None:
    desk.port.answers["lnn status"] = lambda: ["m-lnn-status-[frames=7,temperature_mc=-250,mode=quiet]"]
    assert desk.dut.counters() == {"frames": 7, "temperature_mc": -250}


def test_firmware_without_counters_is_asked_once_and_another_one_anew(
    desk: Desk, image: FirmwareImage
) -> None:
    asked: list[str] = []
    desk.port.on_command = asked.append
    assert desk.dut.counters() is None
    assert desk.dut.counters() is None
    assert asked == ["lnn status"]
    desk.probe.flash(image)
    desk.dut.prove_identity(image)
    desk.port.answers["lnn status"] = lambda: ["m-lnn-status-[frames=7]"]
    assert desk.dut.counters() == {"frames": 7}


def test_an_error_of_the_dut_is_a_protocol_error_and_the_next_command_works(desk: Desk) -> None:
    with pytest.raises(DutProtocolError, match=r"'brew%' with an error: Unknown command: brew"):
        desk.dut.command("brew")
    assert desk.dut.name() == "lan fake"


def test_after_a_missed_answer_the_dut_is_brought_back_into_step(desk: Desk) -> None:
    """The answer that came too late is not taken for the next one's."""
    desk.dut.name()
    with pytest.raises(DutTimeout, match="within 1 s"):
        desk.dut.infer(100, timeout_s=1.0)
    assert desk.dut.name() == "lan fake"
    assert desk.dut.infer(1).count == 1


def test_a_restart_between_two_commands_is_told_with_the_next_one_and_once(desk: Desk) -> None:
    """A brown-out while nobody waits for an answer."""
    desk.dut.name()
    desk.dut.sleep(1)
    desk.port.say("m-init-done", "m-ready")
    with pytest.raises(DutFault, match=r"restarted by itself 1 s after its last answer, before .*'name%'"):
        desk.dut.name()
    assert desk.dut.name() == "lan fake"


def test_a_restart_on_the_way_to_the_first_command_is_told(desk: Desk) -> None:
    """A brown-out while the board is being prepared: it greets a second time."""
    desk.dut.reset()
    desk.port.say("m-init-done", "m-ready", at=desk.port.clock.now + 0.1)
    desk.dut.sleep(1)
    with pytest.raises(DutFault, match="restarted by itself"):
        desk.dut.name()


def test_a_restart_that_somebody_may_have_asked_for_is_none_by_itself(desk: Desk) -> None:
    def greet() -> None:
        desk.port.say("m-init-done", "m-ready", at=desk.port.clock.now + 0.1)
        desk.dut.sleep(1)

    desk.dut.name()
    with desk.dut.debug():
        desk.dut.sleep(0.1)
    greet()
    assert desk.dut.name() == "lan fake"
    desk.dut.console.write("reboot%")
    greet()
    assert desk.dut.name() == "lan fake"
    greet()
    desk.dut.reset()
    assert desk.dut.name() == "lan fake"


def hang(desk: Desk) -> float:
    """Seconds until 100 inferences of a DUT that says nothing more are given up."""
    desk.port.silent = True
    start = desk.port.clock.now
    with pytest.raises(DutTimeout):
        desk.dut.infer(100)
    return desk.port.clock.now - start


@pytest.mark.parametrize(
    ("pace_ms", "limit_s"),
    [
        (32, 5 + 100 * 4 * 0.032),
        (1, 5 + 100 * 0.1),  # an inference may well take longer than that pace
        (2_000, 5 + 100 * 4 * 2),
        (0, 5 + 100 * 1.0),  # nobody knows how long one takes
        (None, 5 + 100 * 1.0),
    ],
)
def test_a_dut_that_hangs_in_many_inferences_is_given_up_by_its_pace(
    desk: Desk, pace_ms: int | None, limit_s: float
) -> None:
    if pace_ms is not None:
        desk.port.answers["lnn pace"] = lambda: [f"m-lnn-pace-[{pace_ms}]"]
    desk.dut._ask_pace()
    assert hang(desk) == pytest.approx(limit_s, abs=0.1)


def test_the_pace_is_asked_for_where_there_are_many_inferences_and_once(desk: Desk) -> None:
    asked: list[str] = []
    desk.port.on_command = asked.append
    desk.dut.infer(9)
    desk.dut.infer(10)
    desk.dut.infer(10)
    assert asked == ["infer 9 0", "lnn pace", "infer 10 0", "infer 10 0"]
    asked.clear()
    desk.port.answers["lnn pace"] = lambda: ["m-lnn-pace-[32]"]
    desk.dut._paces = True
    desk.dut.infer(10, timeout_s=3)
    desk.dut.infer(10)
    desk.dut.infer(10)
    desk.dut.reset()
    desk.dut.infer(10)
    assert asked == ["infer 10 0", "lnn pace", *["infer 10 0"] * 2, "lnn pace", "infer 10 0"]


def test_flashing_stands_among_the_lines_of_the_console(desk: Desk, image: FirmwareImage) -> None:
    desk.dut.name()
    desk.dut.flash(image)
    desk.dut.name()
    said = [(line.direction, line.text) for line in desk.dut.console.lines if "m-" not in line.text]
    assert said == [(">", "name%"), ("#", f"flashing app.elf, sha256 {image.sha256[:12]}"), (">", "name%")]


@pytest.mark.parametrize(
    ("answered_before", "core", "error"),
    [
        (True, "sleeping", DutTimeout),
        (False, "sleeping", ConsoleError),  # wiring or baud rate: the bench
        (True, "hardfault", DutFault),
        (False, "lockup", DutFault),
    ],
)
def test_silence_is_explained_by_the_core(
    desk: Desk, answered_before: bool, core: str, error: type[Exception]
) -> None:
    if answered_before:
        desk.dut.name()
    desk.probe.core = core
    with pytest.raises(error, match=f"core is {core}"):
        desk.dut.command("die")


def test_firmware_that_falls_silent_on_wires_that_carried_another_is_at_fault(desk: Desk) -> None:
    """A new image that hangs before its first word is not a matter of wiring."""
    desk.port.say("m-ready")
    desk.probe.core = "running"
    with pytest.raises(DutTimeout, match="core is running"):
        desk.dut.command("die")


def test_a_reported_fault_ends_the_wait_and_names_the_function(desk: Desk, image: FirmwareImage) -> None:
    desk.dut.image = image
    start, _, name = image.functions[0]
    desk.probe.core = "hardfault"
    before = desk.dut.clock.monotonic()
    with pytest.raises(
        DutFault, match=rf"reports 'fault hardfault .*, raised in {name}\(\); the core is hard"
    ):
        desk.dut.command(f"crash pc=0x{start:08x}", timeout_s=100.0)
    assert desk.dut.clock.monotonic() - before < 1.0


def test_a_fault_that_the_firmware_got_over_does_not_end_the_wait(desk: Desk) -> None:
    with pytest.raises(DutProtocolError, match="'restart%' with an error: fault hardfault"):
        desk.dut.command("restart")
    assert desk.dut.name() == "lan fake"


def test_a_dut_that_restarts_in_the_middle_is_at_fault_and_goes_on(desk: Desk) -> None:
    desk.port.answers["lnn listen 2000"] = lambda: [
        "m-lnn-listen-start", "m-timestamp-mode-performance", "m-lap-us-1", "m-init-done",
    ]  # fmt: skip
    restarted = r"restarted while it worked on 'lnn listen 2000%'.*'m-lnn-listen-start', .*'m-init-done'"
    with pytest.raises(DutFault, match=restarted):
        desk.dut.run_for(2.0)
    assert desk.dut.name() == "lan fake"
    desk.dut.reset()  # greets as well, and that is no fault


def test_identity_is_proved_by_flash_and_console(desk: Desk, image: FirmwareImage) -> None:
    desk.probe.flash(image)
    assert desk.dut.prove_identity(image) == image.build_id


def test_other_bytes_in_flash_are_no_proof(desk: Desk, image: FirmwareImage) -> None:
    with pytest.raises(IdentityError, match=r"does not hold .*app.elf: its bytes hash to 0000"):
        desk.dut.prove_identity(image)


def test_another_firmware_on_the_console_is_no_proof(desk: Desk, image: FirmwareImage) -> None:
    desk.probe.flash(image)
    desk.port.build = "git=ff,image=ff,version=9"
    with pytest.raises(IdentityError, match="it says git=ff,image=ff,version=9") as caught:
        desk.dut.prove_identity(image)
    assert "belong to the same board" in caught.value.fix


def test_an_image_without_identity_is_proved_by_flash_alone(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "plain.elf"
    path.write_bytes(dut_elf.firmware().build())
    plain = load_image(path)
    desk.probe.flash(plain)
    assert desk.dut.prove_identity(plain) == ""


def test_stack_high_water_counts_from_the_first_word_that_was_painted_over(
    desk: Desk, image: FirmwareImage
) -> None:
    with pytest.raises(ImageError, match="no image was flashed"):
        desk.dut.stack_high_water()
    desk.dut.image = image
    assert desk.dut.stack_high_water() == 1024
    use = desk.dut.memory_use()
    assert (use.static, use.stack.used, use.heap.used) == (64, 1024, 0)


def test_the_stack_of_a_core_that_is_in_a_fault_says_nothing(desk: Desk, image: FirmwareImage) -> None:
    desk.dut.image = image
    desk.probe.core = "memmanage"
    with pytest.raises(DutFault, match="measuring the memory: the core is memmanage"):
        desk.dut.memory_use()


def test_a_bench_without_console_says_what_to_add(desk: Desk) -> None:
    anything: Any = desk.probe
    mute = Dut(anything, None)
    mute.reset()
    with pytest.raises(ConsoleError, match="this bench has no console") as caught:
        mute.name()
    assert "console = " in caught.value.fix
