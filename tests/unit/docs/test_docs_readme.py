"""The README names exactly the options, settings, markers and fixtures that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_lan_hil import fixtures, options

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCE = Path(options.__file__).read_text(encoding="utf-8")


def table(first_heading: str) -> str:
    """The rows of the table whose first column has this heading."""
    found = re.search(rf"^\| {first_heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert found is not None
    return found[1]


def test_options_and_ini_keys_are_those_of_the_plugin() -> None:
    rows = table("option")
    assert set(re.findall(r"`(--[\w-]+)", rows)) == set(re.findall(r'"(--[\w-]+)"', SOURCE))
    assert set(re.findall(r"`(hil_\w+)`", rows)) == set(re.findall(r'addini\("(\w+)"', SOURCE))


def test_environment_variables_are_those_that_are_read() -> None:
    # _setting(config, option, name) and _given(config, option, name) read LAN_HIL_NAME
    names = set(re.findall(r'_(?:setting|given)\(config, "\w+", "(\w+)"\)', SOURCE))
    read = {f"LAN_HIL_{name.upper()}" for name in names} | set(re.findall(r'get\("(LAN_HIL_\w+)"\)', SOURCE))
    assert set(re.findall(r"`(LAN_HIL_\w+)`", table("option"))) == read


def test_markers_are_those_that_are_registered(pytestconfig: pytest.Config) -> None:
    registered = {line.partition("(")[0] for line in pytestconfig.getini("markers")}
    named = set(re.findall(r"`(\w+)\(", table("marker")))
    assert named <= registered
    assert {name for name in registered if name.endswith("_budget")} <= named


def test_fixtures_exist() -> None:
    named = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table("fixture"), re.MULTILINE)
    names = [name for cell in named for name in re.findall(r"`(\w+)`", cell)]
    assert len(names) >= 8
    assert [name for name in names if not hasattr(fixtures, name)] == []
