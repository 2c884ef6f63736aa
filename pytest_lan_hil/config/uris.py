"""The grammar of device URIs in a bench file. Whether the device is there is the doctor's business.

probe      auto | kind:uid                            pyOCD's `-u` form: jlink:000683456789
console    device file | pyserial URL | exec:PROGRAM  /dev/serial/by-id/...  COM3  virtual://nrf52840/uart0
           | exec:{image}                             the board's own image, a program of this host
analyzer   kind[+driver]:[device][?key=value&...]     joulescope:002557  joulescope+virtual:x?gpi0=P0.13
edges      kind[+driver]:[device][?key=value&...]     gpiod:/dev/gpiochip0  markers:{scratch}/lan.markers
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# What a bench may take from the board, `pin.` followed by a marker line's name; and a folder of this
# user's own for what a running bench keeps.
PLACEHOLDERS = (
    "board",
    "target",
    "virtual",
    "supply_v",
    "baudrate",
    "image",
    "pin.<marker line>",
    "scratch",
)
#: Stays in a console's URI until an image is started: each image is another program.
IMAGE = "{image}"

_PROBE = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]*:\S+")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_PROGRAM = re.compile(r"exec:\S.*")
_DEVICE_FILE = re.compile(r"/\S+|COM[0-9]+|\\\\\.\\COM[0-9]+", re.IGNORECASE)
_INSTRUMENT = re.compile(
    r"(?P<kind>[a-z][a-z0-9_]*)(\+(?P<driver>[a-z][a-z0-9_]*))?:(?P<device>[^?\s]*)(\?(?P<query>\S+))?"
)

_ARTICLES = {
    "probe": "a probe",
    "console": "a console",
    "analyzer": "an analyzer",
    "edges": "an edge source",
}
_FORMS = {
    "probe": 'write "kind:uid", as in "jlink:000683456789" or "cmsisdap:0240000034544e45", or "auto"',
    "console": 'write a device such as "/dev/serial/by-id/usb-..." or "COM3", or a pyserial URL such as "socket://host:port"',
    "analyzer": 'write "kind:serial", as in "joulescope:002557" ("joulescope:" when only one is attached)',
    "edges": 'write "kind:device", as in "gpiod:/dev/gpiochip0"',
}


def check(role: str, uri: str) -> tuple[str, str] | None:
    """What is wrong with a URI, as (problem, fix), or None.

    Args:
        role: "probe", "console", "analyzer" or "edges".
        uri: Text from the bench file, placeholders not yet filled.
    """
    for name in PLACEHOLDER.findall(uri):
        if name not in PLACEHOLDERS and not re.fullmatch(r"pin\.[a-z][a-z0-9_]*", name):
            known = ", ".join("{" + known + "}" for known in PLACEHOLDERS)
            return f'"{{{name}}}" is not a placeholder', f"use one of {known}"
    plain = PLACEHOLDER.sub("x", uri)
    if "{" in plain or "}" in plain:
        return f'"{uri}" has an unpaired brace', 'placeholders are written "{virtual}"'
    if role == "probe":
        ok = plain == "auto" or _PROBE.fullmatch(plain) is not None
    elif role == "console":
        ok = any(form.fullmatch(plain) is not None for form in (_URL, _DEVICE_FILE, _PROGRAM))
    else:
        found = _INSTRUMENT.fullmatch(plain)
        ok = found is not None
        if found is not None and found["query"] is not None and not _is_query(found["query"]):
            return f'the options of "{uri}" can\'t be read', 'write them as "?key=value&key=value"'
    return None if ok else (f'"{uri}" does not name {_ARTICLES[role]}', _FORMS[role])


def same_device(uri: str | None, others: Mapping[str, str | None]) -> str | None:
    """The role among `others` whose URI names the same device as `uri`, or None.

    A probe and a console may be one piece of USB hardware; they collide only where they would open the same
    thing: the same URI, or the same device file.
    """
    for role, other in others.items():
        if uri is not None and other is not None and device_of(uri) == device_of(other):
            return role
    return None


def device_of(uri: str) -> str:
    """What would be opened: the device file that a URI names, else the URI itself."""
    file = re.search(r"(?:^|:)(/dev/[^?\s]+|(?i:COM)[0-9]+)", uri)
    if file is None:
        return uri
    return file[1] if file[1].startswith("/") else file[1].upper()


def drop_options(uri: str, missing: frozenset[str]) -> str:
    """Leave out the options of an instrument whose whole value is one of the missing placeholders."""
    head, mark, query = uri.partition("?")
    if not mark:
        return uri
    dropped = {"{" + name + "}" for name in missing}
    kept = [pair for pair in query.split("&") if pair.partition("=")[2] not in dropped]
    return head + (mark + "&".join(kept) if kept else "")


def _is_query(query: str) -> bool:
    pairs = parse_qsl(query, keep_blank_values=True)
    return len(pairs) == len(query.split("&")) and all(key and value for key, value in pairs)
