"""What is attached, as Linux and pyserial show it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_lan_hil.run import survey
from pytest_lan_hil.run.survey import serial_ports, usb_devices


def _device(root: Path, name: str, **files: str) -> None:
    (root / name).mkdir()
    for file, text in files.items():
        (root / name / file).write_text(text + "\n")


def test_known_probes_and_instruments_on_usb(tmp_path: Path) -> None:
    _device(tmp_path, "1-1", idVendor="1366", idProduct="1015", busnum="1", devnum="4")
    _device(tmp_path, "1-2", idVendor="16d0", idProduct="10ba", busnum="1", devnum="12")
    _device(tmp_path, "1-3", idVendor="046d", idProduct="c31c", busnum="1", devnum="5")  # a keyboard
    _device(tmp_path, "1-1:1.0", bInterfaceClass="ff")  # an interface
    found = usb_devices(tmp_path, tmp_path / "dev")
    assert [(device.title, device.file) for device in found] == [
        ("SEGGER J-Link", str(tmp_path / "dev/bus/usb/001/004")),
        ("Joulescope JS220", str(tmp_path / "dev/bus/usb/001/012")),
    ]


def test_a_machine_without_usb_has_none(tmp_path: Path) -> None:
    assert usb_devices(tmp_path / "nosuch") == ()


def test_serial_ports_have_their_lasting_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ttyACM0").touch()
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-SEGGER-if00").symlink_to(tmp_path / "ttyACM0")
    ports = [
        SimpleNamespace(
            device=str(tmp_path / "ttyACM0"), vid=0x1366, pid=0x1015, serial_number="1", description="J-Link"
        ),
    ]
    monkeypatch.setattr(survey.list_ports, "comports", lambda: ports)
    (port,) = serial_ports(by_id)
    assert port.name == str(by_id / "usb-SEGGER-if00")
    assert (port.usb, port.serial_number, port.description) == ("1366:1015", "1", "J-Link")
    assert port.permitted
