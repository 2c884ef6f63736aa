"""Which Joulescope, behind which driver: from an analyzer URI to an opened instrument.

`joulescope` is imported here and only when one is opened. A driver is an object with the methods of
`pyjoulescope_driver.Driver` and a `finalize`; others than the real one come from entry points in group
`pytest_lan_hil.joulescope_drivers`: a callable `(target: str, options: Mapping[str, str])` that returns it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from pytest_lan_hil.instruments.joulescope import Joulescope
from pytest_lan_hil.instruments.joulescope_models import ACCURACY, INPUTS
from pytest_lan_hil.instruments.registry import AnalyzerUri
from pytest_lan_hil.model.errors import InputError, InstrumentError

DRIVERS = "pytest_lan_hil.joulescope_drivers"


def open_joulescope(uri: AnalyzerUri, *, markers: Mapping[str, str], supply_v: float | None) -> Joulescope:
    """Open the Joulescope that a URI names.

    Args:
        uri: `joulescope:SERIAL` or `joulescope:`, or `joulescope+NAME:TARGET?…` for a driver from entry point
            group `pytest_lan_hil.joulescope_drivers`. Options `i_range` and `v_range` fix a range.
        markers: Marker line to "gpi0" … "gpi3" or "trigger" (JS110: "gpi0", "gpi1").
        supply_v: Not needed: this instrument measures the voltage.

    Raises:
        InputError: No such driver, or a marker line wired to an input that does not exist or is taken.
        InstrumentError: None attached, several match, or it can't be opened.
    """
    del supply_v
    options = dict(uri.options)
    ranges = {"current_range": options.pop("i_range", "auto"), "voltage_range": options.pop("v_range", "15V")}
    driver, release = _named_driver(uri, options) if uri.driver else _real_driver(uri, options)
    analyzer = None
    try:
        path = _choose(driver, "" if uri.driver else uri.target)
        _check_inputs(path.split("/")[1].lower(), markers)
        device = _device(driver, path)
        analyzer = Joulescope(driver, device, path, markers=markers, release=release)
        analyzer.open_device()
        analyzer.configure(**ranges)
    except BaseException:
        if analyzer is not None:
            analyzer.close()
        else:
            release()
        raise
    return analyzer


def _real_driver(uri: AnalyzerUri, options: Mapping[str, str]) -> tuple[Any, Callable[[], None]]:
    if options:
        raise InputError(
            f"analyzer {uri.text!r}: a Joulescope has no option {min(options)!r}",
            fix="options are: i_range, v_range",
        )
    try:
        from joulescope.v1.driver import DriverWrapper

        # One per process, shared and finalized at exit by the package itself.
        return DriverWrapper().driver, lambda: None
    except ImportError as error:
        raise _absent() from error
    except RuntimeError as error:
        raise InstrumentError(
            f"starting the Joulescope driver: {error}", fix="reinstall pyjoulescope_driver, then try again"
        ) from error


def _named_driver(uri: AnalyzerUri, options: Mapping[str, str]) -> tuple[Any, Callable[[], None]]:
    found = {entry.name: entry for entry in entry_points(group=DRIVERS)}
    if uri.driver not in found:
        raise InputError(
            f"analyzer {uri.text!r}: there is no Joulescope driver {uri.driver!r}",
            fix=f"use one of: {', '.join(sorted(found)) or 'none installed'};"
            " or write `joulescope:` for a real one",
        )
    try:
        driver = found[uri.driver].load()(uri.target, options)
    except ImportError as error:
        raise InstrumentError(
            f"loading the Joulescope driver {uri.driver!r}: {error}",
            fix=f'run `pip install "pytest-lan-hil[{uri.driver}]"`',
        ) from error
    return driver, driver.finalize


def _device(driver: Any, path: str) -> Any:
    """The package's object for a device: `DeviceJs220` of `joulescope.v1.js220`, and so on."""
    model = path.split("/")[1].lower()
    try:
        module = import_module(f"joulescope.v1.{model}")
    except ModuleNotFoundError as error:
        if error.name == f"joulescope.v1.{model}":
            raise InstrumentError(
                f"opening {_name(path)}: the installed joulescope package does not know the {model.upper()}",
                fix="run `pip install -U joulescope pyjoulescope_driver`; newer ones need a newer Python",
            ) from error
        raise _absent() from error
    except ImportError as error:
        raise _absent() from error
    return getattr(module, f"Device{model.capitalize()}")(driver, path)


def _absent() -> InstrumentError:
    return InstrumentError(
        "opening a Joulescope: the joulescope package is not installed",
        fix='run `pip install "pytest-lan-hil[joulescope]"`',
    )


def _choose(driver: Any, wanted: str) -> str:
    """The path of the one device that is meant ("", "2557", "002557" or "JS220-002557")."""
    try:
        attached: list[str] = sorted(driver.device_paths())
    except (RuntimeError, TimeoutError) as error:
        raise InstrumentError(
            f"listing the Joulescopes that are attached: {error}", fix="plug them in again, then try again"
        ) from error
    known = [path for path in attached if path.split("/")[1].lower() in ACCURACY]
    model, _, serial = wanted.lower().rpartition("-")
    matching = [path for path in known if not wanted or _is_meant(path, model, serial)]
    if len(matching) == 1:
        return matching[0]
    shown = ", ".join(map(_name, attached)) or "none"
    want = f"Joulescope {wanted}" if wanted else "exactly one Joulescope"
    if matching:
        fix = f'name one of them: analyzer = "joulescope:{_name(matching[0])}"'
    else:
        fix = "check the USB cable and the permissions (udev rules) of the device, then run `lan-hil doctor`"
    raise InstrumentError(
        f"want {want} ({' or '.join(map(str.upper, ACCURACY))}), attached: {shown}", fix=fix
    )


def _is_meant(path: str, model: str, serial: str) -> bool:
    """True for the device `serial`, with or without leading zeros, of `model` if that is not empty."""
    own_model, own_serial = path.lower().split("/")[1:]
    return own_serial.lstrip("0") == serial.lstrip("0") and model in ("", own_model)


def _name(path: str) -> str:
    """As it is printed on the device: "JS220-002557" for `u/js220/002557`."""
    model, serial = path.split("/")[1:]
    return f"{model}-{serial}".upper()


def _check_inputs(model: str, markers: Mapping[str, str]) -> None:
    taken: dict[str, str] = {}
    for marker, name in markers.items():
        if name not in INPUTS[model]:
            raise InputError(
                f"marker line {marker!r} is wired to {name!r}, which a {model.upper()} does not have",
                fix=f"use one of: {', '.join(INPUTS[model])}",
            )
        if name in taken:
            raise InputError(
                f"marker lines {taken[name]!r} and {marker!r} are both wired to {name}",
                fix="give each its own input in the bench file's [markers]",
            )
        taken[name] = marker
