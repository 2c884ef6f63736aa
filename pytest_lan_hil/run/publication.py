"""A finished run onto disk, and from there to everybody who wants it.

Nothing measured is lost: the record is on disk before any network is touched, and a Pushgateway that is down
costs its time limit and leaves the run in the spool for `lan-hil push`. A replay is not pushed: its numbers
are not this commit's; nor is a run that compared two images.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.record import RunKind, RunRecord
from pytest_lan_hil.publish.explain import explain
from pytest_lan_hil.publish.github import append_step_summary
from pytest_lan_hil.publish.images import keep_images
from pytest_lan_hil.publish.spool import enqueue, push_spooled
from pytest_lan_hil.publish.store import store
from pytest_lan_hil.publish.terminal import brief_lines, summary_lines
from pytest_lan_hil.run.options import RunOptions


@dataclass(frozen=True, slots=True)
class Publication:
    """What was written, and the lines for the terminal; `record` is None if not even that could be."""

    record: Path | None
    report: Path | None
    lines: tuple[str, ...]


def publish(
    record: RunRecord, waveforms: Mapping[str, Envelope], options: RunOptions, problem: str
) -> Publication:
    """Write the record and its reports, then push.

    Args:
        record: The finished run.
        waveforms: Node id to the envelope of its capture.
        options: Where to.
        problem: What went wrong while the bench was released, or "".

    Raises:
        InputError: The record can't be written. Whatever fails after it is a line of the summary.
        MeasurementInvalid: A figure of the record is not a number.
    """
    stored = store(record, waveforms, options.output)
    keep_images(stored.record, options.output)
    problems = [problem, *stored.problems]
    state = ""
    try:
        append_step_summary(stored.record)
    except InputError as error:
        problems.append(error.problem)
    if stored.record.kind is RunKind.AB:
        state = "not pushed: two images were compared, which is no state of this commit"
    elif stored.record.replayed:
        state = "not pushed: a recorded capture was judged, nothing was measured now"
    elif options.pushgateway:
        state = _push(stored.record, options, options.pushgateway)
    else:
        try:
            enqueue(stored.record, options.output)
        except InputError as error:
            problems.append(error.problem)
    # Several boards have one table together, once all of them are done.
    told = brief_lines if len(options.boards) > 1 else summary_lines
    lines = told(stored.record, record_path=stored.record_path, report_path=stored.report_path, push=state)
    if options.explain:
        for measurement in (stored.record.measurements or {}).values():
            lines += ["", *explain(measurement)]
    lines += [f"warning: {text}" for text in problems if text]
    return Publication(stored.record_path, stored.report_path, tuple(lines))


def _push(record: RunRecord, options: RunOptions, url: str) -> str:
    """Push, and say in words what came of it."""
    result = push_spooled(record, options.output, url, timeout_s=options.push_timeout_s)
    if result.ok:
        return result.detail
    later = ["lan-hil", "push", "--hil-output", str(options.output), "--pushgateway", url]
    return f"{result.detail}; later: {shlex.join(later)}"
