"""What is attached to this machine, without opening anything that another process could be using.

USB ids: ST-Link from pyOCD's probe/stlink/usb.py, CMSIS-DAP from its udev/50-cmsis-dap.rules and
50-picoprobe.rules, Joulescope from Jetperch's 72-joulescope.rules, SEGGER by vendor.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

from pytest_lan_hil.dut.find import ProbeInfo, list_probes

_USB = {
    "1366": "SEGGER J-Link",
    "0d28:0204": "DAPLink",
    "2e8a:000c": "Raspberry Pi Debug Probe",
    "0483:3748": "ST-Link V2",
    "0483:374a": "ST-Link V2-1",
    "0483:374b": "ST-Link V2-1",
    "0483:3752": "ST-Link V2-1",
    "0483:374e": "ST-Link V3",
    "0483:374f": "ST-Link V3",
    "0483:3753": "ST-Link V3",
    "0483:3754": "ST-Link V3",
    "0483:3755": "ST-Link V3",
    "0483:3757": "ST-Link V3",
    "1915:c00a": "Nordic PPK2",
    "16d0:0e88": "Joulescope JS110",
    "16d0:10ba": "Joulescope JS220",
    "16d0:135a": "Joulescope JS320",
}


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial port.

    Attributes:
        device: "/dev/ttyACM0" or "COM3".
        by_id: Its stable name under /dev/serial/by-id, or "".
        usb: "vid:pid" in hex, or "" for a port that is not on USB.
        serial_number, description: As the device says.
        permitted: This user may open it.
        group: Group that may, where permissions are by group.
    """

    device: str
    by_id: str = ""
    usb: str = ""
    serial_number: str = ""
    description: str = ""
    permitted: bool = True
    group: str = ""

    @property
    def name(self) -> str:
        """What belongs into a bench file."""
        return self.by_id or self.device


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """A known probe or instrument on USB: "vid:pid", what it is, its device file, may we open it."""

    usb: str
    title: str
    file: str
    permitted: bool


@dataclass(frozen=True, slots=True)
class Attached:
    """All that is attached. `joulescopes` are serial numbers; None if the package to ask them is missing."""

    probes: tuple[ProbeInfo, ...] = ()
    ports: tuple[SerialPort, ...] = ()
    joulescopes: tuple[str, ...] | None = ()
    usb: tuple[UsbDevice, ...] = ()


def survey() -> Attached:
    """Look around."""
    return Attached(tuple(list_probes()), serial_ports(), joulescopes(), usb_devices())


def serial_ports(by_id: Path = Path("/dev/serial/by-id")) -> tuple[SerialPort, ...]:
    """The serial ports of this machine."""
    names = {os.path.realpath(link): str(link) for link in sorted(by_id.iterdir())} if by_id.is_dir() else {}
    return tuple(
        SerialPort(
            device=port.device,
            by_id=names.get(os.path.realpath(port.device), ""),
            usb=f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None else "",
            serial_number=port.serial_number or "",
            description="" if port.description == "n/a" else port.description,
            permitted=may_open(Path(port.device)),
            group=group_of(Path(port.device)),
        )
        for port in sorted(list_ports.comports())
    )


def joulescopes() -> tuple[str, ...] | None:
    """Serial numbers of the attached Joulescopes, or None where pyjoulescope_driver is not installed."""
    if importlib.util.find_spec("pyjoulescope_driver") is None:
        return None
    from pyjoulescope_driver import Driver

    driver = Driver()
    try:
        # Paths look like u/js220/002557.
        return tuple(path.rpartition("/")[2] for path in driver.device_paths())
    finally:
        driver.finalize()


def usb_devices(root: Path = Path("/sys/bus/usb/devices"), dev: Path = Path("/dev")) -> tuple[UsbDevice, ...]:
    """Probes and instruments that Linux sees on USB, whether or not this user may open them."""
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        try:
            vendor, product, bus, number = (
                (folder / name).read_text().strip() for name in ("idVendor", "idProduct", "busnum", "devnum")
            )
        except OSError:
            continue  # an interface, not a device
        title = _USB.get(f"{vendor}:{product}") or _USB.get(vendor)
        if title:
            file = dev / "bus" / "usb" / f"{int(bus):03}" / f"{int(number):03}"
            found.append(UsbDevice(f"{vendor}:{product}", title, str(file), may_open(file)))
    return tuple(found)


def may_open(file: Path) -> bool:
    """Whether this user may read and write a device file; True where there is none (Windows' COM3)."""
    return os.access(file, os.R_OK | os.W_OK) if file.exists() else True


def group_of(file: Path) -> str:
    """The group that a device file belongs to, or ""."""
    try:
        return file.group()
    except (OSError, KeyError, NotImplementedError):
        return ""
