"""Tests ask for capabilities, not for instruments; a bench that lacks one makes them skip, with its name."""

from __future__ import annotations

import json

import pytest
from fake_bench import DESK, FakeBench

from pytest_lan_hil.model.errors import InstrumentError
from pytest_lan_hil.run.bench import OpenBench

ON_DESK = (
    "--board",
    "nrf52840",
    "--bench",
    "desk",
    "-rs",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:hypothesispytest",
)


def _run(pytester: pytest.Pytester, source: str, desk: str = DESK) -> pytest.RunResult:
    (pytester.mkdir("benches") / "desk.toml").write_text(desk)
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess(*ON_DESK)


def test_a_bench_that_offers_it_runs_the_test(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    source = """
        import pytest

        @pytest.mark.needs("power.waveform", "edges", "console")
        def test_wave(dut):
            assert dut.name()
        """
    _run(pytester, source).assert_outcomes(passed=1)


def test_a_bench_that_lacks_it_skips_with_its_name_before_anything_is_flashed(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    source = """
        import pytest

        @pytest.mark.needs("power.waveform")
        def test_wave(dut):
            pass

        @pytest.mark.energy_budget(20)
        def test_energy(dut):
            dut.infer(3)
        """
    result = _run(pytester, source, desk='probe = "jlink:1"\nconsole = "/dev/ttyFAKE0"\n')
    result.assert_outcomes(skipped=2)
    said = result.stdout.str()
    assert "bench desk lacks power.waveform (current and voltage sampled fast enough" in said
    assert "edges (time stamps of marker line edges)" in said
    assert "flash" not in fake_bench.events


def test_an_unknown_capability_is_refused_with_those_that_exist(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    source = """
        import pytest

        @pytest.mark.needs("telepathy")
        def test_wave(dut):
            pass
        """
    result = _run(pytester, source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*'telepathy' is not a capability*", "*power.waveform*"])


def test_needs_on_a_test_that_uses_no_bench_is_refused(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    source = """
        import pytest

        @pytest.mark.needs("power")
        def test_nothing():
            pass
        """
    result = _run(pytester, source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*@pytest.mark.needs on test_nothing, which uses no bench*"])


def test_a_number_that_the_bench_can_not_have_skips_and_is_never_in_the_record(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    def slow_meter(opened: OpenBench) -> None:
        opened.analyzer.capabilities = frozenset({"power", "edges"})

    fake_bench.arrange = slow_meter
    source = """
        import pytest

        @pytest.mark.latency_budget(20, percentile=50)
        def test_latency(dut):
            dut.infer(20)

        def test_energy(dut, power):
            with power.capture() as capture:
                dut.infer(20)
            assert capture.energy
        """
    result = _run(pytester, source, desk=DESK + '[markers]\ninference = "gpi0"\n')
    result.assert_outcomes(passed=1, skipped=1)
    assert "lacks power.waveform" in result.stdout.str()
    (path,) = pytester.path.glob(".hil/runs/*/record.json")
    measured = [set(test["measurements"]) for test in json.loads(path.read_text())["tests"]]
    assert measured == [{"latency", "power", "battery", "flash"}, set()]


@pytest.mark.parametrize(
    ("body", "outcome"), [("assert 1 == 2", "failed"), ("pytest.skip('why')", "skipped")]
)
def test_what_ended_the_test_is_told_and_not_what_the_analyzer_said_after_it(
    pytester: pytest.Pytester, fake_bench: FakeBench, body: str, outcome: str
) -> None:
    def broken(opened: OpenBench) -> None:
        def stop() -> None:
            raise InstrumentError("the record is too short")

        opened.analyzer.stop = stop

    fake_bench.arrange = broken
    source = f"""
        import pytest

        @pytest.mark.power_budget(1)
        def test_body(dut):
            {body}
        """
    result = _run(pytester, source)
    result.assert_outcomes(**{outcome: 1})
    assert "the record is too short" not in result.stdout.str()
