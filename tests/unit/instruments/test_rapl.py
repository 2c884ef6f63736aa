"""The host's processor packages: a remark on a record, and never more."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lan_hil.instruments import markers
from pytest_lan_hil.instruments.markers import MarkerRing, MarkersSource
from pytest_lan_hil.instruments.rapl import PackageReading, package_remark, read_packages


def zone(folder: Path, number: str, name: str, energy: int, limit: int = 262143328850) -> None:
    path = folder / f"intel-rapl:{number}"
    path.mkdir(exist_ok=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{energy}\n")
    (path / "max_energy_range_uj").write_text(f"{limit}\n")


def test_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    for energy in (1_000_000, 4_000_000):
        zone(tmp_path, "0", "package-0", energy)
        zone(tmp_path, "1", "package-1", 2 * energy)
        zone(tmp_path, "0:0", "core", 7 * energy)
        if energy == 1_000_000:
            before = read_packages(tmp_path)
    assert before.joules_until(read_packages(tmp_path)) == pytest.approx(9.0)


def test_a_counter_that_began_anew_is_followed() -> None:
    before, after = (
        PackageReading({"p": (9_000_000, 10_000_000)}),
        PackageReading({"p": (500_000, 10_000_000)}),
    )
    assert before.joules_until(after) == pytest.approx(1.5)


def test_a_host_that_does_not_tell_gets_no_remark(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 1)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    reading = read_packages(tmp_path)
    assert reading.zones == {}
    assert package_remark(reading, reading, 1.0) == ()
    assert read_packages(tmp_path / "none").zones == {}


def test_the_remark_stands_on_the_record_and_says_whose_energy_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter([PackageReading({"p": (0, 10**9)}), PackageReading({"p": (2_500_000, 10**9)})])
    monkeypatch.setattr(markers, "read_packages", lambda: next(readings))
    source = MarkersSource(MarkerRing(tmp_path / "scratch" / "m", capacity=8), {"inference": "inference"})
    source.start()
    record = source.stop()
    source.close()
    assert "drew 2.5 J" in record.instrument.notes[-1]
    assert "not the DUT's own energy" in record.instrument.notes[-1]
    assert "drew" not in " ".join(source.identity.notes)
