"""How the DUT fares while it listens: time awake, frames, temperature, battery, sounds that are no speech.

What a board can't know (a chip without a sensor, a program of the host without a battery) skips with the
reason.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.run.robustness import Robustness

SPEECH = Path(__file__).resolve().parents[2] / "datasets" / "spoken-digits"


@pytest.mark.cpu_utilisation_budget(percent=40)
@pytest.mark.dropped_frames_budget(percent=0)
@pytest.mark.uptime_budget(s=10)
def test_listening_leaves_time_to_sleep_and_loses_no_frame(dut: Dut) -> None:
    dut.run_for(10)


# Twice the 31 frames of a second of audio.
@pytest.mark.throughput_budget(per_s=62)
def test_throughput_back_to_back(dut: Dut) -> None:
    dut.set_pace(0)
    dut.infer(200, warmups=5)


@pytest.mark.temperature_budget(degc=60)
def test_the_chip_stays_cool(dut: Dut) -> None:
    dut.run_for(2)


# Three months, at any power within the target.
@pytest.mark.battery_budget(h=2200)
def test_the_battery_lasts(dut: Dut) -> None:
    dut.run_for(10)


# Measured and reported, not judged: nobody has said yet how many of such sounds may be taken for a word.
def test_sounds_without_speech_are_put_on_record(dut: Dut, robustness: Robustness) -> None:
    measurement = robustness.false_positives(n=60)
    assert measurement.n == 60


@pytest.mark.confidence_budget(percent=60)
@pytest.mark.drift_score_budget(score=0.5)
def test_answers_to_speech_are_sure_and_its_features_are_those_of_the_training(
    dut: Dut, robustness: Robustness
) -> None:
    robustness.drift(SPEECH, limit=120)
