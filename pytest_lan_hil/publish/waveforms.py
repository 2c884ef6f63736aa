"""Waveforms beside the record: each test's envelope as a JSON file, `waveform-NNN.json`.

A waveform is for looking at: six significant digits. What was measured stands in the record.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.comparisons import last_repeats
from pytest_lan_hil.publish.files import write_atomically

_DIGITS = 6


def with_waveform_names(record: RunRecord, waveforms: Mapping[str, Envelope]) -> RunRecord:
    """The record with each test's `waveform` naming its file ("" for a test that has none).

    Args:
        record: The run.
        waveforms: Node id to envelope.
    """
    # Of a test that was repeated the last capture was kept.
    shown = {id(test) for test in last_repeats(record.tests) if test.nodeid in waveforms}
    tests = tuple(
        dataclasses.replace(test, waveform=f"waveform-{number:03d}.json" if id(test) in shown else "")
        for number, test in enumerate(record.tests, start=1)
    )
    return dataclasses.replace(record, tests=tests)


def write_waveforms(record: RunRecord, waveforms: Mapping[str, Envelope], directory: Path) -> list[Path]:
    """Write the files that `with_waveform_names` named into the run's folder.

    Raises:
        InputError: One can't be written.
    """
    return [
        write_atomically(directory / test.waveform, waveform_json(waveforms[test.nodeid]))
        for test in record.tests
        if test.waveform and test.nodeid in waveforms
    ]


def waveform_json(waveform: Envelope) -> str:
    """The envelope as JSON text; dropped stretches are null."""
    return json.dumps(_rounded(dataclasses.asdict(waveform)), sort_keys=True, allow_nan=False) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


def read_waveform(path: Path) -> Envelope:
    """Read a file that `write_waveforms` wrote.

    Raises:
        InputError: Not there, or not such a file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        names = [field.name for field in dataclasses.fields(Envelope) if field.name in found]
        found["markers"] = {
            name: [(start, stop) for start, stop in spans] for name, spans in found["markers"].items()
        }
        found["gaps"] = [(start, stop) for start, stop in found["gaps"]]
        return Envelope(**{name: found[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"reading waveform {path}: {error}", fix="name a waveform file that a run wrote"
        ) from None
