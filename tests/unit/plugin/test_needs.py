"""Tests ask for capabilities, not for instruments; a bench that lacks one makes them skip, with its name."""

from __future__ import annotations

import pytest
from fake_bench import DESK, FakeBench

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
