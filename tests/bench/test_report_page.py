"""The HTML report in a real browser: complete without a network, and its read-out works."""

from __future__ import annotations

import re
from pathlib import Path

from browser import shown
from publish_samples import RECORD, waveform

from pytest_lan_hil.publish.html import render_html


def test_report_is_complete_in_one_file_and_reads_out_the_waveform(tmp_path: Path) -> None:
    nodeid = next(test.nodeid for test in RECORD.tests if test.waveform)
    page = shown(render_html(RECORD, {nodeid: waveform()}), tmp_path)
    assert "SIMULATED" in page
    (output,) = set(re.findall(r"<output[^>]*>([^<]+)</output>", page))
    assert re.fullmatch(r"[\d.]+ m?s: [-\d.e]+ to [-\d.e]+ [mu]?A", output)
