"""What the processor packages of this host drew, by Linux's powercap interface (Intel's RAPL).

A remark and no measurement of the DUT: it holds everything that ran on the host, memory and screen left out.
Root alone may read it on most systems; where it can't be read, there is no remark.
https://docs.kernel.org/power/powercap/powercap.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class PackageReading:
    """Counters of the packages at one moment: zone to (microjoules, at which it begins anew)."""

    zones: dict[str, tuple[int, int]]

    def joules_until(self, later: PackageReading) -> float | None:
        """Energy of all packages from here to `later`; None where there is no counter.

        A counter may have begun anew once in between: it lasts a minute or more at full power.
        """
        if not self.zones or self.zones.keys() != later.zones.keys():
            return None
        total = 0
        for zone, (start, limit) in self.zones.items():
            stop, _ = later.zones[zone]
            total += stop - start if stop >= start else stop - start + limit
        return total / 1e6


def read_packages(folder: Path = POWERCAP) -> PackageReading:
    """The packages' counters now; none where they can't be read."""
    zones = {}
    for zone in sorted(folder.glob("intel-rapl:*")):
        try:
            if (zone / "name").read_text("ascii").startswith("package-"):
                counter = int((zone / "energy_uj").read_text("ascii"))
                zones[zone.name] = (counter, int((zone / "max_energy_range_uj").read_text("ascii")))
        except (OSError, ValueError):
            continue
    return PackageReading(zones)


def package_remark(before: PackageReading, after: PackageReading, seconds: float) -> tuple[str, ...]:
    """The remark on a record, as notes have it; () where the host does not tell."""
    joules = before.joules_until(after)
    if joules is None:
        return ()
    return (
        f"the host's whole processor package drew {joules:.3g} J in the {seconds:.3g} s of the record (RAPL),"
        " for everything that ran on it: not the DUT's own energy, and not judged",
    )
