"""Opening serial ports by the URI that a bench file names, through pyserial.

`/dev/ttyACM0`, `COM3`, `serial:<serial number or by-id name>`, and every pyserial URL (`virtual://`,
`loop://`, `rfc2217://`, ...). Protocols of other packages join through the entry-point group
`pytest_lan_hil.serial_protocols`. `?dtr=off&rts=off` after any of them sets the modem lines that the port is
opened with. `exec:./program argument` is a program of this host, see `process`.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from urllib.parse import parse_qsl, urlencode

import serial
from serial.tools import list_ports

from pytest_lan_hil.dut import process
from pytest_lan_hil.model.errors import ConsoleError

PROTOCOL_GROUP = "pytest_lan_hil.serial_protocols"
WAIT_SLICE_S = 0.05
"""Longest time that one blocking read waits; bounds how late a time limit or a closing port is noticed."""

_LEVELS = {"on": True, "1": True, "off": False, "0": False}


def register_protocols() -> None:
    """Make the serial protocols of the entry-point group known to pyserial (once)."""
    for point in entry_points(group=PROTOCOL_GROUP):
        if point.value not in serial.protocol_handler_packages:
            serial.protocol_handler_packages.append(point.value)


def open_port(uri: str, *, baudrate: int) -> serial.SerialBase:
    """Open the port, DTR and RTS already set, reads waiting at most `WAIT_SLICE_S`.

    Both lines are asserted unless the URI says otherwise: that is what the operating system does at open
    anyway, so that no line toggles a second time and resets the board, and CDC devices send only while DTR is
    on.

    Raises:
        ConsoleError: No such port, not permitted, busy; lists the ports that exist. Or a program that can't
            be started.
        InputError: `exec:` names no program.
    """
    if uri.startswith(process.SCHEME):
        return process.open_process(uri, baudrate=baudrate, timeout=WAIT_SLICE_S)
    register_protocols()
    device, dtr, rts = _split_lines(uri)
    try:
        port = serial.serial_for_url(
            _by_id(device), do_not_open=True, baudrate=baudrate, timeout=WAIT_SLICE_S, write_timeout=5.0
        )
        port.dtr = dtr
        port.rts = rts
        port.open()
    except (OSError, ValueError, serial.SerialException) as error:
        raise _cannot_open(uri, baudrate, error) from error
    return port


def existing_ports() -> list[str]:
    """Serial ports that this machine has, with what they say they are."""
    return [
        f"{port.device} ({port.description})" if port.description not in ("", "n/a") else port.device
        for port in sorted(list_ports.comports())
    ]


def _cannot_open(uri: str, baudrate: int, error: Exception) -> ConsoleError:
    ports = ", ".join(existing_ports()) or "none"
    cause = str(error) or type(error).__name__
    if "permission" in cause.lower():
        fix = "give your user access to serial ports (Debian: group dialout), or close whoever holds it"
    elif uri.startswith("virtual:"):
        fix = "write virtual://<board>/uart0, and install pytest-lan-hil[virtual]"
    else:
        fix = "plug the board in, or correct `console` in the bench file"
    return ConsoleError(
        f"can't open console {uri} at {baudrate} baud: {cause}; serial ports of this machine: {ports}",
        fix=fix,
    )


def _split_lines(uri: str) -> tuple[str, bool, bool]:
    """The URI without `dtr` and `rts`, and their levels."""
    head, mark, query = uri.partition("?")
    if not mark:
        return uri, True, True
    levels = {"dtr": True, "rts": True}
    rest = []
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in levels:
            rest.append((key, value))
            continue
        if value.lower() not in _LEVELS:
            raise ConsoleError(
                f"console {uri}: {key}={value} is not a level", fix=f"write {key}=on or {key}=off"
            )
        levels[key] = _LEVELS[value.lower()]
    return head + (f"?{urlencode(rest)}" if rest else ""), levels["dtr"], levels["rts"]


def _by_id(device: str) -> str:
    """The device file behind `serial:<id>`; anything else unchanged.

    Raises:
        ConsoleError: No port or several ports have this serial number or by-id name.
    """
    if not device.startswith("serial:"):
        return device
    wanted = device.removeprefix("serial:")
    if wanted.startswith("/"):
        return wanted
    found = {port.device for port in list_ports.comports() if wanted and port.serial_number == wanted}
    # include_links (Linux): the names under /dev/serial/by-id and the like that udev made.
    found |= {
        port.device for port in list_ports.comports(include_links=True) if port.device.endswith("/" + wanted)
    }
    if len(found) != 1:
        what = "no serial port" if not found else f"{len(found)} serial ports ({', '.join(sorted(found))})"
        raise ConsoleError(
            f"console {device}: {what} with this serial number or by-id name; "
            f"serial ports of this machine: {', '.join(existing_ports()) or 'none'}",
            fix="name the device file instead, such as /dev/serial/by-id/usb-...-if02",
        )
    return found.pop()
