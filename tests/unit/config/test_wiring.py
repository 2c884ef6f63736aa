from pathlib import Path

import pytest

from pytest_lan_hil.config import Bench, Board, SearchPath, Wiring, load_bench, load_board, wire
from pytest_lan_hil.model.errors import ConfigError

VIRTUAL = {
    "name": "virtual",
    "probe": "virtual:{virtual}",
    "console": "virtual://{virtual}/uart0",
    "analyzer": "joulescope+virtual:{virtual}?gpi0={pin.inference}&gpi1={pin.phase}&supply_v={supply_v}",
    "markers": {"inference": "gpi0", "phase": "gpi1"},
}


def board(**changes: object) -> Board:
    values = {
        "name": "mine",
        "target": "nrf52840",
        "virtual": "nrf52840",
        "supply_v": 3,
        "marker_pins": {"inference": "P0.13", "phase": "P0.14"},
    }
    return Board.model_validate(values | changes)


def test_the_shipped_virtual_bench_serves_the_shipped_board(tmp_path):
    search = SearchPath.default(tmp_path)
    assert wire(load_bench("virtual", search), load_board("nrf52840", search)) == Wiring(
        probe="virtual:nrf52840",
        console="virtual://nrf52840/uart0",
        analyzer="joulescope+virtual:nrf52840?gpi0=P0.13&gpi1=P0.14&supply_v=3.0",
        markers={"inference": "gpi0", "phase": "gpi1"},
    )


def test_a_board_without_one_of_the_marker_lines_is_served_without_it():
    wired = wire(Bench.model_validate(VIRTUAL), board(marker_pins={"inference": "P1.01"}))
    assert wired.analyzer == "joulescope+virtual:nrf52840?gpi0=P1.01&supply_v=3.0"
    assert wired.markers == {"inference": "gpi0"}


def test_a_board_without_marker_lines_is_served_for_power():
    wired = wire(Bench.model_validate(VIRTUAL), board(marker_pins={}))
    assert (wired.analyzer, wired.markers) == ("joulescope+virtual:nrf52840?supply_v=3.0", {})


def test_a_bench_without_placeholders_is_taken_as_it_stands():
    desk = {"name": "desk", "probe": "auto", "analyzer": "joulescope:2557", "markers": {"inference": "gpi1"}}
    wired = wire(Bench.model_validate(desk), board(marker_pins={}))
    assert wired == Wiring("auto", None, "joulescope:2557", {"inference": "gpi1"})


def test_every_placeholder_is_filled_from_the_board():
    uri = "rack://host/{board}/{target}/{virtual}/{baudrate}/{supply_v}/{pin.inference}"
    wired = wire(Bench.model_validate({"name": "b", "console": uri}), board())
    assert wired.console == "rack://host/mine/nrf52840/nrf52840/115200/3.0/P0.13"


def test_a_board_without_virtual_silicon_is_told_which_key_to_add():
    with pytest.raises(ConfigError) as raised:
        wire(Bench.model_validate(VIRTUAL), board(virtual=None))
    assert raised.value.key == "virtual"
    assert "board mine has no virtual silicon; bench virtual needs it for its probe" in str(raised.value)
    assert 'add the line  virtual = "nrf52840"' in raised.value.fix


def test_a_needed_pin_that_the_board_lacks_is_told_by_key():
    bench = Bench.model_validate({"name": "b", "analyzer": "edges:dev-{pin.inference}"})
    with pytest.raises(ConfigError) as raised:
        wire(bench, board(marker_pins={}))
    assert raised.value.key == "marker_pins.inference"


def test_a_bench_that_names_its_boards_refuses_others(tmp_path):
    path = tmp_path / "desk.toml"
    path.write_text('probe = "auto"\n\nboards = ["nrf52840"]\n', encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        wire(load_bench(path, SearchPath.default(tmp_path)), board())
    assert str(raised.value) == (
        f"{path}:3: [boards] bench desk does not serve board mine, only nrf52840\n"
        '  fix: add "mine" to the list, or choose another bench with --bench'
    )


def test_the_example_bench_is_for_the_nrf52840_and_nothing_is_left_to_fill(tmp_path):
    search = SearchPath.default(tmp_path)
    wired = wire(load_bench("example-joulescope", search), load_board("nrf52840", search))
    assert wired.probe == "jlink:000683456789"
    assert wired.console is not None
    assert Path(wired.console).is_relative_to("/dev/serial/by-id")
    assert wired.analyzer == "joulescope:002557"
