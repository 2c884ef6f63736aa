"""`[margins]` of a board file: how much worse than its baseline a quantity may be there."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from pytest_lan_hil.config import board_schema, read_board
from pytest_lan_hil.config.board import Board
from pytest_lan_hil.model.errors import ConfigError
from pytest_lan_hil.model.quantities import QUANTITIES, Margin


def board(folder: Path, margins: str) -> Board:
    path = folder / "mine.toml"
    path.write_text(f'target = "nrf52840"\n[margins]\n{margins}')
    return read_board(path)


def test_without_a_table_every_quantity_has_the_margin_of_the_table_of_quantities(tmp_path: Path) -> None:
    assert board(tmp_path, "").margins == {name: row.margin for name, row in QUANTITIES.items()}


def test_a_board_replaces_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    found = board(tmp_path, "latency_relative = 0.05\npower_absolute_mw = 0\ndrift_score_absolute = 0.2\n")
    assert found.margins["latency"] == Margin(0.05, QUANTITIES["latency"].margin.absolute)
    assert found.margins["power"] == Margin(QUANTITIES["power"].margin.relative, 0)
    assert found.margins["drift_score"] == Margin(QUANTITIES["drift_score"].margin.relative, 0.2)
    untouched = set(QUANTITIES) - {"latency", "power", "drift_score"}
    assert all(found.margins[name] == QUANTITIES[name].margin for name in untouched)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "latency_relative = 5",
            "must be at most 1, but is 5\n  fix: write for example  latency_relative = 0.05",
        ),
        ("latency_relative = -0.1", "must be at least 0, but is -0.1"),
        ("power_absolute_mw = -1", "must be at least 0, but is -1"),
        ("power_absolute_mw = nan", "must be a finite number"),
        ("power_absolute_uw = 1", 'did you mean "power_absolute_mw"?'),
        ('power_relative = "0.1"', "write  power_relative = 0.1"),
        ("latency = 0.1", 'unknown key "latency" in [margins]'),
    ],
)
def test_a_wrong_margin_is_told_with_its_line(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        board(tmp_path, line)
    assert f"mine.toml:3: [margins.{line.split()[0]}]" in str(raised.value)
    assert told in str(raised.value)


def test_an_editor_knows_both_keys_of_every_quantity() -> None:
    for row in QUANTITIES.values():
        absolute = f"{row.name}_absolute" + ("" if row.unit == "1" else f"_{row.unit_key}")
        tree = {"target": "x", "margins": {f"{row.name}_relative": 0.2, absolute: 1}}
        jsonschema.validate(tree, board_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"target": "x", "margins": {"latency_relative": 5}}, board_schema())
