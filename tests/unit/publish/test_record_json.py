"""The run record on disk: written whole, read back equal, refused in plain words when it is another thing."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publish_samples import BLOCKED, COMPARED, LATENCY, RECORD, UNDECIDED

from pytest_lan_hil.model.comparison import Arm, Comparison, Subject
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import (
    Budget,
    Conditions,
    Contribution,
    Estimate,
    Measurement,
    Outcome,
    Spread,
    Verdict,
    VerdictKind,
)
from pytest_lan_hil.model.quantities import Direction
from pytest_lan_hil.model.record import ConsoleLine, DeviceIdentity, FirmwareIdentity, RunKind, RunRecord
from pytest_lan_hil.model.record import TestRecord as OneTest
from pytest_lan_hil.publish.record import (
    from_json,
    json_schema,
    measurements_json,
    read_record,
    to_json,
    write_record,
)

SCHEMA_FILE = Path(__file__).parents[3] / "docs" / "reference" / "run-record.schema.json"

figures = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text("abcdefgh_", min_size=1, max_size=6)
lows = st.one_of(figures, st.just(-math.inf))
highs = st.one_of(figures, st.just(math.inf))
estimates = st.builds(
    Estimate, names, figures, lows, highs, st.one_of(figures, st.just(math.inf)), low=lows, high=highs
)
half_widths = st.one_of(figures, st.just(math.inf))
measurements = st.builds(
    Measurement,
    quantity=names,
    unit=texts,
    n=st.integers(0, 10**9),
    values=st.lists(figures, max_size=4).map(tuple),
    spread=st.builds(Spread, *[figures] * 7),
    estimate=estimates,
    lost_share=figures,
    instrument=texts,
    simulated=st.booleans(),
    conditions=st.builds(Conditions, texts, texts, texts),
    notes=st.lists(texts, max_size=2).map(tuple),
    contributions=st.lists(st.builds(Contribution, names, half_widths, texts, texts), max_size=2).map(tuple),
)
by_name = st.dictionaries(names, measurements, max_size=2)
verdicts = st.builds(
    Verdict,
    kind=st.sampled_from(VerdictKind),
    budget=st.builds(Budget, names, figures, names, texts),
    unit=texts,
    estimate=st.none() | estimates,
    n=st.integers(0, 99),
    reason=texts,
)
arms = st.none() | st.builds(
    Arm,
    figures,
    st.one_of(figures, st.just(math.inf)),
    st.one_of(figures, st.just(math.inf)),
    st.integers(0, 99),
)
comparisons = st.builds(
    Comparison,
    subject=st.builds(Subject, names, texts),
    kind=st.sampled_from(VerdictKind),
    unit=texts,
    statistic=names,
    direction=st.sampled_from(Direction),
    base=arms,
    head=arms,
    margin=figures,
    change=figures,
    change_low=lows,
    change_high=highs,
    p_regressed=figures,
    p_within=figures,
    p_improved=figures,
    reason=texts,
    repeats=st.none() | st.integers(1, 99),
)
tests = st.builds(
    OneTest,
    nodeid=texts,
    outcome=st.sampled_from(Outcome),
    message=texts,
    measurements=by_name,
    verdicts=st.lists(verdicts, max_size=2).map(tuple),
    firmware=st.none() | st.builds(FirmwareIdentity, texts, texts, texts, texts, st.booleans()),
    console=st.lists(st.builds(ConsoleLine, figures, st.sampled_from("<>"), texts), max_size=2).map(tuple),
    comparisons=st.lists(comparisons, max_size=2).map(tuple),
)
records = st.builds(
    RunRecord,
    run_id=names,
    started_at=texts,
    finished_at=texts,
    board=names,
    bench=names,
    simulated=st.booleans(),
    job=names,
    outcome=st.sampled_from(Outcome),
    devices=st.lists(st.builds(DeviceIdentity, names, texts, texts, st.booleans()), max_size=2).map(tuple),
    tests=st.lists(tests, max_size=2).map(tuple),
    measurements=by_name,
    versions=st.dictionaries(names, texts, max_size=2),
    schema_version=st.just(1),
    git_branch=texts,
    kind=st.sampled_from(RunKind),
)


@settings(max_examples=60, deadline=None)
@given(records)
def test_every_record_reads_back_equal_and_fits_the_schema(record: RunRecord) -> None:
    text = to_json(record)
    assert from_json(text) == record
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(text))


def test_written_file_reads_back_from_its_folder(tmp_path: Path) -> None:
    path = write_record(RECORD, tmp_path / "runs" / "x")
    assert path.name == "record.json"
    assert path.read_text(encoding="utf-8").endswith("}\n")
    found = read_record(path.parent)
    assert found.tests[1] == RECORD.tests[1]
    assert found.tests[3] == dataclasses.replace(BLOCKED, measurements={})


def test_a_record_from_before_comparisons_were_written_is_read() -> None:
    tree = json.loads(to_json(RECORD))
    for test in tree["tests"]:
        del test["comparisons"]
    del tree["git_branch"], tree["kind"]
    assert from_json(json.dumps(tree)).tests[1] == RECORD.tests[1]


def test_an_unbounded_change_is_null_and_comes_back_as_infinity() -> None:
    one = dataclasses.replace(COMPARED, comparisons=(UNDECIDED,))
    text = to_json(dataclasses.replace(RECORD, tests=(one,)))
    (found,) = json.loads(text)["tests"][0]["comparisons"]
    assert (found["change_low"], found["change_high"], found["head"]["standard_error"]) == (None, None, None)
    assert from_json(text).tests[0].comparisons == (UNDECIDED,)


def test_a_record_from_before_contributions_were_written_is_read() -> None:
    tree = json.loads(to_json(RECORD))
    for test in tree["tests"]:
        for measurement in test["measurements"].values():
            del measurement["contributions"]
    assert from_json(json.dumps(tree)).tests[1] == RECORD.tests[1]


def test_open_interval_is_null_and_comes_back_as_infinity() -> None:
    tree = json.loads(to_json(RECORD))
    estimate = tree["tests"][2]["measurements"]["latency"]["estimate"]
    assert estimate["high"] is None
    assert estimate["ci95_high"] is None
    assert estimate["low"] == pytest.approx(9.87695)
    found = from_json(to_json(RECORD)).tests[2].measurements
    assert found is not None
    assert found["latency"].estimate.high == math.inf


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused_with_its_place(figure: float, tmp_path: Path) -> None:
    estimate = dataclasses.replace(LATENCY.estimate, value=figure)
    broken = dataclasses.replace(
        RECORD, measurements={"latency": dataclasses.replace(LATENCY, estimate=estimate)}
    )
    with pytest.raises(MeasurementInvalid, match=r"measurements\.latency\.estimate\.value"):
        write_record(broken, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_equal_runs_have_byte_identical_measurements_whatever_their_ids() -> None:
    other = dataclasses.replace(
        RECORD, run_id="other", started_at="2027-01-01T00:00:00Z", git_commit="", versions={}
    )
    assert measurements_json(other) == measurements_json(RECORD)
    assert to_json(other) != to_json(RECORD)
    reordered = dataclasses.replace(RECORD, measurements=dict(reversed((RECORD.measurements or {}).items())))
    assert to_json(reordered) == to_json(RECORD)


def test_measurements_differ_when_one_value_does() -> None:
    changed = dataclasses.replace(LATENCY, values=(9.871, 9.874, 9.879, 9.881250000000001))
    test = dataclasses.replace(RECORD.tests[2], measurements={"latency": changed})
    other = dataclasses.replace(RECORD, tests=(*RECORD.tests[:2], test, RECORD.tests[3]))
    assert measurements_json(other) != measurements_json(RECORD)


def test_values_of_a_measurement_stand_on_one_line() -> None:
    assert '"values": [9.871, 9.874, 9.879, 9.88125]' in to_json(RECORD)


def test_undecodable_console_bytes_are_kept_as_escapes() -> None:
    test = dataclasses.replace(BLOCKED, console=(ConsoleLine(0.0, "<", "a\udcffb"),))
    record = dataclasses.replace(RECORD, tests=(test,))
    assert from_json(to_json(record)).tests[0].console[0].text == "a\\udcffb"


def _edited(**changes: Any) -> str:
    return json.dumps({**json.loads(to_json(RECORD)), **changes})


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("not json", "is not JSON", "record.json"),
        ('{"a": 1}', "not a run record", "run-record.md"),
        ("[]", "not a run record", "run-record.md"),
        ('{"run_id": "a", "run_id": "b", "schema_version": 1}', "'run_id' is there twice", "record.json"),
        ('{"run_id": "a", "schema_version": NaN}', "NaN is not a number that JSON has", "record.json"),
        (
            _edited(schema_version=0),
            "schema version 0, this version of pytest-lan-hil reads 1",
            "repeat the run",
        ),
        (_edited(schema_version=2), "schema version 2", "upgrade pytest-lan-hil"),
        (_edited(simulated="yes"), "simulated: Input should be a valid boolean", "schema.json"),
        (_edited(outcome="fine"), "outcome: Input should be", "schema.json"),
        (_edited(board=None), "board: Input should be a valid string", "schema.json"),
    ],
)
def test_foreign_and_older_files_are_refused_in_plain_words(
    tmp_path: Path, text: str, problem: str, fix: str
) -> None:
    path = tmp_path / "record.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_record(path)
    assert problem in caught.value.problem
    assert str(path) in caught.value.problem
    assert fix in caught.value.fix


def test_an_absent_record_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_record(tmp_path / "record.json")


def test_unknown_keys_of_a_newer_writer_are_ignored() -> None:
    assert from_json(_edited(mood="good")).run_id == RECORD.run_id


def test_a_failing_disk_leaves_the_old_record_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_record(RECORD, tmp_path)
    before = path.read_bytes()

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(InputError, match="No space left"):
        write_record(dataclasses.replace(RECORD, board="other"), tmp_path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["record.json"]


def test_committed_schema_is_current_and_a_valid_draft_2020_12_schema() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    committed = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(schema)), (
        "docs/reference/run-record.schema.json is not what json_schema() gives: write it again"
    )


@pytest.mark.parametrize(
    ("place", "value"),
    [("schema_version", 2), ("outcome", "fine"), ("simulated", 1), ("measurements", None), ("tests", {})],
)
def test_schema_refuses_what_the_reader_refuses(place: str, value: object) -> None:
    tree = {**json.loads(to_json(RECORD)), place: value}
    assert list(jsonschema.Draft202012Validator(json_schema()).iter_errors(tree))
