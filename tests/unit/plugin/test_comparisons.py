"""`no_regression`, `--hil-compare`, `--hil-until-decided`: what a session compares, repeats and says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from fake_bench import DESK, FakeBench

from pytest_lan_hil.publish.baseline_file import write_baseline
from pytest_lan_hil.run.baseline_runs import recorded

ON_DESK = ("--board", "nrf52840", "--bench", "desk", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
WIRES = '[markers]\ninference = "gpi0"\nphase = "gpi1"\n'
COMPARED = """
    import pytest

    @pytest.mark.no_regression("power", margin={margin})
    def test_listening(dut):
        dut.run_for(1)
"""


class Meter:
    """Makes the fake analyzer see a firmware that draws `factor` times as much, and more unevenly.

    Each session measures the same as the others, each capture of a session something else.
    """

    def __init__(self, fake_bench: FakeBench) -> None:
        self.factor = 1.0
        self.unevenness = 0.0
        fake_bench.arrange = self._arrange

    def _arrange(self, opened: Any) -> None:
        stop, random = opened.analyzer.stop, np.random.default_rng(1)

        def uneven() -> Any:
            capture = stop()
            count = len(capture.current_a)
            blocks = random.normal(0.0, self.unevenness, -(-count // 1000))
            scale = self.factor * (1 + np.repeat(blocks, 1000)[:count])
            return replace(capture, current_a=(capture.current_a * scale).astype(np.float32))

        opened.analyzer.stop = uneven


@pytest.fixture
def meter(pytester: pytest.Pytester, fake_bench: FakeBench) -> Meter:
    (pytester.mkdir("benches") / "desk.toml").write_text(DESK + WIRES)
    return Meter(fake_bench)


def _run(pytester: pytest.Pytester, source: str, *arguments: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    before = set(_records(pytester))
    pytester.makepyfile(test_it=source)
    result = pytester.runpytest_inprocess(*ON_DESK, *arguments)
    (path,) = set(_records(pytester)) - before
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result, record


def _records(pytester: pytest.Pytester) -> list[Path]:
    return list(pytester.path.glob(".hil/runs/*/record.json"))


def _save(pytester: pytest.Pytester, folder: str = "baselines") -> Path:
    """What `lan-hil baseline save` makes of the only run."""
    (path,) = _records(pytester)
    file = pytester.path / folder / "nrf52840.desk.json"
    write_baseline(recorded(path).baseline, file)
    return file


def _saved(pytester: pytest.Pytester, margin: float) -> str:
    """A project with a baseline; returns its tests."""
    source = COMPARED.format(margin=margin)
    _run(pytester, source)
    _save(pytester)
    return source


def _kinds(record: dict[str, Any]) -> list[list[str]]:
    return [[one["kind"] for one in test["comparisons"]] for test in record["tests"]]


# --- one test -------------------------------------------------------------------------------------------


def test_a_missing_baseline_blocks_with_the_command_and_is_on_record(
    pytester: pytest.Pytester, meter: Meter
) -> None:
    result, record = _run(pytester, COMPARED.format(margin=0.1))
    result.assert_outcomes(errors=1)
    said = result.stdout.str()
    assert "no baseline for power of test_it.py::test_listening" in said
    assert "lan-hil baseline save --board nrf52840 --bench desk" in said
    assert record["outcome"] == "blocked"
    assert _kinds(record) == [["inconclusive"]]
    # and what that command takes is there
    assert _save(pytester).is_file()


def test_the_same_firmware_is_within_and_a_hungrier_one_fails(
    pytester: pytest.Pytester, meter: Meter
) -> None:
    source = _saved(pytester, 0.1)
    result, record = _run(pytester, source)
    result.assert_outcomes(passed=1)
    assert _kinds(record) == [["within"]]
    assert record["measurements"]["power"]["n"] > 0
    meter.factor = 1.3
    result, record = _run(pytester, source, "--junitxml=junit.xml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*test_it.py:*: the DUT failed: power mean *worse by more than the margin of 10 %*", "*REGRESSED*"]
    )
    case = next(ElementTree.parse(pytester.path / "junit.xml").iter("testcase"))
    properties = {node.get("name"): node.get("value") for node in case.iter("property")}
    assert properties["hil_power_comparison"] == "regressed"
    assert float(properties["hil_power_change"] or 0) > 0
    (page,) = pytester.path.glob(f".hil/runs/{record['run_id']}/report.html")
    assert 'class="badge regressed"' in page.read_text("utf-8")


def test_an_open_comparison_blocks_passes_or_fails_as_asked(pytester: pytest.Pytester, meter: Meter) -> None:
    meter.unevenness = 0.5
    source = _saved(pytester, 0.02)
    for policy, outcome in (("block", "errors"), ("pass", "passed"), ("fail", "failed")):
        result, record = _run(pytester, source, f"--hil-inconclusive={policy}")
        result.assert_outcomes(**{outcome: 1})
        assert _kinds(record) == [["inconclusive"]]
        if policy != "pass":
            assert "would settle it" in result.stdout.str() or "too uncertain" in result.stdout.str()


def test_a_baseline_of_another_bench_is_refused_with_both(pytester: pytest.Pytester, meter: Meter) -> None:
    source = _saved(pytester, 0.1)
    file = pytester.path / "baselines" / "nrf52840.desk.json"
    tree = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**tree, "bench": "lab", "simulated": True}), encoding="utf-8")
    result, record = _run(pytester, source)
    result.assert_outcomes(errors=1)
    said = result.stdout.str()
    assert "board nrf52840 on bench lab (SIMULATED)" in said
    assert "board nrf52840 on bench desk (real)" in said
    assert _kinds(record) == [[]]


def test_a_budget_that_is_over_fails_whatever_is_wrong_with_the_baseline(
    pytester: pytest.Pytester, meter: Meter
) -> None:
    file = pytester.path / "baselines" / "nrf52840.desk.json"
    file.parent.mkdir()
    file.write_text("no baseline", encoding="utf-8")
    source = COMPARED.format(margin=0.1).replace(
        "@pytest", "@pytest.mark.power_budget(0.001)\n    @pytest", 1
    )
    result, record = _run(pytester, source, "--hil-until-decided=100")
    result.assert_outcomes(failed=1)
    assert len(record["tests"]) == 1


def test_baselines_stand_where_the_project_says(pytester: pytest.Pytester, meter: Meter) -> None:
    pytester.makeini("[pytest]\nhil_baselines = accepted\n")
    source = COMPARED.format(margin=0.1)
    result, _ = _run(pytester, source)
    assert f"--baselines {pytester.path / 'accepted'}" in result.stdout.str()
    _save(pytester, "accepted")
    result, _ = _run(pytester, source)
    result.assert_outcomes(passed=1)


# --- every test -----------------------------------------------------------------------------------------

TWO = """
    import pytest

    @pytest.mark.power_budget(5)
    def test_listening(dut):
        dut.run_for(1)

    @pytest.mark.latency_budget(20, percentile=50)
    @pytest.mark.memory_budget(32)
    def test_work(dut):
        dut.infer(100)
"""


def test_hil_compare_compares_every_judged_quantity_with_an_earlier_run(
    pytester: pytest.Pytester, meter: Meter
) -> None:
    result, first = _run(pytester, TWO)
    result.assert_outcomes(passed=2)
    assert _kinds(first) == [[], []]
    for reference in (first["run_id"], "latest", str(_records(pytester)[0])):
        result, record = _run(pytester, TWO, f"--hil-compare={reference}")
        result.assert_outcomes(passed=2)
        assert _kinds(record) == [["within"], ["within", "within"]]
    meter.factor = 1.3
    result, _ = _run(pytester, TWO, f"--hil-compare={first['run_id']}")
    result.assert_outcomes(passed=1, failed=1)


def test_a_reference_that_is_nothing_is_refused_before_anything_runs(
    pytester: pytest.Pytester, meter: Meter, fake_bench: FakeBench
) -> None:
    _run(pytester, TWO)
    fake_bench.events.clear()
    for reference, said in (("main", "--hil-compare main: the ledger knows no"), ("no.json", "no.json")):
        result = pytester.runpytest_inprocess(*ON_DESK, f"--hil-compare={reference}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert said in result.stderr.str()
    assert fake_bench.events == []


def test_the_family_is_every_comparison_that_the_board_was_asked_for(
    pytester: pytest.Pytester, meter: Meter
) -> None:
    """Deselected and skipped tests do not count, nor does what is measured and not compared."""
    pytester.makeconftest(
        """
        from pytest_lan_hil.fixtures import SESSION

        def pytest_runtest_setup(item):
            print("FAMILIES", item.config.stash[SESSION].families)
        """
    )
    source = TWO + "\n    @pytest.mark.boards('stm32f4')\n    @pytest.mark.no_regression('power')\n"
    source += "    def test_elsewhere(dut):\n        pass\n"
    result, _ = _run(pytester, source, "--hil-compare=baseline", "-s")
    assert "FAMILIES {'nrf52840': 3}" in result.stdout.str()
    result, _ = _run(pytester, source, "--hil-compare=baseline", "-s", "-k", "work")
    assert "FAMILIES {'nrf52840': 2}" in result.stdout.str()


# --- repeats --------------------------------------------------------------------------------------------

REPEATED = """
    import pytest

    made = []

    @pytest.fixture
    def anew():
        made.append(1)
        return len(made)

    @pytest.mark.no_regression("power", margin=0.06)
    def test_listening(dut, anew, record_property):
        print("repeat", anew)
        record_property("mine", anew)
        dut.run_for(1)

    def test_after(dut):
        assert dut.name()
"""


def test_an_open_test_is_repeated_and_reported_once(
    pytester: pytest.Pytester, meter: Meter, fake_bench: FakeBench
) -> None:
    meter.unevenness = 0.25
    _run(pytester, REPEATED)
    _save(pytester)
    fake_bench.events.clear()
    result, record = _run(
        pytester,
        REPEATED,
        "--hil-until-decided=1000",
        "--junitxml=junit.xml",
        "-o",
        "junit_family=xunit1",
        "-rP",
    )
    result.assert_outcomes(passed=2)
    repeats = [test for test in record["tests"] if test["comparisons"]]
    count = len(repeats)
    assert count > 1
    assert [test["outcome"] for test in repeats] == ["passed"] * count
    assert {test["message"] for test in repeats[:-1]} == {"not settled yet: measured again"}
    assert [kinds[0] for kinds in _kinds(record)[:count]] == ["inconclusive"] * (count - 1) + ["within"]
    assert repeats[-1]["comparisons"][0]["head"]["samples"] == count
    assert f"test_listening[nrf52840]: measured {count} times until it was settled" in result.stdout.str()
    assert "tests: 2 passed, 0 failed, 0 blocked" in result.stdout.str()
    assert f"repeat {count}" in result.stdout.str()
    assert "repeat 1\n" not in result.stdout.str()
    # the run pools the repeats, as it pools tests
    assert record["measurements"]["power"]["n"] == sum(test["measurements"]["power"]["n"] for test in repeats)
    # flashed once, reset before each
    assert fake_bench.events.count("flash") == 1
    assert fake_bench.events.count("reset") >= count + 1
    cases = list(ElementTree.parse(pytester.path / "junit.xml").iter("testcase"))
    assert len(cases) == 2
    assert [node.get("value") for node in cases[0].iter("property") if node.get("name") == "mine"] == [
        str(count)
    ]


def test_a_time_box_that_ends_leaves_the_test_blocked_with_what_would_settle_it(
    pytester: pytest.Pytester, meter: Meter
) -> None:
    meter.unevenness = 0.25
    source = _saved(pytester, 0.06)
    result, record = _run(pytester, source, "--hil-until-decided=1e-6")
    result.assert_outcomes(errors=1)
    assert len(record["tests"]) == 1
    assert "one more would not end within the 1e-06 s of --hil-until-decided" in result.stdout.str()
    assert "save it from about 2 runs (it has 1), and run as many" in result.stdout.str()


def test_a_test_that_fails_is_not_repeated(pytester: pytest.Pytester, meter: Meter) -> None:
    meter.unevenness = 0.25
    source = _saved(pytester, 0.06) + "        assert False\n"
    result, record = _run(pytester, source, "--hil-until-decided")
    result.assert_outcomes(failed=1)
    assert len(record["tests"]) == 1


def test_a_repeat_whose_teardown_fails_is_the_last(pytester: pytest.Pytester, meter: Meter) -> None:
    meter.unevenness = 0.25
    source = _saved(pytester, 0.06).replace("(dut)", "(dut, bad)")
    source += "\n    @pytest.fixture\n    def bad():\n        yield\n        raise OSError('cable')\n"
    result, record = _run(pytester, source, "--hil-until-decided")
    result.assert_outcomes(passed=1, errors=1)
    assert [test["outcome"] for test in record["tests"]] == ["blocked"]


def test_ctrl_c_in_a_repeat_keeps_the_repeats_before(pytester: pytest.Pytester, meter: Meter) -> None:
    meter.unevenness = 0.25
    source = _saved(pytester, 0.06)
    count = "\n    times = []\n"
    body = "        times.append(1)\n        if len(times) == 2:\n            raise KeyboardInterrupt\n"
    pytester.makepyfile(test_it=source + body + count)
    before = set(_records(pytester))
    pytester.runpytest_inprocess(*ON_DESK, "--hil-until-decided", no_reraise_ctrlc=True)
    (path,) = set(_records(pytester)) - before
    record = json.loads(path.read_text(encoding="utf-8"))
    assert [test["outcome"] for test in record["tests"]] == ["passed", "interrupted"]
    assert record["outcome"] == "interrupted"


# --- options, markers, places ---------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["tests", "0", "-1", "inf", "nan"])
def test_a_time_box_that_is_none_is_told_how_to_write_it(pytester: pytest.Pytester, text: str) -> None:
    result = pytester.runpytest_inprocess(*ON_DESK, "--hil-until-decided", text)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--hil-until-decided=60" in result.stderr.str()


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ('no_regression("latncy")', "'latncy' is not a quantity"),
        ('no_regression("latency", margin=10)', "0.10 is 10 % of the baseline"),
        ("no_regression", "names no quantity, and the test has no budget"),
    ],
)
def test_a_wrong_marker_is_a_collection_error(pytester: pytest.Pytester, marker: str, said: str) -> None:
    pytester.makepyfile(f"import pytest\n\n@pytest.mark.{marker}\ndef test_it(dut):\n    pass\n")
    result = pytester.runpytest_inprocess(*ON_DESK[4:], "--strict-markers")
    result.assert_outcomes(errors=1)
    assert said in result.stdout.str()


def test_a_marker_on_a_test_without_dut_is_a_collection_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile('import pytest\n\n@pytest.mark.no_regression("power")\ndef test_it():\n    pass\n')
    result = pytester.runpytest_inprocess(*ON_DESK[4:])
    result.assert_outcomes(errors=1)
    assert "def test_it(dut)" in result.stdout.str()


def test_the_dry_run_says_what_would_be_compared_with_what(pytester: pytest.Pytester, meter: Meter) -> None:
    pytester.makepyfile(COMPARED.format(margin=0.05))
    result = pytester.runpytest_inprocess(*ON_DESK, "--hil-dry-run")
    file = pytester.path / "baselines" / "nrf52840.desk.json"
    result.stdout.fnmatch_lines([f"*compare power with {file}, margin 5 %, at least 0.01 mW"])


def test_on_github_failed_and_blocked_tests_are_marked_at_their_lines(
    pytester: pytest.Pytester, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path.parent))
    source = """
        import pytest

        def test_wrong(dut):
            name = dut.name()
            assert name == "100 %: nobody"

        @pytest.mark.no_regression("power")
        def test_new(dut):
            dut.run_for(1)

        def test_right(dut):
            dut.name()
    """
    result, _ = _run(pytester, source)
    marks = [line for line in result.outlines if line.startswith("::error")]
    assert len(marks) == 2
    folder = pytester.path.name
    failed, blocked = marks
    assert failed.startswith(
        f"::error file={folder}/test_it.py,line=5,title=test_wrong[nrf52840]%3A failed::"
    )
    assert "100 %25: nobody" in failed
    assert blocked.startswith(
        f"::error file={folder}/test_it.py,line=7,title=test_new[nrf52840]%3A blocked::"
    )
    assert "%0A  fix: save one" in blocked
    monkeypatch.delenv("GITHUB_ACTIONS")
    result, _ = _run(pytester, source)
    assert not [line for line in result.outlines if line.startswith("::")]
