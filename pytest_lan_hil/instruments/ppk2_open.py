"""Which PPK2, behind which port: from an analyzer URI to an opened instrument.

`ppk2_api` is imported here and in `ppk2_port`, and only when one is opened. Other ports than real ones come
from entry points in group `pytest_lan_hil.ppk2_ports`: a callable `(target: str, options: Mapping[str, str])`
that returns an object with `read`, `write`, `in_waiting`, `baudrate`, `port` and `close` of `serial.Serial`.
It may have `deliver_to(sink)`: from then on it calls `sink(data)` with what comes, until `deliver_to(None)`.

The seam: `PPK2_API(None)` makes a `serial.Serial` without opening anything, as pyserial does for a port None;
its public attribute `ser` is then given the port that was opened here. The package stays unpatched, a real
port is opened with our own checks and messages, and a virtual one needs neither a pty (whose reader would
have to poll in wall time) nor a subclass.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

import serial

from pytest_lan_hil.instruments.ppk2 import Ppk2
from pytest_lan_hil.instruments.ppk2_decode import FAMILIES
from pytest_lan_hil.instruments.ppk2_models import ACCURACY, INPUTS, NOTES, SUPPLY_MV
from pytest_lan_hil.instruments.ppk2_port import AttachedPpk2, attached, drain, open_serial
from pytest_lan_hil.instruments.ppk2_record import Setup
from pytest_lan_hil.instruments.registry import AnalyzerUri
from pytest_lan_hil.model.capture import InstrumentIdentity
from pytest_lan_hil.model.errors import InputError, InstrumentError

PORTS = "pytest_lan_hil.ppk2_ports"
_OPTIONS = ("mode", "supply_mv", "keep_on")
_METADATA_ATTEMPTS = 3


def open_ppk2(uri: AnalyzerUri, *, markers: Mapping[str, str], supply_v: float | None) -> Ppk2:
    """Open the PPK2 that a URI names, set its mode and voltage, and switch its output on.

    Args:
        uri: `ppk2:` or `ppk2:SERIAL` or `ppk2:/dev/ttyACM0`, or `ppk2+NAME:TARGET?…` for a port from entry
            point group `pytest_lan_hil.ppk2_ports`. Options: `mode=ampere` (default: the board has a supply
            of its own, in series with the PPK2) or `mode=source` (the PPK2 supplies it); `supply_mv`, the
            voltage that is set or assumed (default: the board's); `keep_on=1` leaves the output switched
            on at the end (a real one falls all the same once its port is closed).
        markers: Marker line to "d0" … "d7".
        supply_v: Nominal supply voltage of the board.

    Raises:
        InputError: No such option, port or input, or a voltage that a PPK2 can't supply.
        InstrumentError: None attached, several match, another program has it, or it does not answer.
    """
    options = dict(uri.options)
    mode, supply_mv, keep_on = _settings(uri, options, supply_v)
    bits = _bits(markers)
    port, number = _named_port(uri, options) if uri.driver else _real_port(uri, options)
    try:
        api = _api_on(port)
        version = _calibrate(api, port)
        (api.use_source_meter if mode == "source" else api.use_ampere_meter)()
        api.set_source_voltage(supply_mv)
        api.toggle_DUT_power("ON")
        drain(port)
    except BaseException:
        port.close()
        raise
    setup = Setup(
        instrument=InstrumentIdentity(
            model="Nordic PPK2",
            serial=number,
            version=version,
            simulated=bool(getattr(port, "simulated", False)),
            notes=tuple(dict.fromkeys((*NOTES, *getattr(port, "notes", ())))),
        ),
        accuracy=ACCURACY[mode],
        supply_v=supply_mv / 1000,
        supply_note=(
            f"the supply voltage is the {supply_mv / 1000:g} V that the PPK2 was set to, not measured"
            if mode == "source"
            else f"the supply voltage is taken to be {supply_mv / 1000:g} V; a PPK2 does not measure it"
        ),
        markers=bits,
    )
    return Ppk2(api, port, setup, let_go=(lambda: None) if keep_on else lambda: api.toggle_DUT_power("OFF"))


def _settings(uri: AnalyzerUri, options: dict[str, str], supply_v: float | None) -> tuple[str, int, bool]:
    """Mode, millivolts and whether the output stays on; takes these options out of `options`."""
    mode = options.pop("mode", "ampere")
    if mode not in ACCURACY:
        raise InputError(
            f"analyzer {uri.text!r}: a PPK2 has no mode {mode!r}", fix="write mode=source or ampere"
        )
    keep = options.pop("keep_on", "0")
    if keep not in ("0", "1"):
        raise InputError(
            f"analyzer {uri.text!r}: keep_on={keep} is not a choice", fix="write keep_on=1 or =0"
        )
    text = options.pop("supply_mv", "" if supply_v is None else str(round(supply_v * 1000)))
    low, high = SUPPLY_MV
    if not text:
        raise InputError(
            f"analyzer {uri.text!r}: neither the board nor the URI says the supply voltage",
            fix="add ?supply_mv=3000, or supply_v to the board file",
        )
    if not re.fullmatch(r"[0-9]+", text) or not low <= int(text) <= high:
        raise InputError(
            f"analyzer {uri.text!r}: a PPK2 can't supply or assume {text} mV",
            fix=f"write supply_mv={low} to {high}, in whole millivolts",
        )
    return mode, int(text), keep == "1"


def _bits(markers: Mapping[str, str]) -> dict[str, int]:
    taken: dict[str, str] = {}
    for marker, name in markers.items():
        if name not in INPUTS:
            raise InputError(
                f"marker line {marker!r} is wired to {name!r}, which a PPK2 does not have",
                fix=f"use one of: {', '.join(INPUTS)}",
            )
        if name in taken:
            raise InputError(
                f"marker lines {taken[name]!r} and {marker!r} are both wired to {name}",
                fix="give each its own input in the bench file's [markers]",
            )
        taken[name] = marker
    return {marker: INPUTS[name] for marker, name in markers.items()}


def _real_port(uri: AnalyzerUri, options: Mapping[str, str]) -> tuple[Any, str]:
    if options:
        raise InputError(
            f"analyzer {uri.text!r}: a PPK2 has no option {min(options)!r}",
            fix=f"options are: {', '.join(_OPTIONS)}",
        )
    try:
        found = attached()
    except ImportError as error:
        raise _absent() from error
    if uri.target.startswith(("/", "COM", "\\\\")):
        known = [one for one in found if one.device == uri.target]
        chosen = known[0] if known else AttachedPpk2(uri.target, uri.target)
    else:
        chosen = _choose(found, uri.target)
    return open_serial(chosen.device), chosen.serial or chosen.device


def _choose(found: tuple[AttachedPpk2, ...], wanted: str) -> AttachedPpk2:
    matching = [one for one in found if one.serial.lower().startswith(wanted.lower())]
    if len(matching) == 1:
        return matching[0]
    shown = ", ".join(map(str, found)) or "none"
    if matching:
        fix = f'name one of them: analyzer = "ppk2:{matching[0].serial or matching[0].device}"'
    else:
        fix = "check its USB cable and its power switch, then run `lan-hil doctor`"
    raise InstrumentError(
        f"want {f'PPK2 {wanted}' if wanted else 'exactly one PPK2'}, attached: {shown}", fix=fix
    )


def _named_port(uri: AnalyzerUri, options: Mapping[str, str]) -> tuple[Any, str]:
    found = {entry.name: entry for entry in entry_points(group=PORTS)}
    if uri.driver not in found:
        raise InputError(
            f"analyzer {uri.text!r}: there is no PPK2 port {uri.driver!r}",
            fix=f"use one of: {', '.join(sorted(found)) or 'none installed'};"
            " or write `ppk2:` for a real one",
        )
    try:
        open_port: Callable[[str, Mapping[str, str]], Any] = found[uri.driver].load()
        port = open_port(uri.target, options)
    except ImportError as error:
        raise InstrumentError(
            f"loading the PPK2 port {uri.driver!r}: {error}",
            fix=f'run `pip install "pytest-lan-hil[{uri.driver}]"`',
        ) from error
    return port, str(getattr(port, "serial", "") or uri.target)


def _api_on(port: Any) -> Any:
    try:
        from ppk2_api.ppk2_api import PPK2_API
    except ImportError as error:
        raise _absent() from error
    api = PPK2_API(None)
    api.ser = port
    return api


def _calibrate(api: Any, port: Any) -> str:
    """Read the device's calibration; returns the hardware version that it tells.

    The package takes a constant that did not arrive for a default, so each is unknown until it has.
    """
    known: dict[str, Any] = {family: dict.fromkeys("01234", math.nan) for family in FAMILIES}
    missing: list[str] = []
    for _ in range(_METADATA_ATTEMPTS):
        # A stream that an interrupted program left running would be taken for the answer.
        api.stop_measuring()
        drain(port)
        api.modifiers.update({family: dict(values) for family, values in known.items()})
        try:
            api.get_modifiers()
        except (UnicodeDecodeError, OSError, serial.SerialException):
            continue
        missing = [f"{f}{n}" for f in FAMILIES for n in "01234" if not math.isfinite(api.modifiers[f][n])]
        if not missing:
            return f"hardware {str(api.modifiers['HW']).strip()}" if api.modifiers["HW"] else ""
    found = f"without {', '.join(missing)}" if 0 < len(missing) < 5 * len(FAMILIES) else "none"
    raise InstrumentError(
        f"asking the PPK2 at {port.port} for its calibration: {found} after {_METADATA_ATTEMPTS} attempts",
        fix="check that this port is a PPK2's first one, update its firmware, and plug it in again",
    )


def _absent() -> InstrumentError:
    return InstrumentError(
        "opening a PPK2: the ppk2-api package is not installed",
        fix='run `pip install "pytest-lan-hil[ppk2]"`',
    )
