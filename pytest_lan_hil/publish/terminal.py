"""What a run says in pytest's terminal: lines of text, without colours. Pure.

Where the terminal's encoding can't show a sign (±, ≤), its ASCII spelling is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_lan_hil.model.measurement import Outcome, VerdictKind
from pytest_lan_hil.model.record import ConsoleLine, RunKind, RunRecord, TestRecord
from pytest_lan_hil.publish.comparisons import (
    ComparedRow,
    cells,
    headings,
    repeat_lines,
    run_comparisons,
    test_comparisons,
)
from pytest_lan_hil.publish.numbers import title_of
from pytest_lan_hil.publish.rows import (
    SIMULATED_LABEL,
    Row,
    fault_of,
    message_lines,
    run_rows,
    test_counts,
    test_rows,
)

CONSOLE_LINES = 200

_ASCII = str.maketrans({"±": "+/-", "≤": "<=", "≥": ">=", "µ": "u", "–": "-", "…": "..."})
_HEADINGS = ("quantity", "measured", "statistic", "n", "budget", "verdict")


def for_encoding(lines: Sequence[str], encoding: str | None) -> list[str]:
    """The lines as `encoding` can show them; None and unknown encodings are taken as ASCII."""
    return [_for_encoding(line, encoding or "ascii") for line in lines]


def _for_encoding(line: str, encoding: str) -> str:
    try:
        line.encode(encoding)
    except LookupError:
        return _for_encoding(line, "ascii")
    except UnicodeEncodeError:
        return line.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return line


def summary_lines(
    record: RunRecord,
    *,
    record_path: Path | None = None,
    report_path: Path | None = None,
    push: str = "",
    encoding: str | None = "utf-8",
) -> list[str]:
    """Summary of one run on one board: what it was, a table of what was measured, and where the record is.

    Args:
        record: The run.
        record_path, report_path: Named at the end, where given.
        push: State of the push in words ("" if none was asked for); see `PushResult.detail`.
        encoding: Of the terminal.
    """
    lines = _heading(record)
    rows, compared = run_rows(record), run_comparisons(record)
    if rows:
        lines += ["", *table(rows)]
    if compared:
        lines += ["", *comparison_table(compared, record.kind), *repeat_lines(record)]
    if rows or compared:
        lines.append("")
    elif record.tests:
        lines.append("nothing was measured")
    return for_encoding([*lines, *_places(record_path, report_path, push)], encoding)


def brief_lines(
    record: RunRecord, *, record_path: Path | None = None, report_path: Path | None = None, push: str = ""
) -> list[str]:
    """As `summary_lines`, without the table: for one board of several, which have one table together."""
    return [*_heading(record), *_places(record_path, report_path, push)]


def _heading(record: RunRecord) -> list[str]:
    lines = [f"board {record.board} on bench {record.bench}: {record.outcome.value}"]
    if record.simulated:
        lines.append(SIMULATED_LABEL)
    return [*lines, f"tests: {test_counts(record)}"]


def _places(record_path: Path | None, report_path: Path | None, push: str) -> list[str]:
    places = (("record", record_path), ("report", report_path), ("pushgateway", push))
    return [f"{name}: {place}" for name, place in places if place]


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as a text table with aligned columns."""
    # the test is named where several could be meant
    many = len({row.test for row in rows}) > 1
    return aligned(_HEADINGS, [_cells(row, name=_short(row.test) if many else "") for row in rows])


def comparison_table(rows: Sequence[ComparedRow], kind: RunKind) -> list[str]:
    """What was compared, as a text table with aligned columns."""
    return aligned(headings(kind), [cells(row) for row in rows])


def aligned(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A text table with a rule below its titles; the column `n` stands to the right, as figures do."""
    every = [titles, *rows]
    widths = [max(len(line[column]) for line in every) for column in range(len(titles))]
    lines = []
    for number, line in enumerate(every):
        padded = [
            text.rjust(width) if title == "n" else text.ljust(width)
            for title, text, width in zip(titles, line, widths, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return lines


def _short(nodeid: str) -> str:
    return nodeid.rsplit("::", 1)[-1]


def _cells(row: Row, name: str) -> tuple[str, ...]:
    verdict = row.verdict.upper() if row.kind == VerdictKind.OVER.value else row.verdict
    if not row.kind and name:
        verdict += f" ({name})"
    return (row.quantity, row.measured, row.statistic, row.n, row.budget, verdict)


def failure_section(
    test: TestRecord, *, record_path: Path | None = None, encoding: str | None = "utf-8"
) -> list[str]:
    """What a failed or blocked test has to say; [] for any other.

    Quantity, measured value with uncertainty, budget, n and reason of each verdict that is not "within"; both
    sides, change, margin and reason of each comparison that is neither within nor improved; the firmware;
    where the record is; the last 200 lines of the console.
    """
    if test.outcome not in (Outcome.FAILED, Outcome.BLOCKED):
        return []
    lines = [f"{test.outcome.value}: {fault_of(test)}"]
    if any(m.simulated for m in (test.measurements or {}).values()):
        lines.append(SIMULATED_LABEL)
    lines += [f"  {line}" for line in message_lines(test)]
    for row in test_rows(test):
        if row.kind in ("", VerdictKind.WITHIN.value):
            continue
        lines += [
            f"{row.quantity}: {row.verdict}",
            f"  measured  {row.measured} ({row.statistic}, n = {row.n}, 95 % interval {row.interval})"
            if row.interval
            else f"  measured  {row.measured} ({row.statistic}, n = {row.n})",
            f"  budget    {row.budget} ({row.source})",
            f"  reason    {row.reason}",
        ]
    for compared in test_comparisons(test):
        if compared.kind in (VerdictKind.REGRESSED.value, VerdictKind.INCONCLUSIVE.value):
            lines += _compared(compared)
    lines += _notes(test)
    if test.firmware is not None:
        state = "proved on the DUT" if test.firmware.proved else "NOT proved on the DUT"
        lines.append(f"firmware: {test.firmware.image}, sha256 {test.firmware.sha256[:16]}, {state}")
    if record_path is not None:
        lines.append(f"record: {record_path}")
    return for_encoding([*lines, *console_lines(test.console)], encoding)


def _compared(row: ComparedRow) -> list[str]:
    return [
        f"{row.quantity}: {row.verdict}",
        f"  base      {row.base}",
        f"  now       {row.head}",
        *([f"  change    {row.change}, margin {row.margin}"] if row.change else []),
        *(
            f"  {'reason' if number == 0 else '':<9} {line}"
            for number, line in enumerate(row.reason.splitlines())
        ),
    ]


def _notes(test: TestRecord) -> list[str]:
    return [
        f"note on {title_of(name)}: {note}"
        for name, measurement in sorted((test.measurements or {}).items())
        for note in measurement.notes
    ]


def console_lines(console: Sequence[ConsoleLine]) -> list[str]:
    """The last 200 console lines with time and direction, under a heading; [] if there are none."""
    tail = console[-CONSOLE_LINES:]
    if not tail:
        return []
    heading = f"console, last {len(tail)} lines (seconds, < from the DUT, > to it, # by the harness):"
    return [heading, *(f"  {line.time_s:10.3f} {line.direction} {_printable(line.text)}" for line in tail)]


def _printable(text: str) -> str:
    """Control characters escaped: a DUT's garbage must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)
