"""docs/explanation/virtual-bench.md says what the virtual chip has, and what is not confirmed about it."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_lan_hil.virtual import faults
from pytest_lan_hil.virtual.silicon.nrf52840 import chip as nrf52840
from pytest_lan_hil.virtual.silicon.nrf52840 import clock_power, nvmc
from pytest_lan_hil.virtual.silicon.nrf52840.currents import CURRENTS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "virtual-bench.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_every_current_is_listed_with_its_value_and_whether_it_is_confirmed() -> None:
    listed = re.findall(r"^\| `(\w+)` \| ([\d.e+]+) \| (yes|no) \|$", TEXT, re.MULTILINE)
    figures = [
        (name, f"{figure.value * 1e6:g}", "yes" if figure.confirmed else "no")
        for name, figure in CURRENTS.figures()
    ]
    assert listed == figures


def test_every_peripheral_of_the_chip_is_named() -> None:
    chip = nrf52840.Nrf52840(serial="test", on_current=lambda *_: None, on_level=lambda *_: None)
    section = TEXT.partition("## The chip")[2].partition("Any other peripheral")[0]
    named = set(re.findall(r"`([A-Z0-9-]+)`", section))
    for first, last in re.findall(r"`([A-Z]+\d)` to `([A-Z]+\d)`", section):
        named |= {f"{first[:-1]}{n}" for n in range(int(first[-1]), int(last[-1]) + 1)}
    core = {"SCS", "DWT", "FPB", "ITM", "ROM"}  # of the core, a table of its own
    names = {p.name for p in chip.bus.peripherals}
    # what the core's own blocks and GPIO's two ports are called is the model's business
    on_chip = {name for name in names if not any(part in name for part in core)} - {"GPIO", "P0", "P1"}
    assert on_chip - named == set()
    assert named - on_chip <= {"POWER", "P0", "P1", "UICR", "CTRL-AP"}


def test_flash_timing_on_the_page_is_the_models() -> None:
    timing = nrf52840.FLASH_TIMING
    cache = timing.ways * timing.sets << timing.line_log2
    assert (timing.wait_states, timing.width_log2, timing.ways, cache, timing.line_log2) == (2, 3, 2, 2048, 4)
    assert (
        "2 wait states, a 64-bit interface, a two-way instruction cache of 2 KiB with lines of 16 bytes"
        in TEXT
    )
    assert f"to the first instruction | {nrf52840.IDLE_TO_CPU_US} us |" in TEXT


def test_start_up_and_flash_times_are_those_of_the_model() -> None:
    times = (clock_power.HFXO_START_US, clock_power.LFRC_START_US, clock_power.LFXO_START_US)
    assert times == (360, 600, 250_000)
    assert (nvmc.WRITE_US, nvmc.ERASE_PAGE_US, nvmc.ERASE_ALL_US) == (41, 85_000, 169_000)
    for text in ("| 360 us |", "| 600 us |", "| 0.25 s |", "41 us, 85 ms, 169 ms"):
        assert text in TEXT


def test_every_scripted_fault_on_the_page_is_understood_and_none_is_missing() -> None:
    rows = re.findall(r"^\| ((?:`[a-z_]+[^`]*`(?:, )?)+) \|", TEXT.partition("## Faults")[2], re.MULTILINE)
    listed = [fault for row in rows for fault in re.findall(r"`([^`]+)`", row)]
    parsed = faults.Faults.parse(",".join(listed))
    assert {fault.name for fault in parsed.entries} == set(
        re.findall(r"^    (\w+)[@=\s]", faults.__doc__ or "", re.MULTILINE)
    ) | {"stuck_high"}
