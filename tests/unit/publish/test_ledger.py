"""What goes into the ledger comes out of it, in the order of recording, under all the names a run has."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from past_runs import latency, one_test, past, record_all
from publish_samples import LATENCY, RECORD

from pytest_lan_hil.measure.samples import sample_of
from pytest_lan_hil.model.comparison import Subject
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.record import RunKind
from pytest_lan_hil.publish.ledger import Kinds, Ledger, RunFilter
from pytest_lan_hil.publish.ledger_read import _condition
from pytest_lan_hil.publish.ledger_schema import LEDGER_NAME, open_file

SPEED = Subject("latency", "tests/hil/test_speed.py::test_latency")


def numbers(runs: object) -> list[int]:
    return [run.number for run in runs]  # type: ignore[attr-defined]


def test_a_run_comes_back_as_it_was_recorded(tmp_path: Path) -> None:
    record_all(tmp_path, [replace(RECORD, git_branch="feature/x")])
    with Ledger.open(tmp_path) as ledger:
        (run,) = ledger.runs()
        found = {
            (one.subject.quantity, one.subject.test): one for one in ledger.measurements(judged_only=False)
        }
        judged = ledger.measurements()
    assert (run.number, run.run_id, run.board, run.bench) == (1, RECORD.run_id, "nrf52840", "virtual")
    assert (run.started_at, run.finished_at) == (RECORD.started_at, RECORD.finished_at)
    assert (run.simulated, run.git_dirty, run.outcome, run.kind, run.job) == (
        True, True, "failed", "run", "lan_hil",
    )  # fmt: skip
    assert (run.git_commit, run.git_branch) == (RECORD.git_commit, "feature/x")
    assert run.firmware_sha256 == "3f" * 32
    assert run.instruments == ("Joulescope JS220 virtual-1 (simulated)",)
    one = found["latency", "tests/hil/test_latency.py::test_fast_enough"]
    assert one.sample == sample_of(LATENCY)
    assert (one.run, one.unit, one.statistic, one.low, one.high) == (
        run, "ms", "p95", LATENCY.estimate.low, math.inf,
    )  # fmt: skip
    assert {one.subject.quantity for one in judged} == {"memory", "power", "latency"}
    assert {name for name, _ in found} == {
        "memory", "power", "latency", "energy", "wake words per minute",
    }  # fmt: skip


def test_a_run_is_added_once(tmp_path: Path) -> None:
    record_all(tmp_path, [past(1), past(2)])
    with Ledger.open(tmp_path) as ledger:
        assert [ledger.add(past(2)), ledger.add(past(1))] == [2, 1]
        assert numbers(ledger.runs()) == [1, 2]
        assert len(ledger.measurements()) == 2


def test_a_clock_that_was_set_back_does_not_change_the_order(tmp_path: Path) -> None:
    before = datetime(2001, 1, 1, tzinfo=timezone.utc)
    record_all(tmp_path, [past(1), past(2, started=before), past(3)])
    with Ledger.open(tmp_path) as ledger:
        assert [run.started_at[:4] for run in ledger.runs()] == ["2026", "2001", "2026"]
        assert numbers(ledger.resolve("main")) == [1, 2, 3]
        assert numbers(ledger.runs(RunFilter(newest=2))) == [2, 3]


def test_repeats_of_a_test_are_told_apart(tmp_path: Path) -> None:
    repeats = [one_test([latency(value)]) for value in (10.0, 11.0, 12.0)]
    record_all(tmp_path, [past(1, tests=[*repeats, one_test([latency(5.0)], name="test_other")])])
    with Ledger.open(tmp_path) as ledger:
        found = [(one.subject.test[-7:], one.repeat, one.sample.value) for one in ledger.measurements()]
    assert found == [("latency", 0, 10.0), ("latency", 1, 11.0), ("latency", 2, 12.0), ("t_other", 0, 5.0)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (RunFilter(), [1, 2, 3, 4]),
        (RunFilter(kinds=Kinds.EVERY), [1, 2, 3, 4, 5, 6]),
        (RunFilter(board="stm32f4"), [3]),
        (RunFilter(bench="virtual"), [4]),
        (RunFilter(simulated=False), [1, 2, 3]),
        (RunFilter(simulated=True), [4]),
        (RunFilter(branch="topic"), [2]),
        (RunFilter(firmware_sha256="bb" * 32), [2]),
        (RunFilter(since="2026-11-04"), [3, 4]),
        (RunFilter(from_number=3), [3, 4]),
        (RunFilter(simulated=False, newest=2), [2, 3]),
        (RunFilter(board="nobody"), []),
    ],
)
def test_a_filter_takes_the_runs_that_it_names(
    tmp_path: Path, wanted: RunFilter, expected: list[int]
) -> None:
    record_all(
        tmp_path,
        [
            past(1),
            past(2, branch="topic", firmware="bb"),
            past(3, board="stm32f4"),
            past(4, bench="virtual", simulated=True),
            past(5, kind=RunKind.AB),
            past(6, replayed=True),
        ],
    )
    with Ledger.open(tmp_path) as ledger:
        assert numbers(ledger.runs(wanted)) == expected
        assert [one.run.number for one in ledger.measurements(wanted)] == expected
        assert [one.run.number for one in ledger.each_measurement(wanted, "latency")] == expected
        assert ledger.measurements(wanted, "energy") == ()
        assert sum(place.runs for place in ledger.places(replace(wanted, newest=None))) >= len(expected)


def test_a_name_stands_for_its_runs(tmp_path: Path) -> None:
    record_all(
        tmp_path,
        [
            past(1, firmware="aa"),
            past(2, firmware="bb", commit="1234567" + "8" * 33),
            past(3, firmware="bb", commit="1234567" + "8" * 33),
            past(4, firmware="cc", branch="topic"),
            past(5, firmware="bb", bench="other"),
            past(6, firmware="bb", kind=RunKind.AB),
        ],
    )
    with Ledger.open(tmp_path) as ledger:
        runs = ledger.runs()
        assert ledger.tag(runs[0].run_id, "v1.0") == runs[0].run_id
        asked = {
            "latest": [5],
            "main": [5],
            "topic": [4],
            "v1.0": [1],
            "1234567": [2, 3],
            "1234567" + "8" * 33: [2, 3],
            runs[3].run_id: [4],
            runs[3].run_id[:10]: [4],
        }
        assert {name: numbers(ledger.resolve(name)) for name in asked} == asked
        desk = RunFilter(bench="desk")
        assert numbers(ledger.resolve("main", desk)) == [2, 3], "the newest firmware alone"
        assert numbers(ledger.resolve("latest", desk)) == [4]
        ledger.tag("latest", "v1.0")
        assert numbers(ledger.resolve("v1.0")) == [5], "a tag goes over to another run"


@pytest.mark.parametrize("name", ["2026", "", "nothing", "123456", "a" * 40])
def test_a_name_that_stands_for_nothing_or_for_several_things_is_refused(tmp_path: Path, name: str) -> None:
    record_all(tmp_path, [past(1, commit="12345678" + "0" * 32), past(2)])
    with Ledger.open(tmp_path) as ledger, pytest.raises(InputError) as caught:
        ledger.resolve(name)
    assert ("several runs" if name == "2026" else "knows no run, tag") in caught.value.problem
    assert caught.value.fix


def test_two_commits_of_one_prefix_are_told(tmp_path: Path) -> None:
    record_all(tmp_path, [past(1, commit="1234567a" + "0" * 32), past(2, commit="1234567b" + "0" * 32)])
    with Ledger.open(tmp_path) as ledger:
        with pytest.raises(InputError, match=r"1234567a.*1234567b"):
            ledger.resolve("1234567")
        assert numbers(ledger.resolve("1234567b")) == [2]


@pytest.mark.parametrize("name", ["latest", "abcdef0", "two words", "", "-x"])
def test_a_tag_that_could_mean_something_else_is_refused(tmp_path: Path, name: str) -> None:
    record_all(tmp_path, [past(1)])
    with Ledger.open(tmp_path) as ledger, pytest.raises(InputError, match="can't be a tag"):
        ledger.tag("latest", name)


def test_a_tag_is_for_one_run(tmp_path: Path) -> None:
    record_all(tmp_path, [past(1), past(2)])
    with Ledger.open(tmp_path) as ledger, pytest.raises(InputError, match="stands for 2 runs"):
        ledger.tag("main", "good")


def test_the_history_of_one_firmware_is_in_groups(tmp_path: Path) -> None:
    other = replace(latency(30.0), instrument="Joulescope JS110 7")
    record_all(
        tmp_path,
        [
            past(1, 10.0, firmware="aa"),
            past(2, 20.0, firmware="bb"),
            past(3, 10.1, firmware="aa"),
            past(4, 20.1, firmware="bb"),
            past(5, 99.0, firmware="cc"),  # alone: says nothing about repeatability
            past(6, 11.0, firmware="aa", simulated=True),
            past(7, 12.0, firmware="aa", bench="other"),
            past(8, 13.0, firmware="aa", kind=RunKind.AB),
            past(9, firmware="aa", tests=[one_test([other])]),  # another instrument
            past(10, firmware="aa", tests=[one_test([latency(14.0)], judged=False)]),
            past(11, firmware="aa", tests=[one_test([latency(10.2)]), one_test([latency(15.0)])]),
        ],
    )
    with Ledger.open(tmp_path) as ledger:
        found = ledger.same_firmware("nrf52840", "desk", simulated=False)
        others = ledger.same_firmware("nrf52840", "desk", simulated=False, without={"aa" * 32})
        newest = ledger.same_firmware("nrf52840", "desk", simulated=False, limit=5)
    groups = {subject: [[one.value for one in group] for group in all_] for subject, all_ in found.items()}
    assert groups == {SPEED: [[10.0, 10.1, 10.2], [20.0, 20.1]]}
    assert set(others) == {SPEED}
    assert [[one.value for one in group] for group in others[SPEED]] == [[20.0, 20.1]]
    assert newest == {}, "of the newest five runs no two are alike"


def test_the_newest_runs_of_a_bench_are_found_by_index(tmp_path: Path) -> None:
    record_all(tmp_path, [past(1)])
    ledger = open_file(tmp_path / LEDGER_NAME)
    condition, values = _condition(RunFilter(board="nrf52840", bench="desk", simulated=False))
    plan = ledger.execute(
        f"EXPLAIN QUERY PLAN SELECT * FROM runs r WHERE {condition} ORDER BY r.number DESC LIMIT 5", values
    ).fetchall()
    ledger.close()
    assert ["runs_of_bench" in row[3] for row in plan] == [True], plan


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET board = 'x'",
        "DELETE FROM runs",
        "UPDATE measurements SET value = 0",
        "DELETE FROM measurements",
        "UPDATE tags SET name = 'x'",
        "DELETE FROM tags",
        "INSERT OR REPLACE INTO runs SELECT * FROM runs",
        "REPLACE INTO measurements SELECT * FROM measurements",
        "REPLACE INTO tags SELECT * FROM tags",
        "INSERT INTO runs SELECT * FROM runs WHERE true ON CONFLICT DO UPDATE SET board = 'x'",
    ],
)
def test_nobody_changes_what_is_recorded(tmp_path: Path, statement: str) -> None:
    record_all(tmp_path, [past(1)])
    with Ledger.open(tmp_path) as ledger:
        ledger.tag("latest", "good")
        before = ledger.runs(), ledger.measurements()
    other = sqlite3.connect(tmp_path / LEDGER_NAME)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)
    other.close()
    with Ledger.open(tmp_path) as ledger:
        assert (ledger.runs(), ledger.measurements()) == before
        assert ledger.resolve("good") == before[0]


def test_the_file_is_in_wal_mode_and_flushed_at_each_commit(tmp_path: Path) -> None:
    record_all(tmp_path, [past(1)])
    ledger = open_file(tmp_path / LEDGER_NAME)
    modes = [ledger.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    ledger.close()
    assert modes == ["wal", 2]


def test_a_folder_without_runs_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run is recorded"):
        Ledger.open(tmp_path)
    assert list(tmp_path.iterdir()) == [], "asking makes no file"
