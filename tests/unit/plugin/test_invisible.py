"""Until `--board` is given the plugin stays out of the way."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("pyocd", "numpy", "numba", "joulescope", "pydantic", "rich", "unicorn", "serial", "jinja2")

HIL_TEST = """
    def test_on_board(dut):
        dut.infer(1)

    def test_plain():
        pass
"""


def test_importing_the_plugin_loads_nothing_heavy() -> None:
    code = "import sys, json, pytest_lan_hil.plugin; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True))
    assert [name for name in HEAVY if name in modules] == []


def test_unrelated_session_loads_nothing_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import sys

        def test_modules():
            assert [name for name in {HEAVY!r} if name in sys.modules] == []
            assert not [name for name in sys.modules if name.startswith("pytest_lan_hil.model")]
        """
    )
    pytester.runpytest_subprocess("-p", "no:hypothesispytest").assert_outcomes(passed=1)


def test_without_a_board_hil_tests_skip_with_one_line_and_others_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(HIL_TEST)
    result = pytester.runpytest_subprocess("-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*SKIPPED*needs a board: run `pytest --board NAME`*"])


def test_markers_are_registered_for_strict_markers(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.power_budget(1.2)
        @pytest.mark.latency_budget(12, percentile=99)
        @pytest.mark.energy_budget(uj=20)
        @pytest.mark.memory_budget(32)
        @pytest.mark.firmware("lan")
        @pytest.mark.boards("nrf52840")
        def test_all(dut):
            pass
        """
    )
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(skipped=1)


@pytest.mark.parametrize(
    ("marker", "right_form"),
    [
        ("power_budget(-1)", "@pytest.mark.power_budget(mw=LIMIT)"),
        ("latency_budget('12 ms')", "@pytest.mark.latency_budget(ms=LIMIT, percentile=95)"),
        ("firmware()", '@pytest.mark.firmware("lan")'),
        ("boards(3)", '@pytest.mark.boards("nrf52840", "stm32f4")'),
    ],
)
def test_wrong_marker_argument_is_a_collection_error_with_the_right_form(
    pytester: pytest.Pytester, marker: str, right_form: str
) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.{marker}
        def test_it(dut):
            pass
        """
    )
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    assert right_form in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_budget_on_a_test_without_dut_is_a_collection_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.power_budget(1)
        def test_it():
            pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    assert "def test_it(dut)" in result.stdout.str()
