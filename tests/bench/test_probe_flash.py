"""Flashing through the probe on the virtual chip, whatever is in its flash or in the image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from intelhex import IntelHex

from pytest_lan_hil.dut.image import FirmwareImage, load_image
from pytest_lan_hil.dut.probe import Probe
from pytest_lan_hil.model.errors import BlockedError, ProbeError

# ldr r0, =COMP.TASKS_START; movs r1, #1; str r1, [r0]; b .
STOPS_THE_MODEL = bytes.fromhex("0148 0121 0160 fee7 00300140")
LOOPS = bytes.fromhex("fee7")


def image(path: Path, code: bytes, *, base: int = 0) -> FirmwareImage:
    """An image of a stack pointer, a reset vector and `code`."""
    data = (0x2000_1000).to_bytes(4, "little") + (base + 9).to_bytes(4, "little") + code
    file = IntelHex()
    file.puts(base, data)
    file.write_hex_file(str(path))
    return load_image(path)


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probe]:
    monkeypatch.setenv("LAN_HIL_VIRTUAL_STATE", str(tmp_path / "state"))
    with Probe.open("virtual:nrf52840", target="nrf52840") as opened:
        yield opened


def test_firmware_that_keeps_the_debugger_out_can_be_replaced(probe: Probe, tmp_path: Path) -> None:
    probe.flash(image(tmp_path / "stops.hex", STOPS_THE_MODEL))
    with pytest.raises(BlockedError, match=r"COMP\.TASKS_START"):
        probe.clock.sleep(0.01)
    with pytest.raises(ProbeError, match=r"COMP\.TASKS_START"):
        probe.reset()
    good = image(tmp_path / "good.hex", LOOPS)
    assert probe.flash(good).written
    assert probe.read_flash_sha256(good) == good.flash_sha256


def test_an_image_for_another_chip_is_told_from_a_broken_bench(probe: Probe, tmp_path: Path) -> None:
    with pytest.raises(
        ProbeError, match="0x08000000 are not in the flash of pyOCD target nrf52840"
    ) as caught:
        probe.flash(image(tmp_path / "stm.hex", LOOPS, base=0x0800_0000))
    assert caught.value.fix == "use the image that was linked for this board"
