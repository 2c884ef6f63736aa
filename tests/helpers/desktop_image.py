"""The desktop's image, built anew from the sources, and boards and benches for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from required import binary

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"

BOARD = """\
target = "native"

[images]
lan = "{image}"

[targets]
latency_ms = 5
memory_kb = 102400
"""


def build_desktop(folder: Path) -> Path:
    """Build into `folder`; the program."""
    binary("make", "make")
    binary("cc", "gcc")
    done = subprocess.run(
        ["make", "-C", str(FIRMWARE), "BOARD=desktop", f"OUT={folder}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder / "lan"
