"""A finished run onto disk, and from there to everybody who wants it.

Nothing measured is lost: the record is on disk before any network is touched, and a Pushgateway that is down
costs its time limit and leaves the run in the spool for `lan-hil push`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.github import append_step_summary
from pytest_lan_hil.publish.spool import enqueue, push_spooled
from pytest_lan_hil.publish.store import store
from pytest_lan_hil.publish.terminal import summary_lines
from pytest_lan_hil.run.options import RunOptions


@dataclass(frozen=True, slots=True)
class Publication:
    """What was written, and the lines for the terminal."""

    record: Path
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
    """
    output = options.output
    stored = store(record, waveforms, output)
    append_step_summary(stored.record)
    state = ""
    if options.pushgateway:
        result = push_spooled(stored.record, output, options.pushgateway, timeout_s=options.push_timeout_s)
        state = result.detail
        if not result.ok:
            state += f"; later: lan-hil push --hil-output {output} --pushgateway {options.pushgateway}"
    else:
        enqueue(stored.record, output)
    lines = summary_lines(
        stored.record, record_path=stored.record_path, report_path=stored.report_path, push=state
    )
    lines += [f"warning: {warning}" for warning in (problem, *stored.problems) if warning]
    return Publication(stored.record_path, stored.report_path, tuple(lines))
