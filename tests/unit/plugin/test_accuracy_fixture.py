"""The `accuracy` fixture: what it measures, what the budget makes of it, and what the record keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_bench import DESK, FakeBench
from fake_ears import Ears, write_dataset

ON_DESK = ("--board", "nrf52840", "--bench", "desk", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
DIGITS = [(f"{digit}_{who}_{k}", digit) for digit in range(10) for who in ("ann", "bob") for k in range(3)]
JUDGED = """
    import pytest

    @pytest.mark.accuracy_budget(percent=93.5)
    def test_digits(dut, accuracy):
        found = accuracy.evaluate("digits")
        assert found.n == 60
"""


@pytest.fixture
def ears(pytester: pytest.Pytester, fake_bench: FakeBench) -> list[Ears]:
    """A bench `desk`, recordings beside the test file, and the ears of each time that the bench was open."""
    (pytester.mkdir("benches") / "desk.toml").write_text(DESK)
    write_dataset(pytester.path / "digits", DIGITS)
    opened: list[Ears] = []
    fake_bench.arrange = lambda bench: opened.append(Ears(bench.console._port))
    return opened


def _run(pytester: pytest.Pytester, source: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    pytester.makepyfile(source)
    result = pytester.runpytest_inprocess(*ON_DESK)
    (path,) = pytester.path.glob(".hil/runs/*/record.json")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result, record


def _mislabel(pytester: pytest.Pytester, count: int) -> None:
    for path in sorted((pytester.path / "digits").glob("1_*.wav"))[:count]:
        path.rename(path.with_name("7" + path.name[1:].replace("_", "_x", 1)))


def test_a_dut_that_hears_everything_is_within_and_all_is_on_record(
    pytester: pytest.Pytester, ears: list[Ears]
) -> None:
    result, record = _run(pytester, JUDGED)
    result.assert_outcomes(passed=1)
    (test,) = record["tests"]
    accuracy = test["measurements"]["accuracy"]
    assert (accuracy["n"], accuracy["estimate"]["statistic"], accuracy["estimate"]["value"]) == (
        60,
        "share",
        100.0,
    )
    assert accuracy["estimate"]["low"] == pytest.approx(93.98, abs=0.01)
    assert test["measurements"]["confidence"]["estimate"]["value"] == pytest.approx(90.0)
    assert test["measurements"]["dropped_frames"]["estimate"]["value"] == 0.0
    assert [verdict["kind"] for verdict in test["verdicts"]] == ["within"]
    assert test["confusion"]["counts"][3][3] == 6
    assert sum(map(sum, test["confusion"]["counts"])) == 60
    page = next(pytester.path.glob(".hil/runs/*/report.html")).read_text("utf-8")
    assert '<table class="confusion">' in page


@pytest.mark.parametrize(("wrong", "outcome"), [(1, "errors"), (6, "failed")])
def test_too_many_wrong_fail_and_too_few_recordings_block(
    pytester: pytest.Pytester, ears: list[Ears], wrong: int, outcome: str
) -> None:
    source = JUDGED if wrong == 1 else JUDGED.replace("93.5", "97")
    _mislabel(pytester, wrong)
    result, record = _run(pytester, source)
    result.assert_outcomes(**{outcome: 1})
    if outcome == "errors":
        assert "recordings would settle it" in result.stdout.str()
    assert record["tests"][0]["confusion"]["counts"][7][1] == wrong


def test_dropped_frames_block_the_test(
    pytester: pytest.Pytester, ears: list[Ears], fake_bench: FakeBench
) -> None:
    def lossy(bench: Any) -> None:
        ears.append(Ears(bench.console._port))
        ears[-1].dropped = 1

    fake_bench.arrange = lossy
    result, record = _run(pytester, JUDGED)
    result.assert_outcomes(errors=1)
    assert record["outcome"] == "blocked"
    assert "what it heard is not what was sent" in record["tests"][0]["message"]
    assert "accuracy" not in record["tests"][0]["measurements"]


def test_a_part_a_loaded_dataset_and_no_second_one(pytester: pytest.Pytester, ears: list[Ears]) -> None:
    result, record = _run(
        pytester,
        """
        from pathlib import Path

        import pytest

        from pytest_lan_hil.model.errors import InputError
        from pytest_lan_hil.run.accuracy.dataset import load_dataset

        def test_part(dut, accuracy):
            dataset = load_dataset(Path(__file__).parent / "digits")
            assert accuracy.evaluate(dataset, limit=10).correct == 10
            with pytest.raises(InputError, match="evaluates a second dataset"):
                accuracy.evaluate(dataset)
        """,
    )
    result.assert_outcomes(passed=1)
    assert record["tests"][0]["measurements"]["accuracy"]["n"] == 10


def test_a_budget_without_an_evaluation_says_what_to_call(
    pytester: pytest.Pytester, ears: list[Ears]
) -> None:
    result, _ = _run(
        pytester,
        """
        import pytest

        @pytest.mark.accuracy_budget(percent=93.5)
        def test_digits(dut):
            dut.name()
        """,
    )
    assert result.ret != 0
    assert "accuracy.evaluate(" in result.stdout.str()
