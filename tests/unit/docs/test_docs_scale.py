"""docs/explanation/scale.md and the how-to pages: sums follow from the figures, configurations are valid."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

import pytest
from required import binary

from benchmarks.fleet_series import Exporter

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = DOCS / "explanation" / "scale.md"
TEXT = PAGE.read_text(encoding="utf-8")
PAGES = [PAGE, DOCS / "how-to" / "push-metrics.md", DOCS / "how-to" / "custom-metrics.md"]
MILLION, DAY_S = 1_000_000, 86_400
# Mimir's rules of thumb, as the page states them.
DISTRIBUTOR_RATE, INGESTER_SERIES, INGESTER_GB, COPIES = 25_000, 300_000, 2.5, 3


def figure(what: str) -> float:
    """A figure of the page's first table."""
    (found,) = re.findall(rf"^\| {re.escape(what)}[^|]*\| ([\d.]+) \|", TEXT, re.MULTILINE)
    return float(found)


SERIES = figure("series of a device")
SAMPLE_S = figure("processor time of a million samples") / 1e6
SERIES_KB = figure("memory of a series")
SAMPLE_B = figure("disk of a sample")
P95_S = figure("processor time of one p95")
SENT_B = figure("agent: sent for a sample")


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def test_a_device_has_as_many_series_as_the_page_says() -> None:
    one, two = Exporter(0, 4).series, Exporter(0, 8).series
    assert (two - one) / 4 == SERIES


def test_the_sums_of_a_million_devices_follow_from_the_figures() -> None:
    series = MILLION * SERIES
    rates = [series / interval for interval in (15, 60)]
    memory = f"{series * SERIES_KB / 1e6:.0f} GB"
    assert row("series", *[f"{series / 1e6:.0f} M"] * 2) in TEXT
    assert row("samples a second", *(f"{rate / 1e6:.2f} M" for rate in rates)) in TEXT
    assert row(*(f"{rate * SAMPLE_S:.1f} cores" for rate in rates)) in TEXT
    assert row("memory of the series", memory, memory) in TEXT
    assert row("disk a day", *(f"{rate * SAMPLE_B * DAY_S / 1e9:.0f} GB" for rate in rates)) in TEXT
    distributors = [round(rate / DISTRIBUTOR_RATE) for rate in rates]
    assert row(*(f"{cores} cores, {cores} GB" for cores in distributors)) in TEXT
    ingesters = COPIES * series / INGESTER_SERIES
    assert row(*[f"{ingesters:.0f} cores, {ingesters * INGESTER_GB:,.0f} GB"] * 2) in TEXT


def test_the_limits_of_one_server_follow_from_the_figures() -> None:
    device_kb = SERIES * SERIES_KB
    assert f"{device_kb:.0f} KB for each device" in TEXT
    assert f"full at {32e6 / device_kb / 1000:.0f},000 devices" in TEXT
    assert f"that is {30 / P95_S * 10:.0f},000 devices" in TEXT
    assert f"one core takes {15 / SAMPLE_S / SERIES / 1000:.0f},000 devices" in TEXT
    assert f"buckets is {16 * 500:,.0f} samples for each device" in TEXT
    assert f"it is refused from {50e6 / (16 * 500):,.0f} devices on" in TEXT
    assert f"refused from {50e6 / (2 * 16) / 1e6:.1f} million devices on" in TEXT
    assert f"{SERIES * DAY_S / 15 * SAMPLE_B / 1e6:.2f} MB for each device and day" in TEXT


def test_what_is_sent_to_the_store_follows_from_the_figures() -> None:
    series = MILLION * SERIES
    assert f"| {round(series / 60, -3):,.0f} |" in TEXT
    assert row("29 M", f"{round(MILLION * (SERIES - 16 - 10) / 60, -3):,.0f}") in TEXT
    sites = 5_000 * 4 * SERIES
    assert row(f"{sites / 1e6:.1f} M", f"{sites / 60:,.0f}") in TEXT
    assert f"ingesters are {COPIES * sites / INGESTER_SERIES:.0f} cores" in TEXT
    assert f"{series / 60 * SENT_B * 8 / 1e6:.0f} Mbit/s" in TEXT
    region = 36_000 * SERIES
    assert f"are {region / 1e6:.0f} M series, {region * SERIES_KB / 1e6:.1f} GB" in TEXT
    assert f"{MILLION / 36_000:.0f}\n  servers" in TEXT


def configurations() -> list[tuple[Path, str]]:
    """The pages' YAML that Prometheus reads."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^ *```yaml\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
        found += [(page, textwrap.dedent(block)) for block in blocks]
    return found


@pytest.mark.parametrize(
    ("page", "block"), configurations(), ids=lambda value: value.stem if isinstance(value, Path) else ""
)
def test_promtool_takes_the_pages_configurations(page: Path, block: str, tmp_path: Path) -> None:
    file = tmp_path / "file.yml"
    file.write_text(block, encoding="utf-8")
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "devices.yml").write_text("[]", encoding="utf-8")
    what = "rules" if block.startswith("groups:") else "config"
    lint = ["--lint=all", "--lint-fatal"] if what == "rules" else ["--lint-fatal"]
    command = [binary("promtool", "prometheus"), "check", what, *lint, str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, f"{page}: {checked.stdout}{checked.stderr}"


def test_there_are_configurations_to_check() -> None:
    assert len(configurations()) == 6
    assert sum(block.startswith("groups:") for _, block in configurations()) == 2
