"""`--hil-ab`: which tests run in which order, what comes of them, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from fake_bench import DESK, FakeBench

from pytest_lan_hil.publish.ledger import Ledger
from pytest_lan_hil.publish.ledger_read import RunFilter

ROOT = Path(__file__).resolve().parents[3]
LAN = ROOT / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
ON_DESK = ("--board", "nrf52840", "--bench", "desk", *QUIET)
WIRES = '[markers]\ninference = "gpi0"\nphase = "gpi1"\n'
TESTS = """
    import pytest

    @pytest.mark.power_budget(0.000001)
    def test_listening(dut):
        dut.run_for(1)

    @pytest.mark.parametrize("count", [100, 150])
    @pytest.mark.no_regression("latency", margin=0.05)
    def test_work(dut, count):
        dut.infer(count)
"""


class Two:
    """Two images of one firmware in a project; the head draws `factor` times as much."""

    def __init__(self, pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
        (pytester.mkdir("benches") / "desk.toml").write_text(DESK + WIRES)
        pytester.makeini("[pytest]\n")
        self.pytester = pytester
        self.bench = fake_bench
        self.factor = 1.0
        for name in ("base", "head"):
            (pytester.path / f"{name}.elf").write_bytes(LAN.read_bytes() + name.encode())
        fake_bench.arrange = self._arrange

    def _arrange(self, opened: Any) -> None:
        stop = opened.analyzer.stop

        def drawn() -> Any:
            capture = stop()
            head = opened.probe.flashed[-1].path.name == "head.elf"
            return replace(capture, current_a=capture.current_a * (self.factor if head else 1.0))

        opened.analyzer.stop = drawn

    def run(self, source: str, *arguments: str, images: tuple[str, str] = ("base.elf", "head.elf")) -> Any:
        self.pytester.makepyfile(test_it=source)
        return self.pytester.runpytest_inprocess(*ON_DESK, *arguments, "--hil-ab", *images)

    @property
    def record(self) -> dict[str, Any]:
        (path,) = self.pytester.path.glob(".hil/runs/*/record.json")
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return record


@pytest.fixture
def two(pytester: pytest.Pytester, fake_bench: FakeBench) -> Two:
    return Two(pytester, fake_bench)


def test_all_tests_of_a_step_run_before_the_next_flash(two: Two) -> None:
    result = two.run(TESTS, "-v")
    result.assert_outcomes(passed=24)
    names = [test["nodeid"].split("::")[1] for test in two.record["tests"]]
    assert names[:6] == [
        "test_listening[nrf52840-1-base]",
        "test_work[nrf52840-100-1-base]",
        "test_work[nrf52840-150-1-base]",
        "test_listening[nrf52840-2-head]",
        "test_work[nrf52840-100-2-head]",
        "test_work[nrf52840-150-2-head]",
    ]
    images = [Path(test["firmware"]["image"]).name for test in two.record["tests"][::3]]
    assert images == [f"{name}.elf" for name in ("base", "head", "head", "base") * 2]
    # A B B A A B B A: what is on the board already is not flashed again
    assert two.bench.events.count("flash") == 5
    result.stdout.fnmatch_lines(
        [
            f"lan-hil: base image {two.pytester.path}/base.elf (sha256 *)",
            f"lan-hil: head image {two.pytester.path}/head.elf (sha256 *)",
            "lan-hil: 2 blocks of base, head, head, base; a budget says what is compared, its limit is no*",
        ]
    )


def test_two_images_that_measure_alike_are_within_though_a_budget_is_exceeded(two: Two) -> None:
    result = two.run(TESTS)
    assert result.ret == 0
    record = two.record
    assert (record["kind"], record["measurements"]) == ("ab", {})
    assert all(test["verdicts"] == [] for test in record["tests"])
    # no table of single figures, of which each quantity has two
    assert "not judged" not in result.stdout.str()
    found = [one for test in record["tests"] for one in test["comparisons"]]
    assert [(one["subject"]["quantity"], one["subject"]["test"], one["kind"]) for one in found] == [
        ("power", "test_it.py::test_listening", "within"),
        ("latency", "test_it.py::test_work[100]", "within"),
        ("latency", "test_it.py::test_work[150]", "within"),
    ]
    result.stdout.fnmatch_lines(
        [
            "quantity * base image * head image * verdict *",
            "latency per inference *within * test_work?100?",
            "base image: *base.elf, sha256 *",
            "head image: *head.elf, sha256 *",
            "pushgateway: not pushed: two images were compared*",
        ]
    )


def test_a_hungrier_head_fails_and_is_told_everywhere(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(two.pytester.path / "summary.md"))
    two.factor = 1.3
    result = two.run(TESTS, "--junitxml=junit.xml", "-k", "listening")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["mean power * REGRESSED  test_listening"])
    cases = {
        case.get("name"): {node.get("name"): node.get("value") for node in case.iter("property")}
        for case in ElementTree.parse(two.pytester.path / "junit.xml").iter("testcase")
    }
    assert cases["test_listening[nrf52840-8-base]"]["hil_power_comparison"] == "regressed"
    assert "hil_power_comparison" not in cases["test_listening[nrf52840-7-head]"]
    (page,) = two.pytester.path.glob(".hil/runs/*/report.html")
    for text in (page.read_text("utf-8"), (two.pytester.path / "summary.md").read_text("utf-8")):
        assert "head image" in text
        assert "regressed" in text
        assert "head.elf, sha256" in text


def test_such_a_run_enters_no_trend_and_waits_for_no_push(two: Two) -> None:
    two.run(TESTS, "-k", "listening")
    with Ledger.open(two.pytester.path / ".hil") as ledger:
        assert list(ledger.runs(RunFilter())) == []
        assert list(ledger.measurements(RunFilter(), judged_only=False)) == []
        assert ledger.resolve(two.record["run_id"])[0].kind == "ab"
    assert not list(two.pytester.path.glob(".hil/spool/*"))


def test_one_and_the_same_image_is_an_a_a_run(two: Two) -> None:
    result = two.run(TESTS, "-k", "listening", images=("base.elf", "base.elf"))
    assert result.ret == 0
    assert two.bench.events.count("flash") == 1
    result.stdout.fnmatch_lines(
        ["*both images are the same (an A/A run)*", "head image: the same (an A/A run)"]
    )


def test_a_test_with_an_image_of_its_own_and_one_without_any_skip_with_the_reason(two: Two) -> None:
    source = """
        import pytest

        @pytest.mark.firmware("lan")
        def test_own(dut):
            pass

        def test_console(console):
            pass

        def test_plain():
            pass

        def test_dut(dut):
            pass
    """
    result = two.run(source, "-rs")
    result.assert_outcomes(passed=9, skipped=2)
    result.stdout.fnmatch_lines(["*flashes one of its own (@pytest.mark.firmware)*", "*flashes none*"])


def test_more_blocks_are_more_steps(two: Two) -> None:
    two.run(TESTS, "--hil-ab-blocks", "3", "-k", "listening").assert_outcomes(passed=12)
    (found,) = two.record["tests"][-1]["comparisons"]
    assert (found["base"]["samples"], found["head"]["samples"]) == (6, 6)


def test_what_can_not_be_decided_does_as_hil_inconclusive_says(two: Two) -> None:
    two.factor = 1.05
    source = TESTS.replace("power_budget(0.000001)", 'no_regression("power", margin=0.05)')
    for policy, outcome, count in (("pass", "passed", 8), ("fail", "failed", 1)):
        counts = two.run(source, f"--hil-inconclusive={policy}", "-k", "listening").parseoutcomes()
        assert counts[outcome] == count


def test_a_head_that_fails_its_test_leaves_its_block_out(two: Two) -> None:
    source = TESTS + "        assert dut.image.path.name == 'base.elf'\n"
    result = two.run(source, "-k", "100")
    counts = result.parseoutcomes()
    assert (counts["failed"], counts["errors"], counts["passed"]) == (4, 1, 3)
    result.stdout.fnmatch_lines(
        ["*latency of test_it.py::test_work?100? was not measured in one whole block*"]
    )


def test_the_dry_run_names_the_image_of_each_step(two: Two) -> None:
    result = two.run(TESTS, "--hil-dry-run", "-k", "listening")
    said = result.stdout.str()
    assert said.count("base.elf (") == 4 + 1
    assert said.count("head.elf (") == 4 + 1
    assert "compare power with the other image" in said
    assert two.bench.events == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--hil-compare", "baseline"), "--hil-compare baseline was given, too"),
        (("--hil-until-decided=5",), "--hil-ab-blocks N to measure more often"),
        (("--board", "nrf52-dk"), "2 boards were given"),
        (("--hil-ab-blocks", "1"), "1 blocks are too few: a difference has to recur"),
        (("-n", "2"), "give -n 0"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(
    two: Two, arguments: tuple[str, ...], said: str
) -> None:
    result = two.run(TESTS, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
    assert two.bench.events == []


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (("no.elf", "head.elf"), "--hil-ab, base image: image no.elf of board nrf52840 is not there"),
        (("base.elf", "lan2"), '--hil-ab, head image: board nrf52840 has no image "lan2"'),
        (("base.elf", str(ROOT / "firmware/prebuilt/stm32f412/lan.elf")), "--hil-ab, head image: "),
    ],
)
def test_an_image_that_is_missing_or_for_another_chip_is_refused(
    two: Two, images: tuple[str, str], said: str
) -> None:
    # an image elsewhere needs the project named
    result = two.run(TESTS, "-c", "tox.ini", images=images)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
    assert two.bench.events == []


def test_a_replay_is_refused(two: Two) -> None:
    text = 'probe = ""\nanalyzer = "replay:trace.jls"\n'.replace('probe = ""\n', "")
    (two.pytester.path / "benches" / "desk.toml").write_text(text)
    result = two.run(TESTS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the bench replays a record, which has no image" in result.stderr.str()


def test_images_that_draw_pytest_to_another_root_are_refused_with_the_option(two: Two) -> None:
    result = two.run(TESTS, images=(str(LAN), str(LAN)))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"add -c {two.pytester.path}/tox.ini" in result.stderr.str()
    result = two.run(TESTS, "-c", "tox.ini", "-k", "listening", images=(str(LAN), str(LAN)))
    result.assert_outcomes(passed=8)


def test_without_a_board_or_without_images_the_options_are_refused(pytester: pytest.Pytester) -> None:
    for arguments, said in (
        (("--hil-ab", "a.elf", "b.elf"), "--hil-ab needs --board NAME"),
        (("--hil-ab-blocks", "3"), "--hil-ab-blocks needs --hil-ab BASE HEAD"),
    ):
        result = pytester.runpytest_inprocess(*QUIET, *arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert said in result.stderr.str()
