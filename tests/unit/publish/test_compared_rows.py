"""What comparisons look like: signs, shares and units, repeats, and GitHub's annotations."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publish_samples import (
    COMPARED,
    COMPARING,
    HELD,
    NO_BASELINE,
    RECORD,
    REGRESSED,
    REPEATED,
    UNDECIDED,
    comparison,
)

from pytest_lan_hil.model.comparison import Arm
from pytest_lan_hil.model.measurement import Outcome, VerdictKind
from pytest_lan_hil.model.record import RunKind
from pytest_lan_hil.publish.comparisons import last_repeats, repeat_lines, run_comparisons
from pytest_lan_hil.publish.github import Annotation, annotation_line, wants_annotations
from pytest_lan_hil.publish.html import render_html
from pytest_lan_hil.publish.junit import properties
from pytest_lan_hil.publish.numbers import arm_text, change_text, margin_text
from pytest_lan_hil.publish.overview import overview_lines
from pytest_lan_hil.publish.rows import fault_of, message_lines, run_rows
from pytest_lan_hil.publish.rows import test_counts as counts_of
from pytest_lan_hil.publish.text import render_text


def test_a_change_is_a_share_of_the_baseline_with_its_interval() -> None:
    assert change_text(REGRESSED) == "+18.9 % (+17.2 to +20.6)"
    assert margin_text(REGRESSED) == "10 %"
    assert change_text(HELD) == "+1.18 %"
    assert change_text(UNDECIDED) == "+1.87 % (not bounded)"


def test_a_change_from_nothing_is_said_in_the_unit() -> None:
    dropped = comparison(
        VerdictKind.REGRESSED, "dropped_frames", "ms", Arm(0.0, 0.0, 4.0, 3), Arm(0.5, 0.1, 4.0, 1),
        margin=0.1, half=0.2, reason="",
    )  # fmt: skip
    assert (change_text(dropped), margin_text(dropped)) == ("+0.50 ms (+0.30 to +0.70)", "0.1 ms")


def test_nothing_has_a_plus_and_no_minus() -> None:
    least = dataclasses.replace(REGRESSED, change=-1e-9, change_low=-0.02, change_high=0.02)
    assert change_text(least) == "+0.0 % (-1.8 to +1.8)"


def test_without_a_baseline_there_is_no_change_and_no_margin() -> None:
    assert (change_text(NO_BASELINE), margin_text(NO_BASELINE)) == ("", "")
    assert arm_text(None, "mW") == "none"
    assert arm_text(Arm(1.0, 0.01, 4.0, 1), "1") == "1.000 (1 run)"


def test_repeats_of_a_test_are_one_test() -> None:
    assert last_repeats(COMPARING.tests) == [COMPARED]
    assert counts_of(COMPARING) == "0 passed, 1 failed, 0 blocked"
    assert [row.test for row in run_comparisons(COMPARING)] == [COMPARED.nodeid] * 4


def test_a_test_that_another_plugin_ran_twice_is_still_two() -> None:
    """Nothing was compared: the first record is no repeat of ours, and its failure is not to be lost."""
    first = dataclasses.replace(RECORD.tests[1], comparisons=())
    second = dataclasses.replace(first, outcome=Outcome.PASSED)
    assert last_repeats((first, second)) == [first, second]


def test_the_line_on_repeats_says_whether_they_settled_it() -> None:
    assert repeat_lines(COMPARING) == ["test_again[nrf52840]: measured 2 times until it was settled"]
    open_test = dataclasses.replace(COMPARED, comparisons=(UNDECIDED, HELD))
    still = dataclasses.replace(COMPARING, tests=(REPEATED, open_test))
    assert repeat_lines(still) == ["test_again[nrf52840]: measured 2 times and is not settled"]
    assert repeat_lines(dataclasses.replace(COMPARING, kind=RunKind.AB)) == []
    assert repeat_lines(RECORD) == []


def test_what_was_compared_is_not_called_unjudged() -> None:
    verdicts = {row.quantity: row.verdict for row in run_rows(COMPARING)}
    assert set(verdicts.values()) == {"compared"}


def test_whose_fault_a_blocked_comparison_is() -> None:
    blocked = dataclasses.replace(COMPARED, outcome=Outcome.BLOCKED)
    assert fault_of(blocked) == "there is nothing to compare with: no verdict on the DUT"
    unsure = dataclasses.replace(blocked, comparisons=(UNDECIDED, HELD))
    assert fault_of(unsure) == "the samples can't settle it: no verdict on the DUT"


def test_a_message_does_not_say_again_what_a_comparison_says() -> None:
    test = dataclasses.replace(COMPARED, message=f"{REGRESSED.reason}\nmeasured 8 times, which is the most")
    assert message_lines(test) == ["measured 8 times, which is the most"]


def test_every_report_has_both_sides_and_the_verdict() -> None:
    for text in (render_html(COMPARING, {}), render_text(COMPARING)):
        for wanted in (
            "1.1021 mW (5 runs)",
            "1.3105 mW (1 run)",
            "+18.9 % (+17.2 to +20.6)",
            REGRESSED.reason,
        ):
            assert wanted in text


def test_the_page_tells_repeats_apart() -> None:
    page = render_html(COMPARING, {})
    assert '<span class="on">repeat 1</span>' in page
    assert '<span class="on">repeat 2</span>' in page
    assert "repeat" not in render_html(RECORD, {})


def test_properties_of_a_comparison() -> None:
    found = dict(properties(COMPARED))
    assert found["hil_power_comparison"] == "regressed"
    assert float(found["hil_power_base"]) == 1.1021
    assert float(found["hil_power_change"]) == REGRESSED.change
    assert float(found["hil_power_margin"]) == REGRESSED.margin
    assert found["hil_latency_change_high"] == "inf"
    assert found["hil_energy_comparison"] == "inconclusive"
    assert "hil_energy_change" not in found


def test_the_table_over_several_boards_has_what_each_was_compared_with() -> None:
    other = dataclasses.replace(COMPARING, board="stm32f4", simulated=False)
    lines = overview_lines([COMPARING, other])
    rows = [line.split()[:2] for line in lines if "REGRESSED" in line]
    assert rows == [["nrf52840", "SIMULATED"], ["stm32f4", "hardware"]]
    assert any(line.startswith("SIMULATED:") for line in lines)


# --- annotations ----------------------------------------------------------------------------------------

texts = st.text(max_size=30)


@given(texts, texts)
def test_an_annotation_is_one_line_that_nothing_in_it_can_end(title: str, message: str) -> None:
    line = annotation_line(Annotation(Path("a/b.py"), 3, title, message), {})
    head, found, said = line.partition("::error ")[2].partition("::")
    assert "\n" not in line
    assert "\r" not in line
    assert found
    keys = [part.partition("=")[0] for part in head.split(",")]
    assert keys == ["file", "line", "title"]
    assert _unescaped(said) == message
    assert _unescaped(head.partition("title=")[2]) == title


def _unescaped(text: str) -> str:
    for code, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, sign)
    return text


def test_files_are_named_from_the_root_of_the_checkout() -> None:
    one = Annotation(Path("/home/ci/repo/fw/tests/test_a.py"), 7, "t", "m")
    assert annotation_line(one, {"GITHUB_WORKSPACE": "/home/ci/repo"}) == (
        "::error file=fw/tests/test_a.py,line=7,title=t::m"
    )
    assert "file=/home/ci/repo/fw/tests/test_a.py," in annotation_line(
        one, {"GITHUB_WORKSPACE": "/elsewhere"}
    )


@pytest.mark.parametrize(("value", "wanted"), [("true", True), ("false", False), ("", False), (None, False)])
def test_annotations_are_for_github_alone(value: str | None, wanted: bool) -> None:
    assert wants_annotations({} if value is None else {"GITHUB_ACTIONS": value}) is wanted
