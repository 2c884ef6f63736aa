"""The page of `lan-hil analyze --plot` in a real browser: complete without a network, and it reads out."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from required import binary

from pytest_lan_hil.model.capture import Accuracy, Capture, Gap, InstrumentIdentity
from pytest_lan_hil.publish.plot import Plot, write_plot

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
POINT_AT_THE_MIDDLE = """
<script>
  const svg = document.querySelector("figure.wave svg"), box = svg.getBoundingClientRect();
  const middle = {clientX: box.left + box.width / 2, clientY: box.top + 5};
  svg.dispatchEvent(new PointerEvent("pointermove", middle));
</script>
"""


@pytest.fixture
def chromium() -> str:
    return binary("chromium", "chromium")


def test_page_is_complete_in_one_file_and_reads_out_the_power(chromium: str, tmp_path: Path) -> None:
    current = np.full(50_000, 2e-3, np.float32)
    capture = Capture(
        1e4,
        current,
        np.full(50_000, 3.0, np.float32),
        InstrumentIdentity("Joulescope JS220", "1", simulated=True),
        Accuracy(0, 0, 0, 0, 0, "made up"),
        gaps=(Gap(0, 100),),
    )
    plot = Plot("run.npz", [(1.0, 2.0), (2.0, 4.0)], ["window"], [["1"], ["2"]], ["<b>note</b>"])
    page = write_plot(capture, plot, tmp_path / "plot.html")
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html)
    assert "<b>note" not in html
    page.write_text(html.replace("</body>", f"{POINT_AT_THE_MIDDLE}</body>"), encoding="utf-8")
    shown = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "SIMULATED" in shown
    (output,) = re.findall(r"<output[^>]*>([^<]+)</output>", shown)
    assert re.fullmatch(r"[\d.]+ s: 6 to 6 mW", output)
