"""docs/reference/quantities.md says of each quantity what the two tables in the code say."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.run.sources import SOURCES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "quantities.md"


def test_every_quantity_has_a_source_and_no_source_is_without_a_quantity() -> None:
    assert set(SOURCES) == set(QUANTITIES)


def test_page_and_code_agree_on_unit_direction_statistic_and_source() -> None:
    row = re.compile(r"^\| `(\w+)` \| (\S+) \| (\w+) \| (\w+) \| (\w+) \|", re.MULTILINE)
    documented = row.findall(PAGE.read_text(encoding="utf-8"))
    assert documented == [
        (name, one.unit, one.direction.value, one.statistic, SOURCES[name].made_from.name.lower())
        for name, one in QUANTITIES.items()
    ]
