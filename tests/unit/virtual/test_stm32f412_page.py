"""docs/explanation (virtual-bench, cycles-and-currents) has the STM32F412's figures as the model has them."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_lan_hil.virtual.silicon.stm32f412 import timing
from pytest_lan_hil.virtual.silicon.stm32f412.currents import CURRENTS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "virtual-bench.md"
WHY = PAGE.with_name("cycles-and-currents.md").read_text(encoding="utf-8")
SECTION = PAGE.read_text(encoding="utf-8").partition("\n## The STM32F412\n")[2].partition("\n## ")[0]


def test_every_current_of_the_stm32f412_is_listed_with_its_value_and_evidence() -> None:
    listed = re.findall(r"^\| `(\w+)` \| ([\d.e+-]+) (uA|uA/MHz) \| (.+) \|$", SECTION, re.MULTILINE)
    assert listed == [
        (name, f"{figure.value * scale:g}", unit, figure.evidence)
        for name, figure in CURRENTS.figures()
        for scale, unit in [(1e12, "uA/MHz") if name.endswith("_per_hz") else (1e6, "uA")]
    ]


def test_times_of_the_stm32f412_are_those_of_the_model() -> None:
    wakes = ", ".join(str(us) for us in timing.STOP_WAKE_US.values())
    assert wakes == "13, 105, 21, 113"
    assert f"{wakes} us by regulator and flash" in WHY
    assert f"PLL lock {timing.PLL_LOCK_US} us, LSE start {timing.LSE_START_US // 1_000_000} s" in SECTION
    assert (
        f"reset {timing.RESET_TO_CPU_US / 1000:g} ms, Standby wake-up {timing.STANDBY_WAKE_US} us" in SECTION
    )
    assert f"{timing.TICK_HZ / 1e9:g} GHz" in SECTION
