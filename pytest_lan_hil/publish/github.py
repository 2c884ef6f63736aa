"""GitHub's step summary: the run as Markdown, appended to the file that Actions names in GITHUB_STEP_SUMMARY.

https://docs.github.com/en/actions/writing-workflows/choosing-what-your-workflow-does/workflow-commands-for-github-actions#adding-a-job-summary
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.rows import SIMULATED_LABEL, run_rows, test_counts

VARIABLE = "GITHUB_STEP_SUMMARY"

_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#~"} | {"\n": " ", "\r": " "})


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
    for test in record.tests:
        if test.outcome in (Outcome.FAILED, Outcome.BLOCKED):
            lines.append(f"- **{test.outcome.value}** {_md(test.nodeid)}: {_md(test.message)}")
    return "\n".join(lines).rstrip() + "\n"


def _md(text: str) -> str:
    return text.translate(_MARKDOWN)
