"""`lan-hil mlperf` on a program on a pseudo terminal: each procedure, its files, and every way it can end."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_lan_hil.run.mlperf.results import parse

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs pseudo terminals")

PROGRAM = Path(__file__).parents[1] / "helpers" / "mlperf_dut.py"


def console(*arguments: str) -> list[str]:
    return ["--console", "exec:" + shlex.join([sys.executable, str(PROGRAM), *arguments])]


def lan_hil(folder: Path, *arguments: str, limit_s: float = 60) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").touch()
    command = [sys.executable, "-c", "from pytest_lan_hil.cli import main; main()", "mlperf", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=limit_s, check=False,
        env={**os.environ, "LAN_HIL_STATE": str(folder / "state")},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def dataset(folder: Path, labels: list[int], *, classes: int = 12) -> Path:
    """Inputs whose first byte is the class that the program will answer."""
    folder.mkdir()
    for index, label in enumerate(labels):
        (folder / f"{index}.bin").write_bytes(bytes([label]) * 490)
    rows = "".join(f"{index}.bin,{classes},{label}\n" for index, label in enumerate(labels))
    (folder / "y_labels.csv").write_text(rows)
    return folder


def rules(report: dict[str, Any]) -> dict[str, str]:
    return {one["rule"]: one["standing"] for one in report["rules"]}


def test_a_run_in_real_time_meets_every_rule_but_the_ten_seconds(tmp_path: Path) -> None:
    """Where the line of ten seconds is drawn is tested with the rules, a run that meets it on the virtual
    board: real windows of ten seconds would take a minute here."""
    inputs = dataset(tmp_path / "inputs", [3, 1, 4, 1, 5])
    program = console("--real-time", "--microseconds", "50000")
    done = lan_hil(
        tmp_path, "performance", *program, "--dataset", str(inputs), "--out", "run", "--json",
        "--inferences", "12",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert not report["simulated"]
    not_met = [rule for rule, standing in rules(report).items() if standing != "met"]
    assert not_met == ["at least 10 seconds and 10 iterations in every window"]
    median = report["median_throughput"]
    assert (median["value"], median["n"]) == (pytest.approx(20.0), 5)
    assert median["low"] < 20.0 < median["high"]
    assert [one["input"] for one in report["windows"]] == [f"{index}.bin" for index in range(5)]
    told = [max(range(12), key=one["results"].__getitem__) for one in report["windows"]]
    assert told == [3, 1, 4, 1, 5]
    text = (tmp_path / "run" / "results.txt").read_text()
    official = parse(text, "results.txt")
    assert [one.window for one in official.performance] == [2, 4, 6, 8, 10]
    assert [one.inferences for one in official.performance] == [12] * 5
    assert "SIMULATED" not in text
    assert not json.loads((tmp_path / "run" / "results.json").read_text())["valid"]


def test_windows_that_are_too_short_break_the_rule_in_the_runner_s_words(tmp_path: Path) -> None:
    program = console("--real-time", "--microseconds", "5000")
    done = lan_hil(tmp_path, "performance", *program, "--seconds", "0.2", "--out", "run")
    assert done.returncode == 1
    text = (tmp_path / "run" / "results.txt").read_text()
    assert text.count("e-[The run must take at least 10 seconds and 10 iterations to be valid]") == 5
    assert "! not met: at least 10 seconds and 10 iterations" in done.stdout
    assert "not met: the DUT's clock" not in done.stdout


def test_a_dut_whose_clock_runs_away_is_found_out(tmp_path: Path) -> None:
    done = lan_hil(tmp_path, "performance", *console(), "--json")  # its seconds are counted, not waited for
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert [rule for rule, standing in rules(report).items() if standing == "not met"] == [
        "the DUT's clock agrees with the host's to 2%"
    ]
    # The first window of this program passes the counter's wrap at 2^32 us.
    assert all(one["runtime_s"] == pytest.approx(10.5) for one in report["windows"])
    assert Path(report["folder"]).parent == tmp_path / ".hil" / "mlperf"


def test_another_number_of_windows_is_no_result(tmp_path: Path) -> None:
    done = lan_hil(tmp_path, "performance", *console(), "--windows", "3", "--inferences", "600", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, rules(report)["5 windows"]) == (1, "not met")
    assert [one["inferences"] for one in report["windows"]] == [600] * 3


def test_accuracy_of_a_classifier(tmp_path: Path) -> None:
    labels = [*range(12)] * 3
    inputs = dataset(tmp_path / "inputs", labels)
    wrong = "".join(
        f"{index}.bin,12,{label if index > 8 else (label + 1) % 12}\n" for index, label in enumerate(labels)
    )
    (inputs / "y_labels.csv").write_text(wrong)
    done = lan_hil(tmp_path, "accuracy", *console(), "--dataset", "inputs", "--out", "run", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    top = report["scores"]["Top-1"]
    assert (top["value"], top["n"]) == (27 / 36, 36)
    assert 0.55 < top["low"] < 0.75 < top["high"] < 0.9
    (quality,) = [one for one in report["rules"] if one["rule"].startswith("Top-1")]
    assert quality["standing"] == "open"
    assert "not the official dataset (36 inputs, it has 1000)" in quality["found"]
    text = (tmp_path / "run" / "results.txt").read_text()
    assert "ulp-mlperf: Top-1: 75.0%\n" in text
    assert (tmp_path / "run" / "log.txt").read_text().count('"dut infer 1 0"') == 36  # no warm-ups
    assert parse(text, "results.txt").top_1 == 75.0


def test_accuracy_of_an_anomaly_score_is_an_auc_over_files_cut_into_windows(tmp_path: Path) -> None:
    inputs = tmp_path / "ad01"
    inputs.mkdir()
    # Scores are distances from 128: one window of each anomaly is far off, the others are as the normal ones.
    for index in range(4):
        (inputs / f"normal{index}.bin").write_bytes(bytes([128 + index]) * 5120)
        (inputs / f"anomaly{index}.bin").write_bytes(bytes([128 + index]) * 2560 + bytes([228]) * 2560)
    rows = [
        f"{kind}{index}.bin,2,{int(kind == 'anomaly')},2560,1280"
        for kind in ("normal", "anomaly")
        for index in range(4)
    ]
    (inputs / "y_labels.csv").write_text("\n".join(rows))
    program = console("--model", "ad01", "--classes", "1")
    done = lan_hil(tmp_path, "accuracy", *program, "--dataset", ".", "--json", "--out", "run")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["inferences"] == 8 * 3
    assert report["scores"]["AUC"]["value"] == 1.0
    assert report["scores"]["AUC"]["low"] < 0.9
    assert report["top_1_percent"] is None
    assert "AUC: 1.00\n" in (tmp_path / "run" / "results.txt").read_text()


def test_every_answer_is_written_beside_its_label(tmp_path: Path) -> None:
    dataset(tmp_path / "inputs", [3, 1])
    done = lan_hil(tmp_path, "accuracy", *console(), "--dataset", "inputs", "--json", "--out", "run")
    assert done.returncode == 0, done.stderr
    answers = json.loads((tmp_path / "run" / "results.json").read_text())["answers"]
    assert [(one["input"], one["label"], one["inferences"]) for one in answers] == [
        ("0.bin", 3, 1),
        ("1.bin", 1, 1),
    ]
    assert [max(range(12), key=one["outputs"].__getitem__) for one in answers] == [3, 1]


@pytest.mark.parametrize(
    ("labels", "classes", "program", "told", "answered"),
    [
        ([3, 3, 3], 12, (), "all 3 inputs are of class 3", 0),
        ([0, 1, 1], 2, ("--classes", "1"), "Top-1 of keyword spotting needs a result for each class", 1),
        ([0, 2, 2], 3, ("--classes", "1", "--model", "x"), "0 of the dataset's 3 inputs are anomalies", 1),
    ],
)
def test_a_dataset_that_gives_no_score_is_refused_before_it_is_played(
    tmp_path: Path, labels: list[int], classes: int, program: tuple[str, ...], told: str, answered: int
) -> None:
    dataset(tmp_path / "inputs", labels, classes=classes)
    done = lan_hil(tmp_path, "accuracy", *console(*program), "--dataset", "inputs", "--out", "run")
    assert done.returncode == 2
    assert told in done.stderr
    assert (tmp_path / "run" / "log.txt").read_text().count('"dut infer 1 0"') == answered
    assert len(json.loads((tmp_path / "run" / "incomplete.json").read_text())["answers"]) == answered


def test_an_input_of_another_size_than_the_model_s_is_refused(tmp_path: Path) -> None:
    inputs = dataset(tmp_path / "inputs", [3])
    (inputs / "0.bin").write_bytes(b"\x03")
    done = lan_hil(tmp_path, "performance", *console(), "--dataset", "inputs")
    assert done.returncode == 2
    assert "1 bytes of 0.bin would be loaded for one inference, model kws01 takes 490" in done.stderr


def test_a_dataset_of_another_model_is_the_dut_s_protocol_error(tmp_path: Path) -> None:
    dataset(tmp_path / "inputs", [0, 1], classes=2)
    done = lan_hil(tmp_path, "accuracy", *console(), "--dataset", "inputs")
    assert done.returncode == 1
    assert "answered 12 results; the dataset has 2 classes" in done.stderr


def test_a_crash_in_a_window_leaves_what_was_measured_and_ends_with_1(tmp_path: Path) -> None:
    program = console("--crash-after", "1500")
    done = lan_hil(tmp_path, "performance", *program, "--inferences", "600", "--out", "run")
    assert done.returncode == 1
    assert "ended by SIGABRT" in done.stderr
    assert "arena too small" in done.stderr
    assert not (tmp_path / "run" / "results.txt").exists()
    left = json.loads((tmp_path / "run" / "incomplete.json").read_text())
    assert "SIGABRT" in left["error"]
    assert [(one["window"], one["inferences"]) for one in left["windows"]] == [(2, 600), (4, 600)]
    assert "m-infer-start-600" in (tmp_path / "run" / "log.txt").read_text()


def test_ctrl_c_in_the_third_window_leaves_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    command = [
        sys.executable, "-c", "from pytest_lan_hil.cli import main; main()", "mlperf", "performance",
        *console("--real-time", "--microseconds", "50000"), "--inferences", "20", "--out", "run",
    ]  # fmt: skip
    running = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "LAN_HIL_STATE": str(tmp_path / "state")},
    )  # fmt: skip
    assert running.stderr is not None
    try:
        for line in running.stderr:
            if line.startswith("window 3 of 5"):
                break
        running.send_signal(signal.SIGINT)
        rest = running.communicate(timeout=30)[1]
    finally:
        running.kill()
    assert running.returncode == 130
    assert "interrupted" in rest
    left = json.loads((tmp_path / "run" / "incomplete.json").read_text())
    assert left["error"] == "interrupted"
    assert [one["window"] for one in left["windows"]] == [2, 4]
    assert "m-infer-start-20" in (tmp_path / "run" / "log.txt").read_text()
    assert not (tmp_path / "run" / "results.txt").exists()


def test_a_run_that_fails_takes_the_results_of_an_earlier_one_out_of_its_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    lan_hil(tmp_path, "performance", *console(), "--out", "run")
    assert sorted(path.name for path in run.iterdir()) == ["log.txt", "results.json", "results.txt"]
    lan_hil(tmp_path, "performance", *console("--broken"), "--out", "run")
    assert sorted(path.name for path in run.iterdir()) == ["incomplete.json", "log.txt"]
    lan_hil(tmp_path, "performance", *console(), "--out", "run")
    assert sorted(path.name for path in run.iterdir()) == ["log.txt", "results.json", "results.txt"]


def test_a_folder_that_can_t_be_written_is_told_before_the_dut_is_asked_anything(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    asked = tmp_path / "asked"
    program = f"import sys; open({str(asked)!r}, 'w').write(sys.stdin.read(1))"
    uri = "exec:" + shlex.join([sys.executable, "-c", program])
    done = lan_hil(tmp_path, "performance", "--console", uri, "--out", "file/run")
    assert done.returncode == 2
    assert "writing file/run" in done.stderr
    assert not asked.exists()


def test_a_run_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    done = lan_hil(tmp_path, "performance", "--console", "/dev/nope", "--out", "run")
    assert done.returncode == 3
    assert not (tmp_path / "run").exists()


def test_results_that_can_t_be_written_after_all_are_said(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "results.txt").mkdir(parents=True)  # as good as a full disk
    done = lan_hil(tmp_path, "performance", *console(), "--out", "run")
    assert done.returncode == 2
    assert "Median throughput is 50.000 inf./sec." in done.stderr
    assert "Uncertainty of the median throughput" in done.stderr


def test_the_log_has_the_runner_s_form_without_the_pieces_of_an_input(tmp_path: Path) -> None:
    inputs = dataset(tmp_path / "inputs", [3])
    lan_hil(tmp_path, "performance", *console(), "--dataset", str(inputs), "--out", "run")
    lines = [line.split(" ", 1)[1] for line in (tmp_path / "run" / "log.txt").read_text().splitlines()]
    assert lines[:4] == [
        'parser: Command "dut name"',
        "dut: m-name-dut-[pty]",
        "dut: m-ready",
        'parser: Command "dut profile"',
    ]
    at = lines.index("parser: Sending 490 bytes")
    assert lines[at + 1] == 'parser: Command "dut infer 1 1"'


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["speed", *console()], 2, "no such procedure"),
        (["performance"], 2, "one of --board and --console"),
        (["performance", "--board", "nrf52840", *console()], 2, "one of --board and --console"),
        (["performance", *console(), "--seconds", "nan"], 2, "not a length of time"),
        (["performance", *console(), "--windows", "0"], 2, "--windows"),
        (["performance", *console(), "--dataset", "nowhere"], 2, "there is no such folder"),
        (["performance", *console(), "--dataset", "."], 2, "no y_labels.csv"),
        (["accuracy", *console()], 2, "needs inputs and their labels"),
        (["energy", *console()], 2, "nothing measures power"),
        (["performance", "--board", "nrf52840", "--analyzer", "joulescope:"], 2, "--analyzer goes with"),
        (["energy", *console(), "--analyzer", "joulescope:", "--marker", "gpi0"], 2, "does not wire"),
        (["energy", *console(), "--analyzer", "joulescope:"], 2, "no --marker names 'timestamp' or 'phase'"),
        (["performance", "--console", "exec:"], 2, "names no program"),
        (["performance", "--console", "exec:./nope"], 3, "No such file"),
        (["performance", "--console", "/dev/nope"], 3, "can't open console"),
        (["performance", *console("--pin")], 1, "without m-lap-us"),
        (["performance", *console("--broken")], 1, "not all numbers"),
    ],
)  # fmt: skip
def test_what_can_t_be_played_is_told_with_its_exit_code(
    tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    done = lan_hil(tmp_path, *arguments)
    assert told in done.stderr
    assert "internal error" not in done.stderr
    assert done.returncode == code
