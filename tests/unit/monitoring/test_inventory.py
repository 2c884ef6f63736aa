"""The inventory: what a device may be, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lan_hil.model.errors import ConfigError, InputError
from pytest_lan_hil.run.monitor.inventory import given_devices, read_inventory

GOOD = """\
[[devices]]
id = "hall3-07"
board = "nrf52840"
site = 'hall "3"'
port = "/dev/serial/by-id/usb-SEGGER_1"

[[devices]]
id = "sim"
board = "nrf52840"
port = "virtual://nrf52840/uart0"
baudrate = 9600
work = "lnn listen 1000"
"""


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "devices.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_inventory(path)
    return str(error.value).replace(str(path), "devices.toml")


def test_devices_are_read_with_their_defaults(tmp_path: Path) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(GOOD, encoding="utf-8")
    first, second = read_inventory(path)
    assert (first.id, first.site, first.baudrate, first.work) == ("hall3-07", 'hall "3"', None, "")
    assert (second.site, second.baudrate, second.work) == ("field", 9600, "lnn listen 1000")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no device"),
        ("[[devices]\n", "is not valid TOML"),
        ("[[device]]\nid = 'a'\n", "devices.toml:1: [device] unknown key"),
        ("devices = 3\n", "devices.toml:1: [devices] devices is not a list of tables"),
        (GOOD.replace('port = "/dev/serial/by-id/usb-SEGGER_1"\n', ""), "devices.toml:1: [port] is missing"),
        (GOOD.replace("baudrate = 9600", 'baudrate = "9600"'), "devices.toml:11: [baudrate]"),
        (GOOD.replace("baudrate = 9600", "baudrate = 0"), "devices.toml:11: [baudrate] must be more than 0"),
        (GOOD.replace("baudrate = 9600", "boudrate = 9600"), 'did you mean "baudrate"?'),
        (GOOD.replace('"hall3-07"', '"hall 3/07"'), 'devices.toml:2: [id] "hall 3/07" can\'t be a name'),
        (GOOD.replace("/dev/serial", "dev/serial"), "devices.toml:5: [port]"),
        (GOOD.replace("nrf52840/uart0", "{virtual}/uart0"), "has a placeholder"),
        (GOOD.replace("lnn listen 1000", "lnn%listen"), "devices.toml:12: [work]"),
    ],
)
def test_what_a_device_can_not_be_is_told_with_line_and_fix(tmp_path: Path, text: str, told: str) -> None:
    said = refused(tmp_path, text)
    assert told in said
    assert "fix:" in said


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    said = refused(tmp_path, GOOD.replace('"hall3-07"', "7").replace("baudrate = 9600", "baudrate = -1"))
    assert "devices.toml:2: [id]" in said
    assert "devices.toml:11: [baudrate]" in said


def test_two_devices_with_one_id_are_refused_and_both_named(tmp_path: Path) -> None:
    said = refused(tmp_path, GOOD.replace('"sim"', '"hall3-07"'))
    assert (
        "devices.toml:7: two devices claim the id hall3-07: the one on /dev/serial/by-id/usb-SEGGER_1 and the"
        " one on virtual://nrf52840/uart0" in said
    )


def test_two_devices_on_one_port_are_refused_even_under_two_names_of_it(tmp_path: Path) -> None:
    real = tmp_path / "ttyACM0"
    real.touch()
    (tmp_path / "by-id").symlink_to(real)
    text = GOOD.replace("/dev/serial/by-id/usb-SEGGER_1", str(real))
    said = refused(tmp_path, text.replace("virtual://nrf52840/uart0", str(tmp_path / "by-id")))
    assert f"devices hall3-07 and sim claim the same port, {real.resolve()}" in said


def test_a_program_is_each_devices_own(tmp_path: Path) -> None:
    path = tmp_path / "devices.toml"
    text = GOOD.replace("/dev/serial/by-id/usb-SEGGER_1", "exec:./lan").replace(
        "virtual://nrf52840/uart0", "exec:./lan"
    )
    path.write_text(text, encoding="utf-8")
    assert [device.port for device in read_inventory(path)] == ["exec:./lan", "exec:./lan"]


def test_devices_of_the_command_line() -> None:
    (device,) = given_devices(["desk=serial:000683456789"], board="nrf52840", site="here")
    assert (device.id, device.port, device.site) == ("desk", "serial:000683456789", "here")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["/dev/ttyACM0"], "is not NAME=PORT"),
        (["=/dev/ttyACM0"], "[id]"),
        (["a=ttyACM0"], "[port]"),
        (["a=/dev/ttyACM0", "a=/dev/ttyACM1"], "two devices claim the id a"),
        (["a=/dev/ttyACM0", "b=/dev/ttyACM0"], "devices a and b claim the same port"),
    ],
)
def test_options_that_name_no_device_are_refused(given: list[str], told: str) -> None:
    with pytest.raises(InputError) as error:
        given_devices(given, board="nrf52840", site="field")
    assert told in str(error.value)
    assert error.value.fix


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        read_inventory(tmp_path / "none.toml")
