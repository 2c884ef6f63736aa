"""The devices in the field: a TOML file with a table `[[devices]]` for each, or options of the command line.

Two entries that claim one id, or one port, are refused with both named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pytest_lan_hil.config import uris
from pytest_lan_hil.config.fields import Name, nearest, wrong
from pytest_lan_hil.config.keylines import KeyPath, key_lines
from pytest_lan_hil.config.problems import bundle, explain
from pytest_lan_hil.dut import protocol
from pytest_lan_hil.dut.process import SCHEME
from pytest_lan_hil.model.errors import ConfigError, InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

FIELD = "field"
# Characters of a label, of up to four bytes each: Prometheus can be told to refuse a scrape for longer ones.
LABEL_MAX = 64
_EXAMPLE = '[[devices]] with  id = "hall3-07", board = "nrf52840", port = "/dev/serial/by-id/usb-..."'
_APART = "give each device an id and a port of its own"
_BY_SERIAL = "serial:"


class Device(BaseModel):
    """One device in the field."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    id: Name = Field(max_length=LABEL_MAX, examples=["hall3-07"])
    """Its name in every metric: label `device`."""
    board: Name = Field(examples=["nrf52840"])
    """The kind of board that it is: a board file's name."""
    site: str = Field(default=FIELD, min_length=1, max_length=LABEL_MAX, examples=["hall 3"])
    """Where it stands: label `bench`."""
    port: str = Field(examples=["/dev/serial/by-id/usb-SEGGER_J-Link_000683456789-if00"])
    """Its serial port: a device, `serial:NUMBER`, a pyserial URL, or `exec:PROGRAM`."""
    baudrate: int | None = Field(default=None, gt=0, examples=[115200])
    """Of its console; left out, the board's."""
    work: str = Field(default="", examples=["lnn listen 1000"])
    """A command that it is given before each reading, for a firmware that works only when it is told to."""

    @field_validator("port")
    @classmethod
    def _names_a_port(cls, port: str) -> str:
        if port.startswith(_BY_SERIAL) and len(port) > len(_BY_SERIAL):
            return port
        problem = uris.check("console", port)
        if problem is not None:
            raise wrong(*problem)
        if uris.PLACEHOLDER.search(port):
            raise wrong(f'"{port}" has a placeholder', "write the port itself: no bench fills it here")
        return port

    @field_validator("work")
    @classmethod
    def _can_be_sent(cls, work: str) -> str:
        try:
            if work:
                protocol.command(work)
        except InputError as error:
            raise wrong(error.problem, error.fix) from None
        return work

    @property
    def opened(self) -> str | None:
        """What its port comes down to on this machine now: the file behind links, else the URI.

        None for a program, which each device starts for itself.
        """
        if self.port.startswith(SCHEME):
            return None
        place = uris.device_of(self.port)
        return os.path.realpath(place) if place.startswith("/") else place


def read_inventory(path: Path) -> tuple[Device, ...]:
    """The devices of a file.

    Raises:
        ConfigError: It can't be read, is not TOML, holds what a device can't be, or one device twice.
    """
    text = _text(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}", path=path, fix=f"write {_EXAMPLE}") from None
    lines = key_lines(text)
    problems: list[ConfigError] = [
        ConfigError(
            f'unknown key "{key}"', path=path, line=lines.get((key,)), key=key,
            fix=f"did you mean [[devices]]? write {_EXAMPLE}" if nearest(key, ["devices"]) else "remove it",
        )
        for key in values if key != "devices"
    ]  # fmt: skip
    entries = values.get("devices", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(
            "devices is not a list of tables", path=path, line=lines.get(("devices",)), key="devices",
            fix=f"write {_EXAMPLE}",
        )  # fmt: skip
    if not entries and not problems:
        raise ConfigError("names no device", path=path, fix=f"add {_EXAMPLE}")
    found: list[tuple[Device, int | None]] = []
    for index, entry in enumerate(entries):
        device = _device(entry, path, _below(lines, ("devices", index)))
        if isinstance(device, Device):
            found.append((device, lines.get(("devices", index))))
        else:
            problems += [device]
    problems += [
        ConfigError(problem, path=path, line=line, fix=_APART) for problem, line in _claimed_twice(found)
    ]
    if problems:
        raise bundle([each for problem in problems for each in (problem, *problem.others)])
    return tuple(device for device, _ in found)


def given_devices(given: Sequence[str], *, board: str, site: str) -> tuple[Device, ...]:
    """The devices of `--device NAME=PORT` options.

    Raises:
        InputError: One is not NAME=PORT, or two claim one id or port.
    """
    found: list[tuple[Device, int | None]] = []
    for text in given:
        name, equals, port = text.partition("=")
        if not equals:
            raise InputError(
                f"--device {text!r} is not NAME=PORT", fix="write for example --device desk=/dev/ttyACM0"
            )
        device = _device({"id": name, "board": board, "site": site, "port": port}, Path("--device"), {})
        if not isinstance(device, Device):
            raise InputError(f"--device {text!r}: [{device.key}] {device.problem}", fix=device.fix)
        found.append((device, None))
    for problem, _ in _claimed_twice(found):
        raise InputError(f"--device: {problem}", fix=_APART)
    return tuple(device for device, _ in found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(
            f"the inventory can't be read: {why}", path=path, fix="name a TOML file: --inventory devices.toml"
        ) from None


def _device(entry: Mapping[str, Any], path: Path, lines: Mapping[KeyPath, int]) -> Device | ConfigError:
    try:
        return Device.model_validate(dict(entry))
    except ValidationError as invalid:
        return explain(invalid, Device, path, lines)


def _below(lines: Mapping[KeyPath, int], table: KeyPath) -> dict[KeyPath, int]:
    """Lines of the keys of one table; a key that it lacks is looked for at its head."""
    head = lines.get(table)
    found: dict[KeyPath, int] = {} if head is None else {(key,): head for key in Device.model_fields}
    return found | {key[len(table) :]: line for key, line in lines.items() if key[: len(table)] == table}


def _claimed_twice(found: Sequence[tuple[Device, int | None]]) -> list[tuple[str, int | None]]:
    """What to say of each device that claims the id or the port of one before it, and its line."""
    refused: list[tuple[str, int | None]] = []
    ids: dict[str, str] = {}
    ports: dict[str, str] = {}
    for device, line in found:
        opened = device.opened
        if device.id in ids:
            first = ids[device.id]
            refused.append(
                (
                    f"two devices claim the id {device.id}: the one on {first} and the one on {device.port}",
                    line,
                )
            )
        elif opened is not None and opened in ports:
            refused.append((f"devices {ports[opened]} and {device.id} claim the same port, {opened}", line))
        ids.setdefault(device.id, device.port)
        if opened is not None:
            ports.setdefault(opened, device.id)
    return refused
