"""The HTML report in a real browser: complete without a network, and its read-out works."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from publish_samples import RECORD, waveform
from required import binary

from pytest_lan_hil.publish.html import render_html

# Background work of the browser itself would look for hosts that a closed network doesn't have.
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


def test_report_is_complete_in_one_file_and_reads_out_the_waveform(chromium: str, tmp_path: Path) -> None:
    nodeid = next(test.nodeid for test in RECORD.tests if test.waveform)
    html = render_html(RECORD, {nodeid: waveform()})
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html)
    page = tmp_path / "report.html"
    page.write_text(html.replace("</body>", f"{POINT_AT_THE_MIDDLE}</body>"), encoding="utf-8")
    shown = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "SIMULATED" in shown
    (output,) = set(re.findall(r"<output[^>]*>([^<]+)</output>", shown))
    assert re.fullmatch(r"[\d.]+ m?s: [-\d.e]+ to [-\d.e]+ [mu]?A", output)
