"""Everything of a run that goes to disk, in the order in which losing it would hurt: the record first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.model.errors import HilError
from pytest_lan_hil.model.record import RunKind, RunRecord
from pytest_lan_hil.publish.files import METRICS_NAME, point_latest, run_directory, write_atomically
from pytest_lan_hil.publish.html import write_report
from pytest_lan_hil.publish.ledger import Ledger
from pytest_lan_hil.publish.ledger_making import announce
from pytest_lan_hil.publish.openmetrics import render
from pytest_lan_hil.publish.record import write_record
from pytest_lan_hil.publish.spool import note_success
from pytest_lan_hil.publish.text import write_text_report
from pytest_lan_hil.publish.waveforms import with_waveform_names, write_waveforms


@dataclass(frozen=True, slots=True)
class Stored:
    """What is on disk.

    Attributes:
        record: As written: its tests name their waveform files.
        directory: The run's folder.
        record_path: `record.json`.
        report_path: `report.html`, or `report.txt` if that could not be written, or None.
        problems: What could not be written, one sentence each; the record itself always is.
    """

    record: RunRecord
    directory: Path
    record_path: Path
    report_path: Path | None
    problems: tuple[str, ...] = ()


def store(record: RunRecord, waveforms: Mapping[str, Envelope], output: Path) -> Stored:
    """Write record, ledger, waveforms, reports and metrics of a run below `output`, and point `latest` at it.

    Args:
        record: The run.
        waveforms: Node id to envelope.
        output: The output folder (`--hil-output`).

    Raises:
        InputError: The record can't be written. What comes after it is reported in `problems` instead.
        MeasurementInvalid: A figure of the record is not a number.
    """
    record = with_waveform_names(record, waveforms)
    directory = run_directory(output, record.run_id)
    announce(output, record.run_id)
    record_path = write_record(record, directory)
    problems: list[str] = []

    def attempt(step: Callable[[], Path]) -> Path | None:
        try:
            return step()
        except HilError as error:
            problems.append(error.problem)
            return None

    def enter_in_ledger() -> Path:
        with Ledger.open(output) as ledger:
            ledger.add(record)
            problems.extend(ledger.problems)
        return ledger.path

    def write_metrics() -> Path:
        text = render(record, last_success_s=note_success(record, output))
        return write_atomically(directory / METRICS_NAME, text)

    def write_all_waveforms() -> Path:
        write_waveforms(record, waveforms, directory)
        return directory

    attempt(enter_in_ledger)
    attempt(write_all_waveforms)
    html = attempt(lambda: write_report(record, waveforms, directory))
    text = attempt(lambda: write_text_report(record, directory))
    if record.kind is RunKind.PLAIN:  # the metrics of a board are not those of two images
        attempt(write_metrics)
    attempt(lambda: point_latest(output, record.run_id))
    return Stored(record, directory, record_path, html or text, tuple(problems))
