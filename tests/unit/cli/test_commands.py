"""`lan-hil`: what each command prints, on which stream, and with which exit code it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_bench import DESK, FakeBench

from pytest_lan_hil import __version__
from pytest_lan_hil.cli import output
from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.model.errors import ProbeError

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lan_hil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in a project of its own; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(app, list(arguments))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return command


@pytest.fixture
def desk(tmp_path: Path, fake_bench: FakeBench) -> FakeBench:
    """A bench `desk` in the project, whose devices are fake."""
    (tmp_path / "benches").mkdir()
    (tmp_path / "benches" / "desk.toml").write_text(DESK + '[markers]\ninference = "gpi0"\nphase = "gpi1"\n')
    return fake_bench


def test_without_a_command_it_shows_its_help_and_counts_as_wrong_use(lan_hil: Command) -> None:
    code, out, err = lan_hil()
    assert (code, out) == (2, "")
    assert err.startswith("Usage: lan-hil")
    for name in ("boards", "doctor", "flash", "measure", "push", "virtual"):
        assert f"  {name} " in err


def test_version_and_help_are_no_errors(lan_hil: Command) -> None:
    assert lan_hil("--version") == (0, f"{__version__}\n", "")
    code, out, err = lan_hil("flash", "--help")
    assert (code, err) == (0, "")
    assert "--board" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "frobnicate"),
        (["flash"], "--board"),
        (["measure", "--board", "nrf52840", "--seconds", "soon"], "--seconds"),
    ],
)
def test_wrong_use_is_one_message_with_usage(lan_hil: Command, arguments: list[str], said: str) -> None:
    code, out, err = lan_hil(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "lan-hil --help" in err


# --- boards ---------------------------------------------------------------------------------------------


def test_boards_lists_the_shipped_and_the_projects(lan_hil: Command, tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "mine.toml").write_text('target = "nrf52840"\nsupply_v = 1.8\n')
    code, out, _ = lan_hil("boards")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert "shipped" in rows["nrf52840"]
    assert "project" in rows["mine"]
    code, out, _ = lan_hil("boards", "--json")
    assert code == 0
    assert {board["name"] for board in json.loads(out)} >= {"nrf52840", "mine"}


def test_boards_goes_on_past_a_wrong_file_and_says_so(lan_hil: Command, tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "wrong.toml").write_text("target = 3\n")
    code, out, err = lan_hil("boards")
    assert code == 2
    assert "nrf52840" in out
    assert "wrong.toml:1: [target]" in err


def test_boards_show_prints_limits_and_images(lan_hil: Command) -> None:
    code, out, _ = lan_hil("boards", "show", "nrf52840")
    assert code == 0
    assert "target latency    12 ms" in out
    assert "lan.elf (present, default)" in out
    assert lan_hil("boards", "show", "nrf5284")[0] == 2


@pytest.mark.parametrize("kind", ["board", "bench", "record"])
def test_schema_is_json(lan_hil: Command, kind: str) -> None:
    code, out, _ = lan_hil("schema", kind)
    assert code == 0
    assert json.loads(out)["$schema"].startswith("https://json-schema.org/")
    assert lan_hil("schema", "house")[0] == 2


# --- flash and measure ----------------------------------------------------------------------------------


def test_flash_says_what_was_written_and_read_back(lan_hil: Command, desk: FakeBench) -> None:
    code, out, err = lan_hil("flash", "--board", "nrf52840", "--bench", "desk")
    assert code == 0
    assert "nrf52840: lan.elf written in 0.25 s, read back: sha256 " in out
    assert "debugger detached" in out
    assert err == f"flashing lan.elf ({desk_image_bytes()} bytes) on nrf52840 ...\n"  # a pipe gets no bar
    assert desk.events == ["open", "flash", "close"]


def desk_image_bytes() -> int:
    from pytest_lan_hil.dut.image import load_image

    root = Path(__file__).parents[3]
    return load_image(root / "firmware" / "prebuilt" / "nrf52840" / "lan.elf").flash_bytes


def test_flash_on_a_simulated_bench_says_so(lan_hil: Command, desk: FakeBench) -> None:
    desk.simulated = True
    assert (
        "simulated: no real board was flashed"
        in lan_hil("flash", "--board", "nrf52840", "--bench", "desk")[1]
    )


def test_a_blocked_bench_ends_with_3_and_bad_input_with_2(lan_hil: Command, desk: FakeBench) -> None:
    desk.refuse = ProbeError("no such probe", fix="plug it in")
    assert lan_hil("flash", "--board", "nrf52840", "--bench", "desk") == (
        3,
        "",
        "lan-hil: no such probe\n  fix: plug it in\n",
    )
    code, _, err = lan_hil("flash", "--board", "nrf52840", "--bench", "desk", "--image", "nosuch.elf")
    assert (code, "nosuch.elf" in err) == (2, True)
    code, _, err = lan_hil("measure", "--board", "nrf52840", "--bench", "desk", "--seconds", "-1")
    assert (code, "--seconds -1" in err) == (2, True)


def test_measure_prints_a_table_and_what_could_not_be_measured(lan_hil: Command, desk: FakeBench) -> None:
    code, out, err = lan_hil("measure", "--board", "nrf52840", "--bench", "desk", "--seconds", "2")
    assert code == 0
    assert out.splitlines()[0] == "board nrf52840 on bench desk"
    assert "mean power" in out
    assert "Fake analyzer 7" in out
    assert "latency per inference: not measured: " in err
    assert desk.events == ["open", "flash", "reset", "reset", "close"]


def test_measure_explains_what_the_uncertainty_is_made_of(lan_hil: Command, desk: FakeBench) -> None:
    arguments = ("measure", "--board", "nrf52840", "--bench", "desk", "--seconds", "2")
    _, plain, _ = lan_hil(*arguments)
    code, out, _ = lan_hil(*arguments, "--explain")
    assert code == 0
    assert out.startswith(plain)
    explained = out[len(plain) :].splitlines()
    assert explained[1].startswith("mean power: ")
    assert explained[2].split() == ["contribution", "half-width", "unit", "share", "source"]
    assert explained[-1].split()[0] == "combined"


def test_measure_as_json_holds_measurements_and_identity(lan_hil: Command, desk: FakeBench) -> None:
    desk.simulated = True
    code, out, _ = lan_hil("measure", "--board", "nrf52840", "--bench", "desk", "--seconds", "2", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["simulated"] is True
    assert found["firmware"]["proved"] is True
    assert found["measurements"]["power"]["n"] > 1
    assert set(found["not_measured"]) == {"latency", "energy"}


def test_a_dut_that_fails_ends_with_1(lan_hil: Command, desk: FakeBench) -> None:
    def hang(opened: Any) -> None:
        opened.probe.core = "hardfault"
        opened.console._port.silent = True

    desk.arrange = hang
    code, _, err = lan_hil("measure", "--board", "nrf52840", "--bench", "desk")
    assert code == 1
    assert "core is hardfault" in err
    assert desk.events[-1] == "close"


@pytest.mark.parametrize(("command", "last"), [("flash", "flash"), ("measure", "reset")])
def test_ctrl_c_ends_with_130_and_releases_the_board(
    lan_hil: Command, desk: FakeBench, command: str, last: str
) -> None:
    """`Probe.flash` itself resets the board when it is interrupted (tests/bench); a capture does so here."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def arrange(opened: Any) -> None:
        if command == "flash":
            opened.probe.on_flash = interrupt
        else:
            opened.console._port.on_command = lambda text: interrupt() if "listen" in text else None

    desk.arrange = arrange
    code, _, err = lan_hil(command, "--board", "nrf52840", "--bench", "desk")
    assert (code, err.splitlines()[-1]) == (130, "lan-hil: interrupted")
    assert desk.events[-2:] == [last, "close"]


def test_tracebacks_only_when_debugging(
    lan_hil: Command, desk: FakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.refuse = ProbeError("no such probe")
    arguments = ["flash", "--board", "nrf52840", "--bench", "desk"]
    for option in ("--debug", "--hil-debug"):
        with pytest.raises(ProbeError):
            run(app, [option, *arguments])
    monkeypatch.setenv("LAN_HIL_DEBUG", "1")
    with pytest.raises(ProbeError):
        run(app, arguments)
    monkeypatch.setenv("LAN_HIL_DEBUG", "0")
    assert lan_hil(*arguments)[0] == 3


# --- progress -------------------------------------------------------------------------------------------


class Screen(io.StringIO):
    """A terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_bars_that_are_gone_in_the_end(
    desk: FakeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    assert run(app, ["flash", "--board", "nrf52840", "--bench", "desk"]) == 0
    assert "flashing lan.elf" in screen.getvalue()
    assert "━" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")  # the bar's line is erased


def test_a_step_of_known_length_follows_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[float] = []

    class Watch:
        now = 50.0

        def monotonic(self) -> float:
            self.now += 1.0
            return self.now

        def sleep(self, seconds: float) -> None:
            raise AssertionError

    def bar(title: str, *, total: float | None) -> Any:
        assert (title, total) == ("measuring", 10.0)
        return output.contextmanager(lambda: iter([heard.append]))()

    monkeypatch.setattr(output, "_bar", bar)
    monkeypatch.setattr(output, "TICK_S", 0.001)
    with output.passing("measuring", Watch(), 10.0):
        while len(heard) < 3:
            pass
    assert heard[:3] == [1.0, 2.0, 3.0]


# --- push -----------------------------------------------------------------------------------------------


def test_push_needs_a_url_and_a_folder(lan_hil: Command, tmp_path: Path) -> None:
    assert "--pushgateway" in lan_hil("push")[2]
    code, _, err = lan_hil("push", "--pushgateway", "http://127.0.0.1:9")
    assert (code, "--hil-output" in err) == (2, True)
    (tmp_path / ".hil").mkdir()
    code, _, err = lan_hil("push", "--pushgateway", "127.0.0.1:9")
    assert (code, "http(s)://host" in err) == (2, True)
    assert lan_hil("push", "--pushgateway", "http://127.0.0.1:9") == (0, "nothing waits to be pushed\n", "")


# --- virtual --------------------------------------------------------------------------------------------


def test_virtual_list_and_reset(lan_hil: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "virtual"
    monkeypatch.setenv("LAN_HIL_VIRTUAL_STATE", str(root))
    assert lan_hil("virtual", "list") == (0, "", "no virtual board has been used here yet\n")
    assert lan_hil("virtual", "reset", "nrf52840") == (0, "", "nrf52840: kept no state\n")
    (root / "nrf52840").mkdir(parents=True)
    (root / "nrf52840" / "nonvolatile.bin").write_bytes(b"x" * 77)
    code, out, _ = lan_hil("virtual", "list")
    assert code == 0
    assert out.splitlines()[1].split() == [
        "nrf52840",
        "77",
        "bytes",
        "stored",
        "nobody",
        str(root / "nrf52840"),
    ]
    assert json.loads(lan_hil("virtual", "list", "--json")[1])[0]["stored_bytes"] == 77
    code, _, err = lan_hil("virtual", "reset", "nrf5284")
    assert (code, "did you mean nrf52840" in err) == (2, True)
    assert lan_hil("virtual", "reset") == (0, "", "nrf52840: state forgotten\n")
    assert not (root / "nrf52840" / "nonvolatile.bin").exists()


def test_virtual_reset_of_a_board_in_use_names_the_owner(
    lan_hil: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setenv("LAN_HIL_VIRTUAL_STATE", str(tmp_path / "virtual"))
    monkeypatch.setenv("LAN_HIL_VIRTUAL_WAIT_S", "0.1")
    folder = tmp_path / "virtual" / "nrf52840"
    folder.mkdir(parents=True)
    (folder / "owner.json").write_text(json.dumps({"pid": os.getpid()}))
    with FileLock(folder / "lock"):
        code, _, err = lan_hil("virtual", "reset", "nrf52840")
    assert (code, f"process {os.getpid()}" in err) == (3, True)


# --- as a program ---------------------------------------------------------------------------------------


def test_a_reader_that_has_enough_is_no_error() -> None:
    code = "from pytest_lan_hil.cli import main; main()"
    command = f'"{sys.executable}" -c "{code}" schema record | head -1'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")
