"""What the installed but unused plugin costs an unrelated pytest session: paired runs with and without it.

Processor time is compared, because what else the machine does changes wall time by more than the bar.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.table import Row

PAIRS = 25
OFF = ("-p", "no:lan_hil")
HEAVY = ("pyocd", "numpy", "numba", "joulescope", "pydantic", "rich")
# Written by the session itself when it ends, so that everything it imported is seen.
_CONFTEST = f"""
def pytest_unconfigure():
    import pathlib, sys
    found = [name for name in {HEAVY!r} if name in sys.modules]
    pathlib.Path("imported.txt").write_text(" ".join(found))
"""


def _session_s(folder: Path, *options: str) -> float:
    """Processor time of one session, seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "test_nothing.py"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        # bytecode must be cached in both arms, or compiling is what is measured
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(_CONFTEST)
        _session_s(folder, *OFF)
        elsewhere = (folder / "imported.txt").read_text().split()
        _session_s(folder)
        imported = [one for one in (folder / "imported.txt").read_text().split() if one not in elsewhere]
        differences, without = [], []
        for index in range(PAIRS):
            # Which arm goes first alternates, so that a machine that warms up or slows down favours none.
            if index % 2:
                loaded, bare = _session_s(folder), _session_s(folder, *OFF)
            else:
                bare, loaded = _session_s(folder, *OFF), _session_s(folder)
            without.append(bare)
            differences.append(1e3 * (loaded - bare))
    spread = statistics.quantiles(differences, n=4)
    return [
        Row(
            "plugin installed and unused, extra",
            statistics.median(differences),
            "ms",
            f"median of {PAIRS} pairs against -p no:lan_hil ({1e3 * statistics.median(without):.0f} ms a"
            f" session; middle half {spread[0]:.1f} to {spread[2]:.1f} ms)",
            15.0,
            at_least=False,
        ),
        Row(
            "plugin installed and unused, heavy imports",
            len(imported),
            "",
            f"of {', '.join(HEAVY)}: {', '.join(imported) or 'none'}",
            0,
            at_least=False,
        ),
    ]
