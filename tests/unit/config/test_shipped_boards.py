"""Every board that comes with the package can be used: pyOCD has its chip, or the file names the pack."""

from __future__ import annotations

import pytest

from pytest_lan_hil.config import Board, SearchPath, list_boards, load_board
from pytest_lan_hil.config.search import shipped_root
from pytest_lan_hil.dut.targets import install_command, is_builtin, require_target
from pytest_lan_hil.model.errors import ProbeError

SHIPPED = [found.name for found in list_boards(SearchPath.default(shipped_root()))]


@pytest.fixture(params=SHIPPED)
def board(request: pytest.FixtureRequest) -> Board:
    return load_board(request.param, SearchPath.default(shipped_root()))


def test_further_boards_of_both_families_come_along() -> None:
    assert {
        "nrf52840", "nrf52840-dongle", "nrf52833-dk", "nrf52-dk",
        "nucleo-f411re", "nucleo-f446re", "nucleo-f429zi", "blackpill-f411",
    } <= set(SHIPPED)  # fmt: skip


def test_its_target_is_built_into_pyocd_or_its_pack_is_named(board: Board) -> None:
    if board.is_native:
        assert not board.pack
    elif is_builtin(board.target):
        assert not board.pack, "a pack that nobody needs"
    else:
        assert board.target.startswith(board.pack)
        assert board.pack


def test_it_says_what_a_reader_of_results_must_know(board: Board) -> None:
    assert board.title
    if not board.is_native:
        assert {"inference", "phase"} == set(board.marker_pins)
        assert board.supply_v is not None
        assert board.flash is not None
        assert board.ram is not None
        assert board.ram.start == 0x2000_0000
        assert board.flash.start in (0, 0x0800_0000)


def test_a_board_whose_pack_is_missing_says_what_to_install() -> None:
    board = Board(name="far", target="z80", supply_v=3.0)
    with pytest.raises(ProbeError, match="board far: pyOCD does not know its target z80") as caught:
        require_target(board)
    assert caught.value.fix.startswith("pyocd pack install z80 ")
    assert (
        install_command(Board(name="far", target="z80cpu", pack="z80", supply_v=3))
        == "pyocd pack install z80"
    )


def test_a_board_whose_chip_is_built_in_needs_nothing() -> None:
    require_target(Board(name="near", target="nrf52840", supply_v=3.0))
