"""What GitHub Actions shows of a run: its step summary in Markdown, and annotations at the tests' lines.

The summary is appended to the file that GITHUB_STEP_SUMMARY names; annotations are lines on stdout:
https://docs.github.com/en/actions/writing-workflows/choosing-what-your-workflow-does/workflow-commands-for-github-actions
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.comparisons import cells, headings, last_repeats, repeat_lines, run_comparisons
from pytest_lan_hil.publish.rows import SIMULATED_LABEL, run_rows, test_counts

VARIABLE = "GITHUB_STEP_SUMMARY"

_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#~"} | {"\n": " ", "\r": " "})


# How Actions' own toolkit escapes a command: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


@dataclass(frozen=True, slots=True)
class Annotation:
    """What stands at a line of the user's test.

    Attributes:
        file: Path of the test file.
        line: From 1.
        title: One line.
        message: May have several.
    """

    file: Path
    line: int
    title: str
    message: str


def annotation_line(annotation: Annotation, environment: Mapping[str, str] | None = None) -> str:
    """The command that makes Actions show an error at the line, for a line of stdout of its own.

    The file is named from the root of the checkout (GITHUB_WORKSPACE), as Actions wants it.
    """
    root = (os.environ if environment is None else environment).get("GITHUB_WORKSPACE")
    file = annotation.file
    if root and file.is_relative_to(root):
        file = file.relative_to(root)
    properties = {"file": file.as_posix(), "line": str(annotation.line), "title": annotation.title}
    written = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items())
    return f"::error {written}::{annotation.message.translate(_DATA)}"


def wants_annotations(environment: Mapping[str, str] | None = None) -> bool:
    """True on a runner of GitHub Actions, which sets GITHUB_ACTIONS to "true"."""
    return (os.environ if environment is None else environment).get("GITHUB_ACTIONS") == "true"


def append_step_summary(record: RunRecord, environment: Mapping[str, str] | None = None) -> Path | None:
    """Append the run to the step summary; None if there is no such file to append to.

    Raises:
        InputError: The file can't be written.
    """
    name = (os.environ if environment is None else environment).get(VARIABLE)
    if not name:
        return None
    path = Path(name)
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{step_summary(record)}\n")
    except OSError as error:
        raise InputError(
            f"appending the step summary to {path}: {error.strerror}", fix=f"unset {VARIABLE}"
        ) from error
    return path


def step_summary(record: RunRecord) -> str:
    """One run as Markdown, with a trailing newline."""
    lines = [f"## {_md(record.board)} on bench {_md(record.bench)}: {record.outcome.value}", ""]
    if record.simulated:
        lines += [f"> **{SIMULATED_LABEL}**", ""]
    lines += [f"Tests: {test_counts(record)}", ""]
    rows = run_rows(record)
    if rows:
        lines += ["| quantity | measured | statistic | n | budget | verdict |", "|---|---|---|---:|---|---|"]
        for row in rows:
            verdict = f"**{row.verdict}**" if row.kind == "over" else row.verdict
            cells = [_md(text) for text in (row.quantity, row.measured, row.statistic, row.n, row.budget)]
            lines.append(f"| {' | '.join([*cells, verdict])} |")
        lines.append("")
    lines += _compared(record)
    for test in last_repeats(record.tests):
        if test.outcome in (Outcome.FAILED, Outcome.BLOCKED):
            lines.append(f"- **{test.outcome.value}** {_md(test.nodeid)}: {_md(test.message)}")
    return "\n".join(lines).rstrip() + "\n"


def _compared(record: RunRecord) -> list[str]:
    """The table of what was compared with what; [] if nothing was."""
    rows = run_comparisons(record)
    if not rows:
        return []
    titles = headings(record.kind)
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for row in rows:
        written = [_md(text) for text in cells(row)]
        if row.kind == "regressed":
            written[5] = f"**{row.verdict}**"
        lines.append(f"| {' | '.join(written)} |")
    return [*lines, "", *(f"- {_md(line)}" for line in repeat_lines(record)), ""]


def _md(text: str) -> str:
    return text.translate(_MARKDOWN)
