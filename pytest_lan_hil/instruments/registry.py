"""From a bench file's `analyzer` or `edges` URI to an opened instrument.

    joulescope:                        the one Joulescope that is attached
    joulescope:002557                  the one with this serial number
    joulescope+virtual:nrf52840?…      a Joulescope behind the driver that entry point `virtual` provides
    ina219:/dev/i2c-1?shunt_ohm=10     an INA219 (or ina228) on that I2C bus
    ppk2:                              the one Nordic PPK2 that is attached
    replay:FILE                        a recorded capture
    gpiod:/dev/gpiochip0               edges: GPIO lines of the host
    markers:FILE                       edges: marker lines of a program of the host

The word before the colon (up to a `+`) names the kind. Other packages add kinds with an entry point in group
`pytest_lan_hil.instruments`: its name is the kind, its object a callable
`(uri: AnalyzerUri, *, markers: Mapping[str, str], supply_v: float | None) -> PowerAnalyzer`; edge sources in
group `pytest_lan_hil.edge_sources`: `(uri: AnalyzerUri, *, lines: Mapping[str, str]) -> EdgeSource`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import parse_qsl

from pytest_lan_hil.instruments.base import EdgeSource, PowerAnalyzer
from pytest_lan_hil.model.errors import InputError

GROUP = "pytest_lan_hil.instruments"
EDGES_GROUP = "pytest_lan_hil.edge_sources"
# Group to kind to where its opener is; imported only when one is opened.
_SHIPPED = {
    GROUP: {
        "ina219": "pytest_lan_hil.instruments.ina_open:open_ina",
        "ina228": "pytest_lan_hil.instruments.ina_open:open_ina",
        "joulescope": "pytest_lan_hil.instruments.joulescope_open:open_joulescope",
        "ppk2": "pytest_lan_hil.instruments.ppk2_open:open_ppk2",
        "replay": "pytest_lan_hil.instruments.replay:open_replay",
    },
    EDGES_GROUP: {
        "gpiod": "pytest_lan_hil.instruments.gpiod_open:open_gpiod",
        "markers": "pytest_lan_hil.instruments.markers:open_markers",
    },
}


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


def parse_analyzer_uri(text: str, *, group: str = GROUP) -> AnalyzerUri:
    """Take the URI of an analyzer, or of another instrument, apart.

    Raises:
        InputError: There is no kind before a colon, or an option is not `name=value`.
    """
    scheme, colon, rest = text.partition(":")
    kind, _, driver = scheme.partition("+")
    if not colon or not kind:
        raise InputError(
            f"{_ROLES[group]} {text!r} is not of the form KIND:TARGET",
            fix=f'write for instance "joulescope:" or "joulescope:002557"; kinds: {_known(group)}',
        )
    target, _, query = rest.partition("?")
    try:
        options = dict(parse_qsl(query, strict_parsing=True, keep_blank_values=True)) if query else {}
    except ValueError as error:
        raise InputError(
            f"{_ROLES[group]} {text!r}: the part after `?` is not a list of options",
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
    analyzer: PowerAnalyzer = _opener(parsed, GROUP)(parsed, markers=markers, supply_v=supply_v)
    return analyzer


def open_edges(uri: str, *, lines: Mapping[str, str]) -> EdgeSource:
    """Open the edge source that a URI names.

    Args:
        uri: See the module.
        lines: Marker line name to the source's line that it is wired to ("inference" to "17").

    Raises:
        InputError: The URI or the wiring can't be meant.
        InstrumentError: The source is absent or fails.
    """
    parsed = parse_analyzer_uri(uri, group=EDGES_GROUP)
    source: EdgeSource = _opener(parsed, EDGES_GROUP)(parsed, lines=lines)
    return source


_ROLES = {GROUP: "analyzer", EDGES_GROUP: "edge source"}


def _opener(uri: AnalyzerUri, group: str) -> Callable[..., Any]:
    if uri.kind in _SHIPPED[group]:
        module, _, name = _SHIPPED[group][uri.kind].partition(":")
        shipped: Callable[..., Any] = getattr(import_module(module), name)
        return shipped
    for entry in entry_points(group=group):
        if entry.name == uri.kind:
            added: Callable[..., Any] = entry.load()
            return added
    raise InputError(
        f"{_ROLES[group]} {uri.text!r}: there is no instrument of kind {uri.kind!r}",
        fix=f"use one of: {_known(group)}; others come with packages that provide entry point group {group}",
    )


def _known(group: str) -> str:
    return ", ".join(sorted({*_SHIPPED[group], *(entry.name for entry in entry_points(group=group))}))
