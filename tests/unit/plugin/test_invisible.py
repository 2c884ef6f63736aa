"""Until `--board` is given the plugin stays out of the way."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LIGHT = ("plugin", "collection", "fixtures", "options", "model", "model.quantities")
PLUGIN = {f"pytest_lan_hil.{name}" for name in LIGHT}
HEAVY = ("pyocd", "numpy", "numba", "joulescope", "pydantic", "rich", "unicorn", "serial", "jinja2")


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
            # The markers are made from the quantity table, which imports dataclasses and enum only.
            rooms = {{name for name in sys.modules if name.startswith("pytest_lan_hil.")}}
            assert rooms <= {PLUGIN!r}
        """
    )
    pytester.runpytest_subprocess("-p", "no:hypothesispytest").assert_outcomes(passed=1)
