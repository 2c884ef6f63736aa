"""Which xdist worker gets a test: one per board."""

from __future__ import annotations

import pytest

from pytest_lan_hil.workers import board_of

BOARDS = ("nrf52840", "nrf52840-dk", "stm32f4")


@pytest.mark.parametrize(
    ("nodeid", "board"),
    [
        ("test_x.py::test_a[nrf52840]", "nrf52840"),
        ("test_x.py::test_a[nrf52840-3]", "nrf52840"),
        ("test_x.py::test_a[fast-stm32f4-3]", "stm32f4"),
        ("test_x.py::test_a[nrf52840-dk]", "nrf52840-dk"),
        ("test_x.py::test_a[nrf52840x]", ""),
        ("test_nrf52840.py::test_a", ""),
    ],
)
def test_board_of_a_node_id(nodeid: str, board: str) -> None:
    assert board_of(nodeid, BOARDS) == board
