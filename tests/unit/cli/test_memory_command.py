"""`lan-hil memory`: what it prints, on which stream, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_bench import DESK, FakeBench
from tiny_firmware import build

from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run

Command = Callable[..., tuple[int, str, str]]

APP = "char g_state[500];\nint main(void) { return g_state[7]++; }\n"
BOARD = 'target = "nrf52840"\nsupply_v = 3.0\n[images]\napp = "../app.elf"\n'
RAM = "[ram]\nstart = 0x2000_0000\nsize_kib = 32\n"


@pytest.fixture
def lan_hil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command in a project with a board `mine` and its image; exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    build(tmp_path, {"app.c": APP}, stack=2048)
    for folder in ("boards", "benches"):
        (tmp_path / folder).mkdir()
    (tmp_path / "boards" / "mine.toml").write_text(BOARD + RAM)
    (tmp_path / "benches" / "desk.toml").write_text(DESK)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(app, ["memory", *arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return command


def rows(out: str, heading: str) -> dict[str, list[str]]:
    """Name to the other words of the rows under the heading that starts with this word."""
    part = next(part for part in out.split("\n\n") if part.startswith(heading))
    return {line.split()[0]: line.split()[1:] for line in part.splitlines()[1:]}


def test_an_image_alone_shows_sections_and_objects(lan_hil: Command) -> None:
    code, out, err = lan_hil("--static", "--image", "app.elf")
    assert code == 0
    assert out.startswith("image app.elf\n")
    assert rows(out, "section")[".bss"] == ["0x20000800", "500", "RAM"]
    assert rows(out, "section")[".stack"] == ["0x20000000", "2048", "reserved"]
    assert rows(out, "object")["app.o"][1] == "500"
    assert "linker map app.map" in err


def test_static_takes_the_boards_image_too(lan_hil: Command) -> None:
    code, out, _ = lan_hil("--static", "--board", "mine", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["board"], found["parts"], found["static_ram_bytes"]) == ("mine", None, 500)


def test_on_a_board_the_parts_add_up(lan_hil: Command, fake_bench: FakeBench) -> None:
    code, out, _ = lan_hil("--board", "mine", "--bench", "desk", "--json")
    assert code == 0
    found = json.loads(out)
    parts = found["parts"]
    assert (parts["static_bytes"], parts["heap_bytes"]) == (500, 0)
    assert parts["memory_bytes"] == 500 + parts["stack_bytes"]
    assert parts["memory_available_kb"] == (32 * 1024 - parts["memory_bytes"]) / 1024
    assert found["verdict"] is None
    assert fake_bench.events[-1] == "close"


@pytest.mark.parametrize(("limit_kb", "code", "said"), [(32, 0, "within: "), (0.5, 1, "over: ")])
def test_the_boards_target_decides_the_exit_code(
    lan_hil: Command, fake_bench: FakeBench, tmp_path: Path, limit_kb: float, code: int, said: str
) -> None:
    (tmp_path / "boards" / "mine.toml").write_text(f"{BOARD}[targets]\nmemory_kb = {limit_kb}\n")
    ended, out, _ = lan_hil("--board", "mine", "--bench", "desk")
    assert ended == code
    assert said in out


def test_against_an_older_build_only_changes_are_listed(lan_hil: Command, tmp_path: Path) -> None:
    build(tmp_path / "old", {"app.c": APP.replace("500", "400")})
    code, out, err = lan_hil("--static", "--image", "app.elf", "--against", "old")
    assert code == 0
    objects = rows(out, "object")
    assert objects["app.o"][1:] == ["500", "+0", "+100", "grew"]
    assert objects["total"][-1] == "+100"
    assert "0 objects are as large as before" not in err
    assert "against linker map app.map" in err


def test_against_as_json(lan_hil: Command, tmp_path: Path) -> None:
    build(tmp_path / "old", {"app.c": APP.replace("500", "400")})
    _, out, _ = lan_hil("--static", "--image", "app.elf", "--against", "old/app.map", "--json")
    (grown,) = [row for row in json.loads(out)["growth"]["rows"] if row["state"] != "same"]
    assert grown == {"name": "app.o", "state": "grew", "flash": 0, "ram": 100}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--static"], 2, "which image?"),
        ([], 2, "which board?"),
        (["--static", "--image", "none.elf"], 2, "none.elf"),
        (["--static", "--image", "app.elf", "--against", "nowhere.elf"], 2, "nowhere.elf"),
        (["--static", "--image", "app.elf", "--against", "boards"], 2, "older build"),
        (["--board", "mine", "--bench", "desk", "--seconds", "-1"], 2, "--seconds -1"),
        (["--static", "--board", "desktop"], 3, "program of this host"),
    ],
)
def test_bad_input_is_one_message(lan_hil: Command, arguments: list[str], code: int, said: str) -> None:
    ended, out, err = lan_hil(*arguments)
    assert (ended, out) == (code, "")
    assert said in err


def test_what_is_told_is_the_image_that_the_boards_build_makes(
    lan_hil: Command, fake_bench: FakeBench, tmp_path: Path
) -> None:
    """The build runs before the image is read, not between reading and flashing."""
    new = build(tmp_path / "new", {"app.c": APP.replace("500", "700")}, stack=2048)
    board = tmp_path / "boards" / "mine.toml"
    board.write_text(BOARD.replace("[images]", f'build = ["cp", "{new}", "../app.elf"]\n[images]') + RAM)
    (tmp_path / "app.map").unlink()
    code, out, err = lan_hil("--board", "mine", "--bench", "desk")
    assert code == 0, err
    assert rows(out, "section")[".bss"][1] == "700"


def test_a_stack_that_nobody_painted_blocks(lan_hil: Command, fake_bench: FakeBench, tmp_path: Path) -> None:
    """The fake DUT has written 1024 bytes of any stack: all of this one."""
    build(tmp_path, {"app.c": APP}, stack=1024)
    code, out, err = lan_hil("--board", "mine", "--bench", "desk")
    assert (code, out) == (3, "")
    assert "not one word of it" in err
    assert fake_bench.events[-1] == "close"
