"""The sizes of common/config.h, the one place where they are chosen, and the names of the classes."""

from __future__ import annotations

import re
from pathlib import Path

COMMON = Path(__file__).resolve().parents[2] / "common"
LABELS = (*map(str, range(10)), "silence", "unknown")
SILENCE, UNKNOWN = LABELS.index("silence"), LABELS.index("unknown")


def read_config(path: Path = COMMON / "config.h") -> dict[str, int]:
    """Integer #defines of config.h by name, without the LAN_ prefix."""
    pairs = re.findall(r"^#define LAN_(\w+) (\d+)u?\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: int(value) for name, value in pairs}


CONFIG = read_config()
RATE = CONFIG["SAMPLE_RATE"]  # Hz
FRAME = CONFIG["FRAME"]  # samples
HOP_S = FRAME / RATE
