"""From an analyzer URI to an opened INA219 or INA228.

    ina219:/dev/i2c-1?shunt_ohm=10&range_mv=80
    ina228:/dev/i2c-1?address=0x41&shunt_ohm=1&conversion_us=4120

`smbus2` is imported here and only when one is opened. Other buses come from entry points in group
`pytest_lan_hil.i2c_buses`, named after a `+` (`ina219+virtual:nrf52840?shunt_ohm=10`): a callable
`(target: str, options: Mapping[str, str])` that returns an object with the methods `read_i2c_block_data`,
`write_i2c_block_data` and `close` of `smbus2.SMBus`. Beside its own options it is given `chip`, `address`,
`shunt_ohm` and `shunt_tolerance`. It may report `simulated`, `notes`, and a `clock` together with
`repeat(act)` (see `pace`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from pytest_lan_hil.instruments import ina219, ina228
from pytest_lan_hil.instruments.ina import Ina
from pytest_lan_hil.instruments.ina219 import Ina219
from pytest_lan_hil.instruments.ina228 import Ina228
from pytest_lan_hil.instruments.ina_bus import Registers
from pytest_lan_hil.instruments.ina_limits import LIMITS, Limits, Shunt, ShuntRange
from pytest_lan_hil.instruments.registry import AnalyzerUri
from pytest_lan_hil.model.capture import InstrumentIdentity
from pytest_lan_hil.model.errors import InputError, InstrumentError

BUSES = "pytest_lan_hil.i2c_buses"
_COMMON = ("address", "shunt_ohm", "shunt_tolerance", "range_mv", "max_current_a", "averaging")
_OPTIONS = {"ina219": (*_COMMON, "bits"), "ina228": (*_COMMON, "conversion_us")}
# What the bus needs to know as well: a simulated one has the chip and the shunt in it.
_TOLD = ("address", "shunt_ohm", "shunt_tolerance")
_ADDRESSES = range(0x40, 0x50)  # SBOS448G, table 1; SLYS021A, table 7-2
_TOLERANCE = "0.01"
# An average hides what was clipped from an INA219's reader (see `ina219`).
_AVERAGING = "1"


def open_ina(uri: AnalyzerUri, *, markers: Mapping[str, str], supply_v: float | None) -> Ina:
    """Open the INA219 or INA228 that a URI names.

    Args:
        uri: See the module. Options: `shunt_ohm` (required); `address` (0x40); `shunt_tolerance` (0.01);
            `range_mv`, or `max_current_a` from which the range is chosen, else the largest; `averaging`;
            `bits` (INA219, 9 to 12); `conversion_us` (INA228).
        markers: Must be empty: these chips have no marker inputs.
        supply_v: Nominal supply voltage, which the INA219's bus range is chosen by.

    Raises:
        InputError: The URI or the wiring can't be meant.
        InstrumentError: No such bus, no such device on it, or it fails.
    """
    if markers:
        raise InputError(
            f"marker line {min(markers)!r} is wired to the {LIMITS[uri.kind].model}, which has no inputs for"
            " marker lines",
            fix="let an edge source watch the marker lines: remove [markers] from the bench file, and add"
            ' edges = "gpiod:/dev/gpiochip0" with an [edge_lines] table',
        )
    settings = _settings(uri, supply_v)
    bus = _named_bus(uri, settings) if uri.driver else _real_bus(uri)
    try:
        where = uri.target if not uri.driver else f"{uri.driver} bus {uri.target}"
        registers = Registers(bus, settings.address, name=settings.limits.model, where=where)
        chip = _chip(settings, registers)
        chip.identify()
        identity = InstrumentIdentity(
            model=settings.limits.model,
            serial=f"{uri.target}@0x{settings.address:02x}",
            simulated=bool(getattr(bus, "simulated", False)),
            notes=(*settings.limits.notes, *getattr(bus, "notes", ())),
        )
    except BaseException:
        bus.close()
        raise
    return Ina(
        bus, chip, limits=settings.limits, shunt=settings.shunt, chosen=settings.chosen, identity=identity,
        release=bus.close,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Settings:
    """A URI's options, understood; `rest` are the bus's own."""

    kind: str
    limits: Limits
    address: int
    shunt: Shunt
    chosen: ShuntRange
    averaging: int
    bits: int
    conversion_us: int
    supply_v: float
    rest: Mapping[str, str]


def _settings(uri: AnalyzerUri, supply_v: float | None) -> _Settings:
    options = dict(uri.options)
    limits = LIMITS[uri.kind]
    rest = {name: value for name, value in options.items() if name not in _OPTIONS[uri.kind]}
    if rest and not uri.driver:
        raise InputError(
            f"analyzer {uri.text!r}: an {limits.model} has no option {min(rest)!r}",
            fix=f"options are: {', '.join(_OPTIONS[uri.kind])}",
        )
    if "shunt_ohm" not in options:
        raise InputError(
            f"analyzer {uri.text!r} does not say which shunt the {limits.model} measures across",
            fix="add ?shunt_ohm=0.1 (most modules: R100 is 0.1 ohm, R010 is 0.01 ohm), or what you soldered",
        )
    shunt = Shunt(
        _positive(uri, "shunt_ohm", options["shunt_ohm"]),
        _positive(uri, "shunt_tolerance", options.get("shunt_tolerance", _TOLERANCE)),
    )
    averages, times = (
        (ina219.AVERAGING, (0,)) if uri.kind == "ina219" else (ina228.AVERAGING, ina228.CONVERSION_US)
    )
    settings = _Settings(
        kind=uri.kind,
        limits=limits,
        address=_choice(uri, "address", options.get("address", "0x40"), tuple(_ADDRESSES)),
        shunt=shunt,
        chosen=_range(uri, limits, shunt, options),
        averaging=_choice(uri, "averaging", options.get("averaging", _AVERAGING), averages),
        bits=_choice(uri, "bits", options.get("bits", "12"), ina219.BITS),
        conversion_us=_choice(uri, "conversion_us", options.get("conversion_us", str(times[-1])), times),
        supply_v=supply_v or 0.0,
        rest=rest,
    )
    if settings.bits != 12 and settings.averaging != 1:
        raise InputError(
            f"analyzer {uri.text!r}: an INA219 averages conversions of 12 bits only",
            fix=f"write averaging=1 beside bits={settings.bits}, or leave bits out",
        )
    return settings


def _chip(settings: _Settings, registers: Registers) -> Ina219 | Ina228:
    if settings.kind == "ina219":
        return Ina219(
            registers, settings.shunt, settings.chosen, averaging=settings.averaging, bits=settings.bits,
            largest_bus_v=settings.supply_v,
        )  # fmt: skip
    return Ina228(
        registers, settings.shunt, settings.chosen, averaging=settings.averaging,
        conversion_us=settings.conversion_us,
    )  # fmt: skip


def _positive(uri: AnalyzerUri, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InputError(
            f"analyzer {uri.text!r}: {name}={text} is not a number above 0",
            fix=f"write for instance {name}=0.1",
        )
    return value


def _choice(uri: AnalyzerUri, name: str, text: str, choices: tuple[int, ...]) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if value not in choices:
        shown = [hex(one) if name == "address" else str(one) for one in choices]
        raise InputError(
            f"analyzer {uri.text!r}: {name}={text} can't be set", fix=f"use one of: {', '.join(shown)}"
        )
    return value


def _range(uri: AnalyzerUri, limits: Limits, shunt: Shunt, options: Mapping[str, str]) -> ShuntRange:
    """The range that is asked for, else the smallest for the largest current, else the largest."""
    known = ", ".join(f"{one.full_scale_v * 1e3:g}" for one in limits.ranges)
    if "range_mv" in options:
        asked_v = _positive(uri, "range_mv", options["range_mv"]) / 1e3
        # "40" means the 40.96 mV range as well.
        for one in limits.ranges:
            if abs(asked_v / one.full_scale_v - 1) < 0.03:
                return one
        raise InputError(
            f"analyzer {uri.text!r}: an {limits.model} has no range of {asked_v * 1e3:g} mV",
            fix=f"use one of: {known}",
        )
    if "max_current_a" not in options:
        return limits.ranges[-1]
    shunt_v = _positive(uri, "max_current_a", options["max_current_a"]) * shunt.ohm
    for one in limits.ranges:
        if shunt_v < one.full_scale_v:
            return one
    raise InputError(
        f"analyzer {uri.text!r}: {options['max_current_a']} A make {shunt_v:.3g} V on {shunt.ohm:g} ohm, more"
        f" than the {limits.model}'s largest range of {limits.ranges[-1]}",
        fix=f"use a shunt of at most {limits.ranges[-1].full_scale_v / shunt_v * shunt.ohm:.3g} ohm",
    )


def _real_bus(uri: AnalyzerUri) -> Any:
    if not uri.target:
        raise InputError(
            f"analyzer {uri.text!r} names no I2C bus", fix=f"write for instance {uri.kind}:/dev/i2c-1"
        )
    try:
        from smbus2 import SMBus
    except ImportError as error:
        raise InstrumentError(
            f"opening an {LIMITS[uri.kind].model}: the smbus2 package is not installed",
            fix='run `pip install "pytest-lan-hil[ina219]"`',
        ) from error
    try:
        return SMBus(uri.target)
    except FileNotFoundError as error:
        raise InstrumentError(
            f"opening I2C bus {uri.target}: there is no such bus",
            fix="switch I2C on (Raspberry Pi: `raspi-config`), load i2c-dev, and see `i2cdetect -l`",
        ) from error
    except PermissionError as error:
        raise InstrumentError(
            f"opening I2C bus {uri.target}: permission denied",
            fix="add yourself to the group that owns it: `sudo usermod -aG i2c $USER`, then log in again",
        ) from error
    except OSError as error:
        raise InstrumentError(
            f"opening I2C bus {uri.target}: {error.strerror or error}",
            fix="name an I2C bus: see `i2cdetect -l`",
        ) from error


def _named_bus(uri: AnalyzerUri, settings: _Settings) -> Any:
    found = {entry.name: entry for entry in entry_points(group=BUSES)}
    if uri.driver not in found:
        raise InputError(
            f"analyzer {uri.text!r}: there is no I2C bus {uri.driver!r}",
            fix=f"use one of: {', '.join(sorted(found)) or 'none installed'};"
            f" or write `{uri.kind}:/dev/i2c-1` for a real one",
        )
    told = {name: uri.options[name] for name in _TOLD if name in uri.options}
    try:
        return found[uri.driver].load()(uri.target, {**settings.rest, **told, "chip": uri.kind})
    except ImportError as error:
        raise InstrumentError(
            f"loading the I2C bus {uri.driver!r}: {error}",
            fix=f'run `pip install "pytest-lan-hil[{uri.driver}]"`',
        ) from error
