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


# At 3.3 mA awake, the nRF52840's 0.9 mW leave it 9 % of the time for work.
@pytest.mark.cpu_utilisation_budget(percent=10)
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


# A guard against getting worse, not what a product needs: clean chords and gliding tones are this network's
# weakness, and the model card says how often it takes them for digits. Noise, hum and silence it does not.
@pytest.mark.false_positive_rate_budget(percent=33)
def test_sounds_without_speech_are_not_taken_for_words(dut: Dut, robustness: Robustness) -> None:
    robustness.false_positives(n=60)


# A drift score above 0.25 is by habit called a great one. How sure the answers have to be is a guard.
@pytest.mark.confidence_budget(percent=80)
@pytest.mark.drift_score_budget(score=0.25)
def test_answers_to_speech_are_sure_and_its_features_are_those_of_the_training(
    dut: Dut, robustness: Robustness
) -> None:
    robustness.drift(SPEECH, limit=120)
