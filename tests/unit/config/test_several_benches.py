"""Each board takes the first bench that serves it; names come from command line, environment or ini file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lan_hil.config import Bench, Board, SearchPath, load_bench, load_board, wire, wire_first
from pytest_lan_hil.config.scratch import scratch_folder
from pytest_lan_hil.model.errors import ConfigError, InputError
from pytest_lan_hil.options import bench_names

DESK = Bench(name="desk", boards=("nrf",), probe="jlink:1")
VIRTUAL = Bench(name="virtual", probe="virtual:{virtual}", analyzer="joulescope:?supply_v={supply_v}")
HERE = Bench(name="here", console="exec:{image} --markers {scratch}/m", edges="markers:{scratch}/m")


def board(**values: object) -> Board:
    return Board.model_validate({"name": "nrf", "target": "nrf52840", "supply_v": 3.0} | values)


def test_the_first_bench_that_serves_wins() -> None:
    virtual = board(virtual="nrf52840")
    assert wire_first([DESK, VIRTUAL], virtual)[0] is DESK
    assert wire_first([VIRTUAL, DESK], virtual)[0] is VIRTUAL
    assert wire_first([VIRTUAL, DESK], board())[0] is DESK


def test_the_only_bench_refuses_in_its_own_words() -> None:
    with pytest.raises(ConfigError, match="has no virtual silicon"):
        wire_first([VIRTUAL], board())


def test_several_that_do_not_serve_say_each_why_not() -> None:
    with pytest.raises(InputError) as caught:
        wire_first([DESK, VIRTUAL, HERE], board(name="other"))
    told = str(caught.value)
    assert "none of the benches desk, virtual, here serves board other" in told
    assert "desk: bench desk does not serve board other" in told
    assert "virtual: board other has no virtual silicon" in told
    assert "here: board other is no program of this host" in told


def test_a_board_that_is_a_program_takes_the_bench_that_starts_it(tmp_path: Path) -> None:
    search = SearchPath.default(tmp_path)
    benches = [load_bench(name, search) for name in ("virtual", "desktop")]
    bench, wiring = wire_first(benches, load_board("desktop", search))
    assert bench.name == "desktop"
    assert wiring.program == wiring.console == f"exec:{{image}} --markers {scratch_folder()}/lan.markers"
    assert wiring.edges == f"markers:{scratch_folder()}/lan.markers"
    assert wire_first(benches, load_board("nrf52840", search))[0].name == "virtual"


def test_a_bench_with_a_probe_does_not_take_a_program() -> None:
    with pytest.raises(ConfigError, match="is a program of this host, which bench desk does not start"):
        wire(Bench(name="desk", probe="jlink:1"), board(target="native"))


def test_a_record_is_replayed_for_a_program_too() -> None:
    replay = Bench(name="replay", analyzer="replay:x.jls")
    assert wire(replay, board(target="native")).analyzer == "replay:x.jls"


def test_a_board_without_a_rail_is_refused_where_a_bench_needs_it() -> None:
    with pytest.raises(ConfigError, match="has no supply rail; bench virtual needs it for its analyzer"):
        wire(VIRTUAL, board(virtual="nrf52840", supply_v=None))


def test_each_state_folder_has_a_scratch_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    for state in ("/a", "/b", "/a"):
        monkeypatch.setenv("LAN_HIL_STATE", state)
        folders.append(scratch_folder())
    assert folders[0] == folders[2] != folders[1]


def test_names_on_the_command_line_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAN_HIL_BENCH", "ignored")
    assert bench_names(["my desk.toml", "virtual"], "ini") == ("my desk.toml", "virtual")


@pytest.mark.parametrize(
    ("environment", "configured", "names"),
    [
        (None, None, ()),
        (None, "virtual", ("virtual",)),
        (None, "virtual  desktop", ("virtual", "desktop")),
        (None, '"my desk.toml" desktop', ("my desk.toml", "desktop")),
        (None, r"C:\benches\desk.toml virtual", (r"C:\benches\desk.toml", "virtual")),
        ("left right", "virtual", ("left", "right")),
        ("", "virtual", ("virtual",)),
    ],
)
def test_blanks_separate_names_in_environment_and_ini_file(
    monkeypatch: pytest.MonkeyPatch, environment: str | None, configured: str | None, names: tuple[str, ...]
) -> None:
    monkeypatch.delenv("LAN_HIL_BENCH", raising=False)
    if environment is not None:
        monkeypatch.setenv("LAN_HIL_BENCH", environment)
    assert bench_names((), configured) == names
