"""Run the DUT's own suite twice on the virtual bench and compare the measurements, byte for byte.

Exit code 0 if the two records' measurements are identical, 1 if not (the first difference is printed).
"""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def measurements(folder: Path) -> str:
    """Every `measurements` object of one run's record: the run's own and each test's."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--board",
        "nrf52840",
        "tests/hil",
        "--hil-output",
        str(folder),
    ]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}\nthe run itself ended with {done.returncode}")
    (path,) = folder.glob("runs/*/record.json")
    record = json.loads(path.read_text(encoding="utf-8"))
    found = {
        "run": record["measurements"],
        "tests": {t["nodeid"]: t["measurements"] for t in record["tests"]},
    }
    return json.dumps(found, indent=1, sort_keys=True)


def main() -> int:
    """Compare two runs."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        first, second = measurements(Path(one)), measurements(Path(two))
    if first == second:
        print(f"two runs, {len(first)} bytes of measurements, identical")
        return 0
    print(
        "\n".join(
            list(difflib.unified_diff(first.splitlines(), second.splitlines(), "first", "second", n=1))[:20]
        )
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
