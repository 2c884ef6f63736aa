"""`lan-hil accuracy`: what it prints, how it ends, and that it goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_bench import DESK, FakeBench
from fake_ears import Ears, audio, write_dataset, write_wave

from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run

Command = Callable[..., tuple[int, str, str]]
NAMES = [(f"{digit}_{who}_{k}", digit) for digit in range(4) for who in ("ann", "bob") for k in range(2)]
# The DUT takes this one for a 2.
WRONG = ("9_ann_0", 2)


@pytest.fixture
def lan_hil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`lan-hil accuracy` in a project of its own; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(app, ["accuracy", "--board", "desk", "--bench", "desk", "--dataset", "digits", *arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return command


@pytest.fixture
def ears(tmp_path: Path, fake_bench: FakeBench) -> list[Ears]:
    """A board `desk` with a target on a fake bench; the ears of each time that the bench was opened."""
    (tmp_path / "benches").mkdir()
    (tmp_path / "benches" / "desk.toml").write_text(DESK)
    (tmp_path / "boards").mkdir()
    prebuilt = Path(__file__).parents[3] / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"
    (tmp_path / "boards" / "desk.toml").write_text(
        f'target = "nrf52840"\nsupply_v = 3.0\n[images]\nlan = "{prebuilt.as_posix()}"\n'
        "[targets]\naccuracy_percent = 60\n"
    )
    write_dataset(tmp_path / "digits", [*NAMES, WRONG])
    opened: list[Ears] = []
    fake_bench.arrange = lambda bench: opened.append(Ears(bench.console._port))
    return opened


def _result(out: str) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(out)
    # What depends on the clock of the wall, and on how often it was begun.
    for key in ("wall_s", "resumed"):
        del tree[key]
    return tree


def test_json_has_the_promised_shape(lan_hil: Command, ears: list[Ears], tmp_path: Path) -> None:
    code, out, _ = lan_hil("--json")
    tree = json.loads(out)
    assert code == 0
    assert list(tree)[:6] == ["board", "n", "correct", "accuracy_percent", "ci95_percent", "simulated"]
    assert (tree["board"], tree["bench"], tree["n"], tree["correct"]) == ("desk", "desk", 17, 16)
    assert (tree["verdict"], tree["target_percent"], tree["confidence_percent"]) == ("within", 60.0, 90.0)
    assert tree["simulated"] is False
    assert tree["firmware"]["proved"]
    assert tree["per_class"][-1]["confused_with"] == "2"
    assert tree["confusion"][9][2] == 1
    assert tree["audio_s"] == pytest.approx(17 * 0.125)
    assert Path(tree["file"]).parent == tmp_path / ".hil" / "accuracy"
    assert json.loads(Path(tree["file"]).read_text("utf-8"))["correct"] == 16


def test_the_text_has_figure_verdict_tables_and_matrix(lan_hil: Command, ears: list[Ears]) -> None:
    code, out, err = lan_hil()
    assert code == 0
    assert "accuracy 94.12 %: 16 of 17 recordings named rightly, 95 % interval 73.02 to 98.95 %" in out
    assert "within: accuracy share 94 % " in out
    assert "confusion matrix" in out
    assert "playing 17 recordings to desk ..." in err


@pytest.mark.parametrize(
    ("wrong", "code", "verdict"), [(0, 0, "within"), (5, 3, "inconclusive"), (17, 1, "over")]
)
def test_the_exit_code_is_the_verdict_s(
    lan_hil: Command, ears: list[Ears], tmp_path: Path, wrong: int, code: int, verdict: str
) -> None:
    for path in sorted((tmp_path / "digits").glob("*.wav"))[:wrong]:
        path.rename(path.with_name("8" + path.name[1:].replace("_0.", "_5.")))
    found, out, _ = lan_hil("--json")
    assert (found, json.loads(out)["verdict"]) == (code, verdict)


def test_a_board_without_a_target_ends_well(lan_hil: Command, ears: list[Ears], tmp_path: Path) -> None:
    board = tmp_path / "boards" / "desk.toml"
    board.write_text(board.read_text().replace("accuracy_percent = 60", ""))
    code, out, _ = lan_hil("--json")
    assert (code, json.loads(out)["verdict"]) == (0, None)


def test_after_an_interruption_at_any_recording_it_goes_on_to_the_same_result(
    lan_hil: Command, ears: list[Ears], fake_bench: FakeBench
) -> None:
    _, out, _ = lan_hil("--json")
    whole = _result(out)
    arrange = fake_bench.arrange

    for stop in range(1, 18):
        pieces = 0

        def interrupt(at: int = stop) -> None:
            nonlocal pieces
            pieces += 1
            if pieces == at:
                raise KeyboardInterrupt

        def interrupted(bench: Any, hook: Callable[[], None] = interrupt) -> None:
            arrange(bench)
            ears[-1].on_piece = hook

        fake_bench.arrange = interrupted
        code, _, err = lan_hil("--json", "--restart")
        assert (code, err.splitlines()[-1]) == (130, "lan-hil: interrupted")
        assert fake_bench.events[-2:] == ["reset", "close"]
        fake_bench.arrange = arrange
        code, out, err = lan_hil("--json")
        assert (code, _result(out)) == (0, whole)
        assert len(ears[-1].heard) == 18 - stop
        assert json.loads(out)["resumed"] == stop - 1
        if stop > 1:
            assert f"going on after {stop - 1} of 17 recordings" in err


def test_a_finished_run_is_started_anew(lan_hil: Command, ears: list[Ears]) -> None:
    lan_hil()
    _, out, err = lan_hil("--json")
    assert "going on" not in err
    assert json.loads(out)["resumed"] == 0
    assert len(ears[-1].heard) == 17


def test_a_part_that_was_played_counts_for_the_whole(lan_hil: Command, ears: list[Ears]) -> None:
    _, out, _ = lan_hil("--json", "--limit", "6")
    assert json.loads(out)["n"] == 6
    _, out, err = lan_hil("--json")
    assert "going on after 6 of 17 recordings" in err
    assert json.loads(out)["n"] == 17
    assert len(ears[-1].heard) == 11


def test_a_smaller_part_played_in_between_costs_an_interrupted_run_nothing(
    lan_hil: Command, ears: list[Ears], fake_bench: FakeBench
) -> None:
    """Of 12 answers the first 6 are asked for again; the other 6 are still there."""
    lan_hil("--limit", "12")
    _, out, err = lan_hil("--json", "--limit", "6")
    assert "going on" not in err
    assert (json.loads(out)["n"], len(ears[-1].heard)) == (6, 6)
    _, out, err = lan_hil("--json")
    assert "going on after 12 of 17 recordings" in err
    assert (json.loads(out)["n"], len(ears[-1].heard)) == (17, 5)


def test_restart_forgets(lan_hil: Command, ears: list[Ears]) -> None:
    lan_hil("--limit", "6")
    _, out, err = lan_hil("--json", "--restart")
    assert "going on" not in err
    assert json.loads(out)["resumed"] == 0


def test_another_dataset_is_not_gone_on_with(lan_hil: Command, ears: list[Ears], tmp_path: Path) -> None:
    lan_hil("--limit", "6")
    write_dataset(tmp_path / "digits", [("3_eve_0", 3)])
    _, out, _ = lan_hil("--json")
    assert (json.loads(out)["resumed"], json.loads(out)["n"]) == (0, 18)


def test_dropped_frames_block_the_run_and_are_no_result(
    lan_hil: Command, ears: list[Ears], fake_bench: FakeBench, tmp_path: Path
) -> None:
    arrange = fake_bench.arrange

    def lossy(bench: Any) -> None:
        arrange(bench)
        ears[-1].on_piece = lambda: setattr(ears[-1], "dropped", 2 if len(ears[-1].heard) == 3 else 0)

    fake_bench.arrange = lossy
    code, out, err = lan_hil()
    assert (code, out) == (3, "")
    assert "the DUT lost 2 of 6 frames: what it heard is not what was sent" in err
    fake_bench.arrange = arrange
    code, out, err = lan_hil("--json")
    assert (code, json.loads(out)["resumed"], json.loads(out)["dropped_frames"]) == (0, 3, 0)


def test_recordings_that_can_not_be_played_are_told_before_the_bench_is_touched(
    lan_hil: Command, ears: list[Ears], fake_bench: FakeBench, tmp_path: Path
) -> None:
    write_wave(tmp_path / "digits" / "1_eve_0.wav", audio(), channels=2)
    (tmp_path / "digits" / "2_eve_0.wav").touch()
    code, _, err = lan_hil()
    assert code == 2
    assert "1_eve_0.wav: stereo" in err
    assert "2_eve_0.wav: the file is empty" in err
    assert fake_bench.events == []


def test_a_network_with_other_labels_is_refused_before_anything_is_played(
    lan_hil: Command, ears: list[Ears], fake_bench: FakeBench
) -> None:
    arrange = fake_bench.arrange

    def other(bench: Any) -> None:
        arrange(bench)
        ears[-1].labels = ("yes", "no", "up", "down")

    fake_bench.arrange = other
    code, _, err = lan_hil()
    assert code == 2
    assert "the DUT's labels:     yes, no, up, down" in err
    assert "the dataset's labels: 0, 1, 2, 3, 9" in err
    assert ears[-1].pieces == []


def test_firmware_without_ears_is_sent_to_mlperf(
    lan_hil: Command, ears: list[Ears], fake_bench: FakeBench
) -> None:
    fake_bench.arrange = lambda bench: None
    code, _, err = lan_hil()
    assert code == 2
    assert "lan-hil mlperf accuracy" in err


def test_the_results_go_where_they_are_told_to(lan_hil: Command, ears: list[Ears], tmp_path: Path) -> None:
    lan_hil("--out", "elsewhere")
    assert sorted(path.suffix for path in (tmp_path / "elsewhere").iterdir()) == [".json", ".jsonl"]
    assert not (tmp_path / ".hil").exists()


def test_a_limit_of_nothing_is_wrong_use(lan_hil: Command, ears: list[Ears]) -> None:
    assert lan_hil("--limit", "0")[0] == 2
