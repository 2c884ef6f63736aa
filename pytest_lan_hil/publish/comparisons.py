"""The rows of what a run was compared with, which terminal, text, HTML and step summary share. Pure.

A test that was repeated until it was settled has a record for each repeat. The last of them compares all, so
it stands for the test here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_lan_hil.model.comparison import Comparison
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.model.record import FirmwareIdentity, RunKind, RunRecord, TestRecord
from pytest_lan_hil.publish.numbers import arm_text, change_text, margin_text, title_of


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One comparison as text; `kind` is the verdict's.

    `base` and `head` are both sides, `change` is with its 95 % interval, `test` the node id of the test that
    was judged, `name` what a table calls it.
    """

    quantity: str
    base: str
    head: str
    change: str
    margin: str
    verdict: str
    kind: str
    reason: str
    test: str
    name: str


def headings(kind: RunKind) -> tuple[str, ...]:
    """Of the columns, in the order of `cells`."""
    sides = ("base image", "head image") if kind is RunKind.AB else ("baseline", "this run")
    return ("quantity", *sides, "change (95 % interval)", "margin", "verdict", "test")


def cells(row: ComparedRow) -> tuple[str, ...]:
    """One line of a table; a regression stands out."""
    verdict = row.verdict.upper() if row.kind == VerdictKind.REGRESSED.value else row.verdict
    return (row.quantity, row.base, row.head, row.change, row.margin, verdict, row.name)


def run_comparisons(record: RunRecord) -> list[ComparedRow]:
    """Rows of the whole run, in the quantity table's order, tests in theirs."""
    rows = [
        (comparison, _named(_row(comparison, test), comparison, record.kind))
        for test in last_repeats(record.tests)
        for comparison in test.comparisons
    ]
    return [row for _, row in sorted(rows, key=lambda one: _order(one[0]))]


def test_comparisons(test: TestRecord) -> list[ComparedRow]:
    """Rows of one test."""
    return [_row(comparison, test) for comparison in sorted(test.comparisons, key=_order)]


def last_repeats(tests: Sequence[TestRecord]) -> list[TestRecord]:
    """The tests without the earlier repeats of one that was repeated until it was settled."""
    last = {test.nodeid: number for number, test in enumerate(tests)}
    return [test for number, test in enumerate(tests) if last[test.nodeid] == number or not test.comparisons]


def repeat_lines(record: RunRecord) -> list[str]:
    """How many repeats each repeated test took, a line for each; or which two images were compared."""
    if record.kind is RunKind.AB:
        return _image_lines(record)
    counts = Counter(test.nodeid for test in record.tests if test.comparisons)
    lines = []
    for test in last_repeats(record.tests):
        if counts[test.nodeid] > 1:
            kinds = {one.kind for one in test.comparisons}
            settled = VerdictKind.REGRESSED in kinds or VerdictKind.INCONCLUSIVE not in kinds
            end = "until it was settled" if settled else "and is not settled"
            lines.append(f"{_short(test.nodeid)}: measured {counts[test.nodeid]} times {end}")
    return lines


def _image_lines(record: RunRecord) -> list[str]:
    """The images by the ends of their tests' node ids; a run that was cut short may have no head."""
    lines = []
    shown: FirmwareIdentity | None = None
    for side in ("base", "head"):
        tests = (test for test in record.tests if test.nodeid.endswith(f"-{side}]"))
        image = next((test.firmware for test in tests if test.firmware is not None), None)
        if image is None:
            continue
        same = shown is not None and image.sha256 == shown.sha256
        what = "the same (an A/A run)" if same else f"{image.image}, sha256 {image.sha256[:16]}"
        lines.append(f"{side} image: {what}")
        shown = image
    return lines


def _named(row: ComparedRow, comparison: Comparison, kind: RunKind) -> ComparedRow:
    """Of two images, all steps together are judged in the last: a table calls them by the test alone."""
    return replace(row, name=_short(comparison.subject.test)) if kind is RunKind.AB else row


def _short(nodeid: str) -> str:
    return nodeid.rsplit("::", 1)[-1]


def _order(comparison: Comparison) -> tuple[int, str]:
    names = list(QUANTITIES)
    quantity = comparison.subject.quantity
    return (names.index(quantity) if quantity in names else len(names), quantity)


def _row(comparison: Comparison, test: TestRecord) -> ComparedRow:
    return ComparedRow(
        quantity=title_of(comparison.subject.quantity),
        base=arm_text(comparison.base, comparison.unit),
        head=arm_text(comparison.head, comparison.unit),
        change=change_text(comparison),
        margin=margin_text(comparison),
        verdict=comparison.kind.value,
        kind=comparison.kind.value,
        reason=comparison.reason,
        test=test.nodeid,
        name=_short(test.nodeid),
    )
