"""From a bench file's `analyzer` URI to an opened instrument.

    joulescope:                        the one Joulescope that is attached
    joulescope:002557                  the one with this serial number
    joulescope+virtual:nrf52840?…      a Joulescope behind the driver that entry point `virtual` provides

The word before the colon (up to a `+`) names the kind. Other packages add kinds with an entry point in group
`pytest_lan_hil.instruments`: its name is the kind, its object a callable
`(uri: AnalyzerUri, *, markers: Mapping[str, str], supply_v: float | None) -> PowerAnalyzer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from urllib.parse import parse_qsl

from pytest_lan_hil.instruments.base import PowerAnalyzer
from pytest_lan_hil.model.errors import InputError

GROUP = "pytest_lan_hil.instruments"
_SHIPPED = {"joulescope": ("pytest_lan_hil.instruments.joulescope_open", "open_joulescope")}


@dataclass(frozen=True, slots=True)
class AnalyzerUri:
    """An analyzer URI in parts: `kind[+driver]:target[?option=value&…]`.

    Attributes:
        text: As written.
        kind: Which instrument.
        driver: Name of the driver behind it, "" for the real one.
        target: Serial number, port or file; may be empty.
        options: The rest.
    """

    text: str
    kind: str
    driver: str
    target: str
    options: Mapping[str, str]


def parse_analyzer_uri(text: str) -> AnalyzerUri:
    """Take an analyzer URI apart.

    Raises:
        InputError: There is no kind before a colon, or an option is not `name=value`.
    """
    scheme, colon, rest = text.partition(":")
    kind, _, driver = scheme.partition("+")
    if not colon or not kind:
        raise InputError(
            f"analyzer {text!r} is not of the form KIND:TARGET",
            fix=f'write for instance "joulescope:" or "joulescope:002557"; kinds: {_known()}',
        )
    target, _, query = rest.partition("?")
    try:
        options = dict(parse_qsl(query, strict_parsing=True, keep_blank_values=True)) if query else {}
    except ValueError as error:
        raise InputError(
            f"analyzer {text!r}: the part after `?` is not a list of options",
            fix="write ?name=value&name=value",
        ) from error
    return AnalyzerUri(text, kind, driver, target, options)


def open_analyzer(uri: str, *, markers: Mapping[str, str], supply_v: float | None = None) -> PowerAnalyzer:
    """Open the power analyzer that a URI names.

    Args:
        uri: See the module.
        markers: Marker line name to the instrument's input that it is wired to ("inference" to "gpi0").
        supply_v: Nominal supply voltage of the board, for instruments that choose a range by it or that
            can't measure voltage.

    Raises:
        InputError: The URI or the wiring can't be meant; says which kinds or inputs exist.
        InstrumentError: The instrument is absent, ambiguous or fails.
    """
    parsed = parse_analyzer_uri(uri)
    return _opener(parsed)(parsed, markers=markers, supply_v=supply_v)


def _opener(uri: AnalyzerUri) -> Callable[..., PowerAnalyzer]:
    if uri.kind in _SHIPPED:
        module, name = _SHIPPED[uri.kind]
        shipped: Callable[..., PowerAnalyzer] = getattr(import_module(module), name)
        return shipped
    for entry in entry_points(group=GROUP):
        if entry.name == uri.kind:
            added: Callable[..., PowerAnalyzer] = entry.load()
            return added
    raise InputError(
        f"analyzer {uri.text!r}: there is no instrument of kind {uri.kind!r}",
        fix=f"use one of: {_known()}; others come with packages that provide entry point group {GROUP}",
    )


def _known() -> str:
    return ", ".join(sorted({*_SHIPPED, *(entry.name for entry in entry_points(group=GROUP))}))
