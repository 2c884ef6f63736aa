"""The run as plain text, `report.txt`: what the HTML report says, without the waveforms."""

from __future__ import annotations

from pathlib import Path

from pytest_lan_hil.model.measurement import Measurement, Outcome
from pytest_lan_hil.model.record import DeviceIdentity, FirmwareIdentity, RunKind, RunRecord, TestRecord
from pytest_lan_hil.publish.comparisons import test_comparisons
from pytest_lan_hil.publish.confusion import matrix_lines
from pytest_lan_hil.publish.files import TEXT_NAME, write_atomically
from pytest_lan_hil.publish.html import firmware_of
from pytest_lan_hil.publish.numbers import title_of
from pytest_lan_hil.publish.rows import message_lines, test_rows
from pytest_lan_hil.publish.terminal import comparison_table, console_lines, summary_lines, table


def write_text_report(record: RunRecord, directory: Path) -> Path:
    """Write `report.txt` into the run's folder; returns its path.

    Raises:
        InputError: The file can't be written.
    """
    return write_atomically(directory / TEXT_NAME, render_text(record))


def render_text(record: RunRecord) -> str:
    """The report as text, with a trailing newline. Equal records give equal bytes."""
    commit = record.git_commit[:12] or "none"
    lines = [
        *summary_lines(record),
        "",
        f"run       {record.run_id}",
        f"started   {record.started_at}",
        f"finished  {record.finished_at}",
        f"commit    {commit}{' with uncommitted changes' if record.git_dirty else ''}",
        f"job       {record.job}",
    ]
    for test in record.tests:
        lines += ["", *_test(test, record.kind)]
    for image in firmware_of(record):
        lines += ["", *_firmware(image)]
    if record.devices:
        lines += ["", "bench:"]
        for device in record.devices:
            lines += _device(device)
    if record.versions:
        lines += ["", "versions: " + ", ".join(f"{k} {v}" for k, v in sorted(record.versions.items()))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _test(test: TestRecord, kind: RunKind) -> list[str]:
    lines = [f"{test.nodeid}: {test.outcome.value}"]
    lines += [f"  {line}" for line in message_lines(test)]
    rows = test_rows(test)
    if rows:
        lines += [f"  {line}" for line in table(rows)]
    lines += [f"  {row.quantity}: {row.reason}" for row in rows if row.reason and row.kind != "within"]
    compared = test_comparisons(test)
    if compared:
        lines += [f"  {line}" for line in ("", *comparison_table(compared, kind))]
        lines += [f"  {row.quantity}: {line}" for row in compared for line in row.reason.splitlines()]
    for name, measurement in sorted((test.measurements or {}).items()):
        lines += _provenance(name, measurement)
    if test.confusion is not None:
        lines.append("  confusion matrix: a row for what was said, a column for what the DUT heard")
        lines += [f"    {line}" for line in matrix_lines(test.confusion)]
    if test.outcome is not Outcome.PASSED:
        lines += [f"  {line}" for line in console_lines(test.console)]
    return lines


def _provenance(name: str, measurement: Measurement) -> list[str]:
    state = measurement.conditions
    label = " (simulated)" if measurement.simulated and "simulated" not in measurement.instrument else ""
    return [
        f"  {title_of(name)}: by {measurement.instrument}{label},"
        f" {measurement.lost_share * 100:.3g} % of the samples dropped, debug probe {state.probe},"
        f" console {state.console}, supply {state.supply}",
        *(f"    note: {note}" for note in measurement.notes),
    ]


def _firmware(image: FirmwareIdentity) -> list[str]:
    return [
        f"firmware: {image.image}",
        f"  {'proved: flash agrees with the image' if image.proved else 'NOT proved to be on the DUT'}",
        f"  sha256 of the file       {image.sha256}",
        f"  sha256 read from flash   {image.flash_sha256 or 'none'}",
        f"  build, from the console  {image.build or 'none reported'}",
    ]


def _device(device: DeviceIdentity) -> list[str]:
    label = " (simulated)" if device.simulated else ""
    return [
        f"  {device.role}: {device.description}{label}, {device.uri}",
        *(f"    note: {note}" for note in device.notes),
    ]
