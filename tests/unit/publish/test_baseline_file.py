"""Baseline files: what is written is read back, diffs are small, a wrong file says where and what to do."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.model.comparison import Baseline, BaselineEvent, BaselineRow, Sample, Subject
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Spread
from pytest_lan_hil.publish.baseline_file import (
    baseline_path,
    read_baseline,
    rounded,
    to_json,
    write_baseline,
)

LATENCY = Subject("latency", "tests/hil/test_a.py::test_fast[3]")
MEMORY = Subject("memory", "tests/hil/test_a.py::test_fast[3]")
POWER = Subject("power", "tests/hil/test_b.py::test_idle")
EVENT = BaselineEvent("2026-11-29T16:00:00.000Z", "saved", "628798f0c0ffee", "desk", "3f" * 32, 3)


def sample(value: float, error: float = 0.0123456789, degrees: float = 19, n: int = 20) -> Sample:
    return Sample(
        value, error, degrees, n, Spread(value, 0.05, value - 0.1, value, value, value, value + 0.1)
    )


def row(subject: Subject, unit: str, statistic: str, *samples: Sample) -> BaselineRow:
    return BaselineRow(subject, unit, statistic, "Joulescope JS220 002557", samples)


ROWS = (
    row(POWER, "mW", "mean", sample(0.123456789)),
    row(LATENCY, "ms", "p95", sample(9.87654321), sample(9.9, math.inf, math.inf)),
    row(MEMORY, "KB", "max", sample(15.5546875, 0.0, math.inf, 1)),
)
BASELINE = Baseline("nrf52840", "desk", False, {one.subject: one for one in ROWS}, (EVENT,))


def written(folder: Path, baseline: Baseline = BASELINE) -> Path:
    path = baseline_path(folder, baseline.board, baseline.bench)
    write_baseline(baseline, path)
    return path


def test_a_baseline_is_read_back_with_six_digits_and_exact_figures_whole(tmp_path: Path) -> None:
    found = read_baseline(written(tmp_path))
    assert (found.board, found.bench, found.simulated) == ("nrf52840", "desk", False)
    assert found.events == (EVENT,)
    assert found.origin == str(tmp_path / "nrf52840.desk.json")
    first, second = found.rows[LATENCY].samples
    assert (first.value, first.standard_error, first.degrees, first.n) == (9.87654, 0.0123457, 19, 20)
    assert (second.standard_error, second.degrees) == (math.inf, math.inf)
    assert found.rows[MEMORY].samples[0].value == 15.5546875
    assert found.rows[POWER].unit == "mW"
    assert found == rounded(BASELINE)


def test_rows_are_sorted_and_a_sample_is_one_line(tmp_path: Path) -> None:
    lines = written(tmp_path).read_text().splitlines()
    assert [line.strip() for line in lines if line.endswith('": {')] == [
        '"tests": {',
        f'"{LATENCY.test}": {{',
        '"latency": {',
        '"memory": {',
        f'"{POWER.test}": {{',
        '"power": {',
    ]
    assert len([line for line in lines if line.lstrip().startswith('{"value"')]) == 4
    assert len([line for line in lines if '"action"' in line]) == 1


def test_another_sample_changes_one_line_and_adds_one(tmp_path: Path) -> None:
    before = to_json(BASELINE).splitlines()
    longer = replace(BASELINE.rows[POWER], samples=(*BASELINE.rows[POWER].samples, sample(0.2)))
    after = to_json(replace(BASELINE, rows={**BASELINE.rows, POWER: longer})).splitlines()
    assert len(after) == len(before) + 1
    assert len(set(after) - set(before)) == 2  # the new one, and the comma of the one before it


def test_a_file_that_holds_just_that_is_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path)
    stamp = path.stat().st_mtime_ns
    inode = path.stat().st_ino
    assert write_baseline(BASELINE, path) is False
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (stamp, inode)
    assert write_baseline(replace(BASELINE, simulated=True), path) is True
    assert read_baseline(path).simulated is True


_finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)
_positive = st.one_of(st.floats(min_value=0, max_value=1e12), st.just(math.inf))
_name = st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable())


@st.composite
def _samples(draw: st.DrawFn) -> Sample:
    low, middle, high = sorted(draw(st.tuples(_finite, _finite, _finite)))
    spread = Spread(middle, abs(draw(_finite)), low, middle, high, high, high)
    return Sample(draw(_finite), draw(_positive), draw(_positive), draw(st.integers(1, 10**9)), spread)


@given(
    st.dictionaries(
        st.tuples(_name, _name), st.lists(_samples(), min_size=1, max_size=3), min_size=0, max_size=4
    )
)
def test_what_is_read_is_written_as_it_stood(rows: dict[tuple[str, str], list[Sample]]) -> None:
    made = {Subject(*key): row(Subject(*key), "ms", "mean", *found) for key, found in rows.items()}
    once = rounded(Baseline("b", "x", True, made))
    assert set(once.rows) == set(made)
    assert to_json(rounded(once)) == to_json(once)
    for subject, found in once.rows.items():
        for kept, given_ in zip(found.samples, made[subject].samples, strict=True):
            assert kept.value == pytest.approx(given_.value, rel=1e-5)
            assert kept.standard_error == pytest.approx(given_.standard_error, rel=1e-5)


def complaint(folder: Path, text: str) -> str:
    path = folder / "nrf52840.desk.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        read_baseline(path)
    assert raised.value.exit_code == 2
    return str(raised.value).replace(str(path), "FILE")


def edited(**changes: Any) -> str:
    return json.dumps({**json.loads(to_json(BASELINE)), **changes})


def with_sample(**changes: Any) -> str:
    tree = json.loads(to_json(BASELINE))
    tree["tests"][POWER.test]["power"]["samples"][0].update(changes)
    return json.dumps(tree)


PLACE = f"FILE: tests > {POWER.test} > power > samples[0] > "


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"std": -0.1}, "std is -0.1; a spread is 0 or more"),
        ({"standard_error": -1}, "standard_error is -1; it is 0 or more"),
        ({"minimum": 5}, "minimum with p50 and maximum is 5, 0.123457, 0.223457; they stand in rising order"),
        ({"value": None}, "value is null; a number is wanted"),
        ({"value": "9"}, 'value is "9"; a number is wanted'),
        ({"value": True}, "value is true; a number is wanted"),
        ({"value": 10**400}, "value is beyond what a number can be; a finite number is wanted"),
        ({"n": 0}, "n is 0; a whole number from 1 is wanted"),
        ({"n": 2.5}, "n is 2.5; a whole number from 1 is wanted"),
        ({"sdt": 1}, "sdt is unknown; known here: value, standard_error, degrees, n, mean, std"),
    ],
)
def test_a_wrong_figure_is_named_by_its_place(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    assert complaint(tmp_path, with_sample(**changes)).startswith(PLACE + told)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_a_number_in_json_is_refused(tmp_path: Path, word: str) -> None:
    text = with_sample(value="WORD").replace('"WORD"', word)
    assert f"baseline FILE is not JSON: {word} is not a number" in complaint(tmp_path, text)


def test_a_number_that_overflows_is_refused(tmp_path: Path) -> None:
    text = with_sample(value="WORD").replace('"WORD"', "1e999")
    assert "value is beyond what a number can be" in complaint(tmp_path, text)


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    text = to_json(BASELINE).replace('      "memory": {', '      "latency": {')
    told = complaint(tmp_path, text)
    assert told.startswith(
        "baseline FILE is not JSON: key 'latency' is there twice\n  fix: git checkout FILE"
    )
    assert "lan-hil baseline save --board nrf52840" in told


def test_the_marks_of_a_merge_are_told_with_their_line(tmp_path: Path) -> None:
    lines = to_json(BASELINE).splitlines()
    lines[4:5] = ["<<<<<<< HEAD", lines[4], "=======", lines[4], ">>>>>>> slower"]
    told = complaint(tmp_path, "\n".join(lines))
    assert told.startswith("FILE:5: git left the marks of a merge conflict in this baseline (<<<<<<<)")
    assert "git checkout --ours FILE" in told


@pytest.mark.parametrize("version", [0, -1, None, "1", 0.5, True])
def test_an_older_schema_is_refused_with_the_command_that_measures_anew(
    tmp_path: Path, version: object
) -> None:
    told = complaint(tmp_path, edited(schema_version=version, board="mine"))
    assert "this version of pytest-lan-hil reads 1 and can't convert it" in told
    assert "fix: measure it anew: lan-hil baseline save --board mine" in told


def test_a_newer_schema_asks_for_a_newer_version_of_the_package(tmp_path: Path) -> None:
    told = complaint(tmp_path, edited(schema_version=2))
    assert told.startswith("baseline FILE has schema version 2, this version of pytest-lan-hil reads 1\n")
    assert "upgrade" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "baseline FILE is not JSON"),
        ("{", "baseline FILE is not JSON"),
        ("[" * 100_000, "baseline FILE is not JSON"),
        ("[]", "FILE is JSON, but not a baseline"),
        ('{"run_id": "x"}', "FILE is JSON, but not a baseline"),
        (edited(board=""), "FILE: board is empty; text is wanted"),
        (edited(simulated="no"), 'FILE: simulated is "no"; true or false is wanted'),
        (edited(tests=[]), "FILE: tests is []; an object is wanted"),
        (edited(tests={"t": {"power": 5}}), "FILE: tests > t > power is 5; an object is wanted"),
        (edited(tests={"t": {"": {}}}), "FILE: tests > t >  has an empty name"),
        (edited(events={}), "FILE: events is {}; a list is wanted"),
        (edited(colour="red"), "FILE: colour is unknown"),
        (
            edited(
                tests={"t": {"power": {"unit": "mW", "statistic": "mean", "instrument": "x", "samples": []}}}
            ),
            "FILE: tests > t > power > samples is empty",
        ),
        (
            edited(tests={"t": {"power": {"statistic": "mean", "instrument": "x", "samples": [{}]}}}),
            "FILE: tests > t > power > samples[0] > mean is missing; it is required",
        ),
        (
            edited(events=[{"at": "x", "action": "forged"}]),
            'FILE: events[0] > action is "forged"; one of saved',
        ),
    ],
)
def test_what_is_no_baseline_says_what_it_is(tmp_path: Path, text: str, told: str) -> None:
    assert complaint(tmp_path, text).startswith(told)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_baseline(tmp_path / "none.json")
    with pytest.raises(InputError, match="directory"):
        read_baseline(tmp_path)
    (tmp_path / "x.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="can't decode"):
        read_baseline(tmp_path / "x.json")


def test_an_accepted_change_keeps_its_reason(tmp_path: Path) -> None:
    event = replace(EVENT, action="accepted", reason="bigger model: +2 points of accuracy")
    found = read_baseline(written(tmp_path, replace(BASELINE, events=(EVENT, event))))
    assert found.events == (EVENT, event)


def test_the_file_in_the_reference_is_a_baseline(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "baselines.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "nrf52840.desk.json").write_text(example)
    found = read_baseline(tmp_path / "nrf52840.desk.json")
    assert to_json(found) == example
    (row,) = json.loads(example)["tests"]["tests/hil/test_speed.py::test_latency"].values()
    keys = [*json.loads(example), *row, "value", "standard_error", "degrees", "n", "mean", "maximum"]
    assert [key for key in keys if f"`{key}`" not in page] == ["schema_version"]
