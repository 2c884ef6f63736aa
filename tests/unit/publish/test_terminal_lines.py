"""Terminal lines: simulated said in words, the deciding row, ASCII where need be, no steering by a DUT."""

from __future__ import annotations

import dataclasses

import pytest
from publish_samples import BLOCKED, FAILED, INCONCLUSIVE, LATENCY, OVER, PASSED, POWER, RECORD, WITHIN

from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.measurement import Budget, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.record import ConsoleLine, TestRecord
from pytest_lan_hil.publish.rows import run_rows
from pytest_lan_hil.publish.terminal import console_lines, failure_section, for_encoding, summary_lines


def test_a_real_run_is_not_called_simulated_and_a_simulated_one_is() -> None:
    assert any(line.startswith("SIMULATED") for line in summary_lines(RECORD))
    real = dataclasses.replace(RECORD, simulated=False)
    assert not any("SIMULATED" in line for line in summary_lines(real))


def test_row_of_a_budget_shows_the_worst_verdict_of_its_tests() -> None:
    better = dataclasses.replace(
        OVER, kind=VerdictKind.WITHIN, estimate=dataclasses.replace(POWER.estimate, value=0.5)
    )
    fine = dataclasses.replace(FAILED, nodeid="a::fine", outcome=Outcome.PASSED, verdicts=(better,))
    rows = run_rows(dataclasses.replace(RECORD, tests=(fine, FAILED)))
    assert rows[0].measured == "1.311 ± 0.021 mW"
    assert rows[0].verdict == "over (1 of 2 tests)"
    assert rows[0].test == FAILED.nodeid


def test_a_blocked_tests_measurement_is_no_row_unless_it_was_judged() -> None:
    test = dataclasses.replace(BLOCKED, measurements={"latency": LATENCY})
    assert run_rows(dataclasses.replace(RECORD, tests=(test,))) == []


def test_what_was_not_judged_is_shown_once_where_it_was_worst() -> None:
    def tested(name: str, degrees: float, seconds: float) -> TestRecord:
        warm, up = from_values("temperature", [degrees]), from_values("uptime", [seconds])
        return TestRecord(name, Outcome.PASSED, measurements={"temperature": warm, "uptime": up})

    tests = (tested("a", 30, 9), tested("b", 40, 8), tested("c", 35, 7))
    rows = run_rows(dataclasses.replace(RECORD, tests=tests))
    assert [(row.quantity, row.test) for row in rows] == [("temperature of the chip", "b"), ("uptime", "c")]


def test_a_share_shows_both_ends_of_its_interval_and_a_floor_its_sign() -> None:
    right = from_values("accuracy", [100.0] * 60)
    budget = Budget("accuracy", 93.5, "share", "marker")
    verdict = Verdict(VerdictKind.WITHIN, budget, "%", right.estimate, 60, "")
    test = TestRecord("a", Outcome.PASSED, measurements={"accuracy": right}, verdicts=(verdict,))
    (row,) = run_rows(dataclasses.replace(RECORD, tests=(test,)))
    assert (row.measured, row.budget) == ("100.0 % (94.0 to 100.0)", "≥ 93.5 %")


def test_a_plain_number_is_shown_without_a_unit() -> None:
    drift = from_values("drift_score", [0.0512], instrument_error=0.02)
    test = TestRecord("a", Outcome.PASSED, measurements={"drift_score": drift})
    (row,) = run_rows(dataclasses.replace(RECORD, tests=(test,)))
    assert (row.measured, row.interval) == ("0.051 ± 0.020", "0.031 to 0.071")


def test_failure_section_names_figure_budget_n_reason_and_firmware() -> None:
    text = "\n".join(failure_section(FAILED))
    for wanted in (
        "1.311 ± 0.021 mW",
        "n = 3",
        "≤ 1.2 mW (marker)",
        OVER.reason,
        "sha256 3f3f3f3f",
        "SIMULATED",
    ):
        assert wanted in text


def test_a_passed_test_has_no_failure_section() -> None:
    assert failure_section(PASSED) == []


def test_a_test_without_verdict_tells_whose_fault_it_is() -> None:
    blocked = "blocked: the bench, or what was asked of it, is at fault: no verdict on the DUT"
    assert failure_section(BLOCKED)[0] == blocked
    assert failure_section(INCONCLUSIVE)[0] == "blocked: the samples can't settle it: no verdict on the DUT"


def test_only_the_last_200_console_lines_are_shown() -> None:
    console = tuple(ConsoleLine(float(k), "<", f"line {k}") for k in range(250))
    lines = console_lines(console)
    assert len(lines) == 201
    assert lines[1].endswith("line 50")
    assert lines[-1].endswith("line 249")


@pytest.mark.parametrize("text", ["\x1b[2J", "\r", "\x9b", "\x00"])
def test_control_characters_of_the_dut_are_escaped(text: str) -> None:
    line = console_lines((ConsoleLine(0.0, "<", text),))[1]
    assert line.isprintable()
    assert "\\x" in line or "\\r" in line


def test_terminal_that_lacks_the_signs_gets_their_ascii_spelling() -> None:
    lines = for_encoding(["1 ± 2 ≤ 3 ≥ 4 – 5 … é"], "ascii")
    assert lines == ["1 +/- 2 <= 3 >= 4 - 5 ... \\xe9"]
    assert for_encoding(["1 ± 2 ≤ 3"], "latin-1") == ["1 +/- 2 <= 3"]
    assert for_encoding(["±"], "utf-8") == ["±"]
    assert for_encoding(["±"], None) == ["+/-"]
    assert for_encoding(["±"], "no-such-encoding") == ["+/-"]


def test_a_run_that_measured_nothing_says_so() -> None:
    assert "nothing was measured" in summary_lines(dataclasses.replace(RECORD, tests=(BLOCKED,)))


def test_rows_follow_the_quantity_table() -> None:
    assert [row.quantity for row in run_rows(RECORD)][:3] == ["latency per inference", "mean power", "memory"]
    assert WITHIN.budget.source == run_rows(RECORD)[2].source
