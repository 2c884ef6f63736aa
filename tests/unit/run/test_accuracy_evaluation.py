"""Replies to figures: shares by label and speaker, confusion, verdict, and how they are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.run.accuracy.dataset import Dataset, Recording
from pytest_lan_hil.run.accuracy.evaluation import Evaluation, Reply
from pytest_lan_hil.run.accuracy.report import Report, to_json, to_lines

LABELS = ("yes", "no", "silence")
ANSWERS = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from("ab"), st.sampled_from(LABELS)), min_size=1
)


def evaluation(
    answers: list[tuple[str, str, str]], *, simulated: bool = True, rate: int = 8000
) -> Evaluation:
    """Of replies: label, speaker, answer."""
    names = [f"{label}_{who}_{k}.wav" for k, (label, who, _) in enumerate(answers)]
    recordings = tuple(
        Recording(Path("digits") / name, label, who, k, rate, 0.5)
        for k, (name, (label, who, _)) in enumerate(zip(names, answers, strict=True))
    )
    replies = tuple(
        Reply(name, label, who, answer, 80.0 if label == answer else 40.0, 16, 12, 0, 0.5, 0.7, 0.2)
        for name, (label, who, answer) in zip(names, answers, strict=True)
    )
    return Evaluation(Dataset(Path("digits"), "ab" * 32, recordings), LABELS, replies, "firmware", simulated)


def report(right: int, n: int, target: float | None) -> Report:
    answers = [("yes", "a", "yes")] * right + [("yes", "a", "no")] * (n - right)
    return Report("nrf52840", "virtual", None, evaluation(answers), target, 0)


@given(ANSWERS)
def test_every_reply_counts_once_in_each_table(answers: list[tuple[str, str, str]]) -> None:
    made = evaluation(answers)
    for parts in (made.per_class, made.per_speaker):
        assert sum(part.n for part in parts) == made.n
        assert sum(part.correct for part in parts) == made.correct
    counts = made.confusion.counts
    assert sum(map(sum, counts)) == made.n
    assert sum(counts[k][k] for k in range(len(LABELS))) == made.correct
    assert made.accuracy.estimate.value == pytest.approx(100 * made.correct / made.n)
    assert made.accuracy.n == made.n


def test_the_tables_say_what_was_confused_with_what() -> None:
    made = evaluation(
        [
            ("yes", "a", "yes"),
            ("yes", "a", "no"),
            ("yes", "b", "no"),
            ("yes", "b", "silence"),
            ("no", "b", "no"),
        ]
    )
    yes, no = made.per_class
    assert (yes.name, yes.n, yes.correct, yes.confused, yes.confused_count) == ("yes", 4, 1, "no", 2)
    assert (no.name, no.n, no.correct, no.confused, no.confused_count) == ("no", 1, 1, "", 0)
    assert [(part.name, part.percent) for part in made.per_speaker] == [
        ("a", 50.0),
        ("b", pytest.approx(100 / 3)),
    ]
    assert made.confusion.counts == ((1, 2, 1), (0, 1, 0), (0, 0, 0))
    assert made.confidence.estimate.value == pytest.approx((80 * 2 + 40 * 3) / 5)


@pytest.mark.parametrize(
    ("right", "n", "target", "kind", "settled"),
    [
        (300, 300, 93.5, VerdictKind.WITHIN, None),
        (240, 300, 93.5, VerdictKind.OVER, None),
        (55, 55, 93.5, VerdictKind.INCONCLUSIVE, 56),
        (285, 300, 93.5, VerdictKind.INCONCLUSIVE, 1038),
        (187, 200, 93.5, VerdictKind.INCONCLUSIVE, None),
    ],
)
def test_the_verdict_is_made_from_the_whole_interval(
    right: int, n: int, target: float, kind: VerdictKind, settled: int | None
) -> None:
    made = report(right, n, target)
    assert made.verdict is not None
    assert made.verdict.kind is kind
    assert to_json(made)["settled_by_n"] == settled
    if settled:
        assert f"about {settled} recordings would settle it" in made.verdict.reason


def test_without_a_target_there_is_no_verdict() -> None:
    made = report(3, 4, None)
    assert made.verdict is None
    assert to_json(made)["verdict"] is None
    assert "no target: the board file has no accuracy_percent" in to_lines(made)


def test_json_has_what_was_promised_in_this_order() -> None:
    tree = to_json(report(285, 300, 93.5))
    assert list(tree)[:6] == ["board", "n", "correct", "accuracy_percent", "ci95_percent", "simulated"]
    assert (tree["board"], tree["n"], tree["correct"], tree["simulated"]) == ("nrf52840", 300, 285, True)
    assert tree["accuracy_percent"] == pytest.approx(95.0)
    low, high = tree["ci95_percent"]
    assert (low, high) == pytest.approx((91.92, 96.94), abs=0.01)
    assert tree["dataset_sha256"] == "ab" * 32
    assert tree["per_class"] == [
        {"label": "yes", "n": 300, "correct": 285, "accuracy_percent": 95.0, "ci95_percent": [low, high],
         "confused_with": "no", "confused": 15}
    ]  # fmt: skip
    assert tree["per_speaker"][0]["speaker"] == "a"
    assert tree["confusion"] == [[285, 15, 0], [0, 0, 0], [0, 0, 0]]
    assert (tree["audio_s"], tree["dut_s"], tree["wall_s"]) == pytest.approx((150.0, 210.0, 60.0))
    assert (tree["frames"], tree["frames_ran"], tree["dropped_frames"]) == (4800, 3600, 0)
    json.dumps(tree, allow_nan=False)


def test_the_lines_tell_the_figure_the_verdict_and_the_tables() -> None:
    said = to_lines(report(285, 300, 93.5))
    text = "\n".join(said)
    assert (
        "accuracy 95.00 %: 285 of 300 recordings named rightly, 95 % interval 91.92 to 96.95 % (Wilson)"
        in text
    )
    assert "inconclusive: accuracy share 95.0 % " in text
    assert "SIMULATED" in text
    assert "3.50 virtual seconds per second" in text
    assert ["yes", "300", "285", "95.0", "%", "91.9", "to", "96.9", "%", "no", "(15)"] in map(str.split, said)
    assert said[-2:] == ["     yes  no  silence", "yes  285  15        ."]


def test_a_target_that_is_missed_is_called_below() -> None:
    assert any(line.startswith("below: accuracy share") for line in to_lines(report(1, 100, 93.5)))


def test_a_real_board_has_no_virtual_seconds() -> None:
    made = Report("desk", "desk", None, evaluation([("yes", "a", "yes")], simulated=False), None, 0)
    assert not any("virtual" in line or "SIMULATED" in line for line in to_lines(made))


def test_what_was_resampled_is_said_in_every_form() -> None:
    made = evaluation([("yes", "a", "yes")] * 3, rate=16000)
    told = "3 of 3 recordings were resampled from 16000 Hz to 8000 Hz"
    assert told in made.accuracy.notes
    tree = to_json(Report("b", "c", None, made, None, 0))
    assert tree["resampled"] == {"16000": 3}
    assert f"note: {told}" in to_lines(Report("b", "c", None, made, None, 0))
