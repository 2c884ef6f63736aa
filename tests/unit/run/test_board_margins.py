"""A board's margins, read no further than needed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_lan_hil.model.errors import ConfigError
from pytest_lan_hil.model.quantities import QUANTITIES, Margin
from pytest_lan_hil.run import board_margins
from pytest_lan_hil.run.board_margins import board_margins as margins_of

OWN = 'target = "nrf52840"\nsupply_v = 3.0\n[margins]\nlatency_relative = 0.02\n'
TABLE = {row.name: row.margin for row in QUANTITIES.values()}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads descriptions fails."""
    monkeypatch.setitem(sys.modules, "pytest_lan_hil.config", None)


@pytest.mark.usefixtures("quick")
def test_a_shipped_board_without_margins_is_not_read(tmp_path: Path) -> None:
    assert margins_of("nrf52840", tmp_path, ()) == TABLE


@pytest.mark.usefixtures("quick")
def test_the_projects_own_file_goes_before_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "nrf52840.toml").write_text(OWN)
    with pytest.raises(ImportError):
        margins_of("nrf52840", tmp_path, ())


@pytest.mark.parametrize("folder", ["boards", "more"])
def test_margins_of_a_file_are_taken_with_the_tables_for_the_rest(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "mine.toml").write_text(OWN)
    found = margins_of("mine", tmp_path, ("more",) if folder == "more" else ())
    assert found == {**TABLE, "latency": Margin(0.02, TABLE["latency"].absolute)}


def test_a_board_that_nobody_knows_any_more_has_the_tables_margins(tmp_path: Path) -> None:
    assert margins_of("gone", tmp_path, ()) == TABLE


def test_a_wrong_table_of_margins_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "mine.toml").write_text(OWN.replace("0.02", "2"))
    with pytest.raises(ConfigError, match="latency_relative"):
        margins_of("mine", tmp_path, ())


def test_a_package_that_brings_boards_may_have_its_own_of_a_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_points = tmp_path / "site" / "theirs-1.dist-info" / "entry_points.txt"
    entry_points.parent.mkdir(parents=True)
    entry_points.write_text("[pytest_lan_hil.boards]\ntheirs = theirs\n")
    (tmp_path / "site" / "theirs").mkdir()
    (tmp_path / "site" / "theirs" / "__init__.py").touch()
    (tmp_path / "site" / "theirs" / "nrf52840.toml").write_text(OWN)
    (entry_points.parent / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert board_margins._packages_bring_boards()
    assert margins_of("nrf52840", tmp_path, ())["latency"].relative == 0.02
