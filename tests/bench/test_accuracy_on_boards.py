"""`lan-hil accuracy` on the firmware itself: on the virtual board, and as a process of this host."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_ears import FRAME, write_wave

VIRTUAL = ("--board", "nrf52840", "--bench", "virtual")
DESKTOP = ("--board", "desktop", "--bench", "desktop")
SPEECH = Path(__file__).parents[2] / "datasets" / "spoken-digits"
COMMAND = [sys.executable, "-c", "from pytest_lan_hil.cli import main; main()", "accuracy"]


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "LAN_HIL_STATE": str(folder / "state"),
        "LAN_HIL_VIRTUAL_STATE": str(folder / "state" / "virtual"),
    }


def accuracy(folder: Path, *arguments: str) -> dict[str, Any]:
    """Play `digits` of the folder; the JSON that came of it."""
    (folder / "pytest.ini").touch()
    done = subprocess.run(
        [*COMMAND, "--dataset", "digits", "--json", *arguments],
        cwd=folder, env=_environment(folder), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    tree: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == {"within": 0, "over": 1, "inconclusive": 3, None: 0}[tree["verdict"]]
    return tree


def replies(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """What was answered, without how long it took."""
    path = Path(tree["file"]).with_suffix(".jsonl")
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()[1:]]
    return [{key: value for key, value in line.items() if not key.endswith("_s")} for line in lines]


def sounds(folder: Path, count: int, *, rate: int = 8000) -> Path:
    """Recordings of which nobody can say what they are: bursts of noise and of tones, long and short."""
    (folder / "digits").mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        length = int(rng.integers(rate // 5, rate))
        tone = 6000 * np.sin(np.arange(length) * rng.uniform(0.1, 1.5))
        burst = tone * np.hanning(length) + rng.normal(0, 50 + 200 * (number % 3), length)
        name = f"{number % 10}_{'ab'[number % 2]}_{number}.wav"
        write_wave(folder / "digits" / name, np.rint(burst).astype(np.int16), rate=rate)
    return folder


def test_the_virtual_board_hears_every_frame_and_answers_the_same_each_time(tmp_path: Path) -> None:
    folder = sounds(tmp_path, 9)
    for digit in "159":  # what a network has learned to tell apart
        shutil.copy(min(SPEECH.glob(f"{digit}_*.wav")), folder / "digits")
    first = accuracy(folder, *VIRTUAL)
    assert (first["n"], first["simulated"], first["dropped_frames"], first["resent"]) == (12, True, 0, 0)
    lengths = [(path.stat().st_size - 44) // 2 for path in (folder / "digits").iterdir()]
    assert first["frames"] == sum(-(-length // FRAME) for length in lengths)
    assert 0 < first["frames_ran"] <= first["frames"]
    assert first["labels"] == [*"0123456789", "silence", "unknown"]
    assert sum(map(sum, first["confusion"])) == 12
    assert first["dut_s"] > first["audio_s"] * 2 * 8000 * 10 / 115200
    assert len({reply["answer"] for reply in replies(first)}) > 1
    again = accuracy(folder, *VIRTUAL)
    assert replies(again) == replies(first)


@pytest.mark.skipif(shutil.which("cc") is None or os.name != "posix", reason="needs a C compiler")
def test_the_same_sources_on_this_host_give_the_same_answers(tmp_path: Path) -> None:
    folder = sounds(tmp_path, 12)
    desktop, chip = accuracy(folder, *DESKTOP), accuracy(folder, *VIRTUAL)
    assert not desktop["simulated"]
    assert replies(desktop) == replies(chip)
    assert desktop["confusion"] == chip["confusion"]


def test_a_recording_at_another_rate_is_resampled_and_said_so(tmp_path: Path) -> None:
    tree = accuracy(sounds(tmp_path, 2, rate=16000), *VIRTUAL)
    assert tree["resampled"] == {"16000": 2}
    assert tree["frames"] == pytest.approx(tree["audio_s"] * 8000 / FRAME, abs=2)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_leaves_a_journal_that_the_next_run_goes_on_with(tmp_path: Path) -> None:
    folder = sounds(tmp_path, 24)
    (folder / "pytest.ini").touch()
    process = subprocess.Popen(
        [*COMMAND, "--dataset", "digits", *VIRTUAL], cwd=folder, env=_environment(folder),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    stop = time.monotonic() + 60
    while time.monotonic() < stop and process.poll() is None:
        journals = list(folder.glob(".hil/accuracy/*.jsonl"))
        if journals and journals[0].read_text("utf-8").count("\n") > 3:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.splitlines()[-1]) == (130, "lan-hil: interrupted")
    resumed = accuracy(folder, *VIRTUAL)
    assert 3 <= resumed["resumed"] < 24
    assert replies(accuracy(folder, *VIRTUAL)) == replies(resumed)
