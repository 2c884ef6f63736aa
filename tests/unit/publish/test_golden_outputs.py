"""What people and scrapers see, as files in golden/. After a wanted change: delete the file, test twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from publish_samples import COMPARED, COMPARING, FAILED, INCONCLUSIVE, RECORD

from pytest_lan_hil.publish.github import step_summary
from pytest_lan_hil.publish.openmetrics import render, render_openmetrics
from pytest_lan_hil.publish.terminal import failure_section, summary_lines
from pytest_lan_hil.publish.text import render_text

GOLDEN = Path(__file__).parent / "golden"


def _summary(encoding: str) -> str:
    lines = summary_lines(
        RECORD,
        record_path=Path(".hil/latest/record.json"),
        report_path=Path(".hil/latest/report.html"),
        push="not pushed: http://localhost:9091: Connection refused",
        encoding=encoding,
    )
    return "\n".join(lines) + "\n"


OUTPUTS: dict[str, Callable[[], str]] = {
    "summary.txt": lambda: _summary("utf-8"),
    "summary-ascii.txt": lambda: _summary("ascii"),
    "failure.txt": lambda: "\n".join(failure_section(FAILED, record_path=Path("r/record.json"))) + "\n",
    "blocked.txt": lambda: "\n".join(failure_section(INCONCLUSIVE)) + "\n",
    "report.txt": lambda: render_text(RECORD),
    "step-summary.md": lambda: step_summary(RECORD),
    "compared-summary.txt": lambda: "\n".join(summary_lines(COMPARING)) + "\n",
    "compared-failure.txt": lambda: "\n".join(failure_section(COMPARED)) + "\n",
    "compared-step-summary.md": lambda: step_summary(COMPARING),
    "metrics.prom": lambda: render(RECORD),
    "metrics.openmetrics": lambda: render_openmetrics(RECORD),
    "compared-metrics.prom": lambda: render(COMPARING),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_output_is_as_golden(name: str) -> None:
    path = GOLDEN / name
    text = OUTPUTS[name]()
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path} was missing and has been written: look at it, then run again")
    assert text == path.read_text(encoding="utf-8")
