"""Which debug probes are attached, and which one a URI means. Uses pyOCD's probe plugins; opens no session.

pyOCD's own chooser waits for a probe to appear and takes partial ids; neither is wanted here (a missing probe
must be reported in seconds, and two that match must never be chosen between).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from pytest_lan_hil.model.errors import ProbeError

AUTO = "auto"

_LOG = logging.getLogger(__name__)
# Network probes are found by name only.
_NOT_LISTED = frozenset({"remote"})
# Drivers that pyOCD hides until something else is installed (pyocd/probe/jlink_probe.py: the maker's DLL).
_DRIVER_FIXES = {
    "virtual": "install pytest-lan-hil[virtual]",
    "jlink": "install SEGGER's J-Link software: pyOCD drives these probes through its library",
}


@dataclass(frozen=True, slots=True)
class ProbeInfo:
    """An attached probe: "kind:uid", unique id, what it says it is, whether it is simulated."""

    uri: str
    uid: str
    description: str
    simulated: bool

    @property
    def label(self) -> str:
        """What it is, labelled if it is simulated and does not say so itself."""
        labelled = not self.simulated or "simulated" in self.description
        return self.description if labelled else f"{self.description} (simulated)"

    def __str__(self) -> str:
        return f"{self.uri} ({self.description})"


def list_probes() -> list[ProbeInfo]:
    """Every probe that is attached now, simulated ones included."""
    return [info for _, info in _attached(None)]


def simulated_kind(uri: str) -> bool:
    """True if the URI's kind of probe is simulated, as its pyOCD driver says; nothing is opened or listed."""
    kind = uri.partition(":")[0].lower()
    return any(
        bool(getattr(driver, "simulated", False))
        for name, driver in _plugins().items()
        if name.lower() == kind
    )


def find_probe(uri: str) -> tuple[Any, ProbeInfo]:
    """The pyOCD probe object that `uri` means.

    Raises:
        ProbeError: None, or more than one; lists what is attached.
    """
    if uri == AUTO:
        # A simulated probe is never taken unasked: silent simulation is forbidden.
        found = [entry for entry in _attached(None) if not entry[1].simulated]
        if len(found) != 1:
            raise _not_one("the one debug probe that is attached", found, list_probes())
        return found[0]
    kind, colon, uid = uri.partition(":")
    kinds = _plugins()
    if not colon or not uid:
        raise ProbeError(
            f"{uri!r} does not name a probe", fix='write "kind:uid" as in `pyocd list`, or "auto"'
        )
    if kind.lower() not in {name.lower() for name in kinds}:
        fix = _DRIVER_FIXES.get(kind.lower(), f"use one of {', '.join(sorted(kinds))}")
        raise ProbeError(f"want probe {uri}: pyOCD has no probe driver {kind!r}", fix=fix)
    found = [entry for entry in _attached(kind) if entry[1].uid.lower() == uid.lower()]
    if len(found) != 1:
        raise _not_one(f"probe {uri}", found, list_probes())
    return found[0]


def _not_one(wanted: str, found: list[tuple[Any, ProbeInfo]], attached: list[ProbeInfo]) -> ProbeError:
    listed = ", ".join(str(info) for info in attached) or "none"
    if not found:
        return ProbeError(
            f"want {wanted}: not there; attached: {listed}",
            fix="plug it in, or correct `probe` in the bench file",
        )
    matching = ", ".join(str(info) for _, info in found)
    return ProbeError(
        f"want {wanted}: {len(found)} match: {matching}",
        fix="name one probe by its unique id, or unplug the others",
    )


def _plugins() -> dict[str, Any]:
    from pyocd.probe.aggregator import PROBE_CLASSES

    classes: dict[str, Any] = PROBE_CLASSES
    return classes


def _attached(kind: str | None) -> list[tuple[Any, ProbeInfo]]:
    """pyOCD's probe objects, of one kind or of all."""
    entries = []
    for name, driver in _plugins().items():
        if name in _NOT_LISTED if kind is None else name.lower() != kind.lower():
            continue
        try:
            handles = driver.get_all_connected_probes(None, kind is not None)
            entries += [(handle, _info(name, handle)) for handle in handles]
        except Exception as error:  # one driver that can't list must not hide the others' probes
            _LOG.warning("pyOCD's driver %s can't list its probes: %s", name, error)
    return entries


def _info(kind: str, handle: Any) -> ProbeInfo:
    return ProbeInfo(
        uri=f"{kind}:{handle.unique_id}",
        uid=handle.unique_id,
        description=handle.description,
        simulated=bool(getattr(handle, "simulated", False)),
    )
