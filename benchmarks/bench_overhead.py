"""What the installed but unused plugin costs an unrelated pytest session: paired runs with and without it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row

PAIRS = 25


def _session_s(folder: Path, *options: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "test_nothing.py"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        # bytecode must be cached in both arms, or compiling is what is measured
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
    )
    return time.perf_counter() - start


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        (folder / "pytest.ini").write_text("[pytest]\n")
        _session_s(folder)
        _session_s(folder, "-p", "no:lan_hil")
        with_plugin, without = [], []
        for index in range(PAIRS):
            arms = [(with_plugin, ()), (without, ("-p", "no:lan_hil"))]
            for times, options in arms if index % 2 else reversed(arms):
                times.append(_session_s(folder, *options))
    differences = [1e3 * (a - b) for a, b in zip(with_plugin, without, strict=True)]
    base_ms = 1e3 * statistics.median(without)
    return [
        Row(
            "plugin installed and unused, extra",
            statistics.median(differences),
            "ms",
            f"median of {PAIRS} pairs against -p no:lan_hil ({base_ms:.0f} ms a session)",
            15.0,
            at_least=False,
        )
    ]
