"""The page of `lan-hil analyze --plot` in a real browser: complete without a network, and it reads out."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from browser import shown

from pytest_lan_hil.model.capture import Accuracy, Capture, Gap, InstrumentIdentity
from pytest_lan_hil.publish.plot import Plot, write_plot


def test_page_is_complete_in_one_file_and_reads_out_the_power(tmp_path: Path) -> None:
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
    html = write_plot(capture, plot, tmp_path / "plot.html").read_text(encoding="utf-8")
    assert "<b>note" not in html
    page = shown(html, tmp_path)
    assert "SIMULATED" in page
    (output,) = re.findall(r"<output[^>]*>([^<]+)</output>", page)
    assert re.fullmatch(r"[\d.]+ s: 6 to 6 mW", output)
