"""A bench with an edge source: which marker line comes from where."""

from pathlib import Path

import pytest

from pytest_lan_hil.config import read_bench, read_board, wire
from pytest_lan_hil.model.errors import ConfigError

DESK = 'analyzer = "ppk2:"\nedges = "gpiod:/dev/gpiochip0"\n'


def bench(folder: Path, text: str):
    path = folder / "desk.toml"
    path.write_text(text, encoding="utf-8")
    return read_bench(path)


@pytest.fixture
def board(tmp_path):
    path = tmp_path / "b.toml"
    path.write_text('target = "nrf52840"\nsupply_v = 3.0\n[marker_pins]\ninference = "P0.13"\n')
    return read_board(path)


def test_edge_lines_are_wired_beside_the_analyzers_inputs(tmp_path, board):
    wiring = wire(
        bench(tmp_path, DESK + '[markers]\nphase = "d0"\n[edge_lines]\ninference = "GPIO17"\n'), board
    )
    assert wiring.edges == "gpiod:/dev/gpiochip0"
    assert (wiring.markers, wiring.edge_lines) == ({"phase": "d0"}, {"inference": "GPIO17"})
    assert wiring.sync is None


def test_two_instruments_may_not_claim_one_marker_line(tmp_path):
    text = DESK + '[markers]\ninference = "d0"\n[edge_lines]\ninference = "17"\n'
    with pytest.raises(ConfigError, match=r"wired to the analyzer \(d0\) and to the edge source \(17\)"):
        bench(tmp_path, text)


def test_the_sync_line_is_wired_to_both(tmp_path, board):
    text = 'sync = "inference"\n' + DESK + '[markers]\ninference = "d0"\n[edge_lines]\ninference = "17"\n'
    assert wire(bench(tmp_path, text), board).sync == "inference"
    with pytest.raises(ConfigError, match="not wired to both"):
        bench(tmp_path, 'sync = "phase"\n' + DESK + '[markers]\ninference = "d0"\n')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('probe = "auto"\n[edge_lines]\ninference = "17"\n', "the bench has no edge source"),
        (DESK + '[edge_lines]\ninference = "17"\nphase = "17"\n', "already taken by marker line inference"),
        (DESK + '[edge_lines]\ninference = "17/2"\n', "is not a GPIO line"),
        ('edges = "/dev/gpiochip0"\n', "does not name an edge source"),
        ('analyzer = "ppk2:/dev/ttyACM0"\nconsole = "/dev/ttyACM0"\n', "same device"),
    ],
)
def test_what_an_edge_source_can_not_be(tmp_path, text, said):
    with pytest.raises(ConfigError) as raised:
        bench(tmp_path, text)
    assert said in str(raised.value)


def test_benches_may_share_a_chip_but_not_a_line(tmp_path, board):
    left = wire(bench(tmp_path, DESK + '[edge_lines]\ninference = "17"\n'), board)
    right = wire(bench(tmp_path, DESK + '[edge_lines]\ninference = "27"\n'), board)
    assert set(left.uris) & set(right.uris) == {"ppk2:"}


def test_a_line_whose_pin_the_board_does_not_raise_is_left_out(tmp_path, board):
    text = (
        'edges = "gpiod+virtual:x?17={pin.inference}&27={pin.phase}"\n'
        '[edge_lines]\ninference = "17"\nphase = "27"\n'
    )
    wiring = wire(bench(tmp_path, text), board)
    assert wiring.edges == "gpiod+virtual:x?17=P0.13"
    assert wiring.edge_lines == {"inference": "17"}
