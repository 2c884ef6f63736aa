"""The run as one HTML file that opens from a disk with no network: style, script and waveforms are inside.

The template (`templates/report.html.j2`) escapes everything that it is given; only our own SVG is passed as
markup. A content security policy in the page forbids loading anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.model.measurement import Measurement, Outcome
from pytest_lan_hil.model.record import FirmwareIdentity, RunRecord, TestRecord
from pytest_lan_hil.publish.comparisons import (
    ComparedRow,
    headings,
    last_repeats,
    repeat_lines,
    run_comparisons,
    test_comparisons,
)
from pytest_lan_hil.publish.confusion import ConfusionRow, confusion_rows
from pytest_lan_hil.publish.explain import Line, budget_of
from pytest_lan_hil.publish.files import HTML_NAME, write_atomically
from pytest_lan_hil.publish.numbers import title_of
from pytest_lan_hil.publish.pages import page_template
from pytest_lan_hil.publish.rows import (
    SIMULATED_LABEL,
    Row,
    fault_of,
    message_lines,
    run_rows,
    test_counts,
    test_rows,
)
from pytest_lan_hil.publish.svg import Drawing, draw
from pytest_lan_hil.publish.terminal import console_lines


@dataclass(frozen=True, slots=True)
class TestView:
    """One test, as the template shows it."""

    __test__ = False

    test: TestRecord
    anchor: str
    rows: list[Row]
    compared: list[ComparedRow]
    repeat: str
    provenance: list[tuple[str, Measurement]]
    budgets: list[tuple[str, list[Line]]]
    drawing: Drawing | None
    console: list[str]
    fault: str
    message: list[str]
    confusion: list[ConfusionRow]


def write_report(record: RunRecord, waveforms: Mapping[str, Envelope], directory: Path) -> Path:
    """Write `report.html` into the run's folder; returns its path.

    Args:
        record: The run.
        waveforms: Node id to envelope, for the tests that have one.
        directory: The run's folder.

    Raises:
        InputError: The file can't be written.
    """
    return write_atomically(directory / HTML_NAME, render_html(record, waveforms))


def render_html(record: RunRecord, waveforms: Mapping[str, Envelope]) -> str:
    """The page as text. Equal records give equal bytes."""
    views = _views(record, waveforms)
    return page_template("report.html.j2").render(
        record=record,
        rows=run_rows(record),
        compared=run_comparisons(record),
        headings=headings(record.kind),
        repeats=repeat_lines(record),
        counts=test_counts(record),
        tests=views,
        anchors={view.test.nodeid: view.anchor for view in views},
        firmware=firmware_of(record),
        simulated_label=SIMULATED_LABEL,
        has_waveform=any(view.drawing for view in views),
    )


def firmware_of(record: RunRecord) -> list[FirmwareIdentity]:
    """Each image that was under test, once, in order of use."""
    found = {test.firmware: None for test in record.tests if test.firmware is not None}
    return list(found)


def _views(record: RunRecord, waveforms: Mapping[str, Envelope]) -> list[TestView]:
    """A waveform belongs to the last repeat of its test."""
    last = {id(test) for test in last_repeats(record.tests)}
    seen: Counter[str] = Counter()
    views = []
    for number, test in enumerate(record.tests, start=1):
        seen[test.nodeid] += 1
        found = waveforms.get(test.nodeid) if id(test) in last else None
        repeated = seen[test.nodeid] > 1 or id(test) not in last
        repeat = f"repeat {seen[test.nodeid]}" if repeated else ""
        views.append(_view(test, number, found, repeat))
    return views


def _view(test: TestRecord, number: int, waveform: Envelope | None, repeat: str) -> TestView:
    anchor = f"test-{number}"
    measurements = test.measurements or {}
    return TestView(
        test=test,
        anchor=anchor,
        rows=test_rows(test),
        compared=test_comparisons(test),
        repeat=repeat,
        provenance=[(title_of(name), measurements[name]) for name in sorted(measurements)],
        budgets=[
            (title_of(name), lines)
            for name in sorted(measurements)
            if len(lines := budget_of(measurements[name])) > 1
        ],
        drawing=draw(waveform, name=test.nodeid, identifier=f"{anchor}-waveform") if waveform else None,
        console=[] if test.outcome is Outcome.PASSED else console_lines(test.console),
        fault=fault_of(test),
        message=message_lines(test),
        confusion=confusion_rows(test.confusion),
    )
