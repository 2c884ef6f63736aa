"""The ledger under kills, damage, two writers, other versions and folders that can't be written."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest
from past_runs import Writer, past, record_all
from required import binary

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.publish.files import run_directory
from pytest_lan_hil.publish.ledger import LEDGER_NAME, Ledger, RunFilter
from pytest_lan_hil.publish.ledger_making import UNRECORDED_NAME, announce
from pytest_lan_hil.publish.record import write_record
from pytest_lan_hil.publish.store import store

SEED = 20261129


def recorded(output: Path) -> list[str]:
    with Ledger.open(output) as ledger:
        assert ledger.problems == []
        return [run.run_id for run in ledger.runs()]


def test_every_finished_run_survives_twenty_kills(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    finished: list[str] = []
    for kill in range(20):
        finished += Writer.start(tmp_path, 1000 * kill).kill(chance.uniform(0, 0.05))
        known = recorded(tmp_path)
        assert set(finished) <= set(known)
        assert len(known) == len(set(known))
    on_disk = {path.parent.name for path in (tmp_path / "runs").glob("*/record.json")}
    assert set(recorded(tmp_path)) == on_disk, "a run that has a record is in the ledger, finished or not"
    with Ledger.open(tmp_path) as ledger:
        numbers = [run.number for run in ledger.runs()]
        assert [one.run.number for one in ledger.measurements()] == numbers, "no run without its measurement"
    assert len(finished) >= 20


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    two = [Writer.start(tmp_path, first) for first in (0, 50_000)]
    finished = [one.kill(0.5) for one in two]
    known = recorded(tmp_path)
    assert all(finished)
    assert set(finished[0] + finished[1]) <= set(known)
    assert len(known) == len(set(known))


def test_a_run_killed_between_record_and_ledger_is_taken_in(tmp_path: Path) -> None:
    record_all(tmp_path, [past(1)])
    late = past(2)
    announce(tmp_path, late.run_id)
    write_record(late, run_directory(tmp_path, late.run_id))
    assert recorded(tmp_path) == [past(1).run_id, late.run_id]
    assert list((tmp_path / UNRECORDED_NAME).iterdir()) == []


def test_a_run_killed_before_its_record_is_forgotten_in_time(tmp_path: Path) -> None:
    record_all(tmp_path, [past(1)])
    announce(tmp_path, "20260101T000000-x-1")
    assert recorded(tmp_path) == [past(1).run_id]
    marker = tmp_path / UNRECORDED_NAME / "20260101T000000-x-1"
    assert marker.exists(), "its process may be about to write the record"
    os.utime(marker, (0, 0))
    assert recorded(tmp_path) == [past(1).run_id]
    assert not marker.exists()


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(SEED).randbytes(8192))


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_by_a_page(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 4096)


def hole_in_the_middle(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.seek(4096)
        stream.write(bytes(path.stat().st_size - 4096))


def older_schema(path: Path) -> None:
    ledger = sqlite3.connect(path)
    ledger.execute("PRAGMA user_version = 0")
    ledger.close()


def another_database(path: Path) -> None:
    path.unlink()
    ledger = sqlite3.connect(path)
    ledger.execute("CREATE TABLE runs (x)")
    ledger.close()


@pytest.mark.parametrize(
    "harm",
    [garbage, nothing, cut_in_half, cut_by_a_page, hole_in_the_middle, older_schema, another_database],
)
def test_a_damaged_ledger_is_kept_aside_and_made_anew(tmp_path: Path, harm: object) -> None:
    record_all(tmp_path, [past(1), past(2, 11.0), past(3)])
    path = tmp_path / LEDGER_NAME
    with Ledger.open(tmp_path) as ledger:
        before = ledger.runs(), ledger.measurements()
    assert not path.with_name(f"{path.name}-wal").exists(), "who asks merges the log"
    harm(path)  # type: ignore[operator]
    harmed = path.read_bytes()
    with Ledger.open(tmp_path) as ledger:
        after = ledger.runs(), ledger.measurements()
        (problem,) = ledger.problems
    assert after == before
    (kept,) = tmp_path.glob("ledger.sqlite.damaged-*")
    assert kept.read_bytes() == harmed
    assert problem.startswith("the ledger was damaged (")
    assert f"kept as {kept.name}, a new one was made from 3 records" in problem
    assert recorded(tmp_path) == [run.run_id for run in before[0]], "and that was it"


def open_and_count(output: Path, told: int) -> None:
    with Ledger.open(output) as ledger:
        os.write(told, f"{len(ledger.runs())} {len(ledger.problems)}\n".encode())


def test_several_processes_that_find_the_damage_make_one_new_ledger(tmp_path: Path) -> None:
    record_all(tmp_path, [past(number) for number in range(1, 9)])
    garbage(tmp_path / LEDGER_NAME)
    reading, writing = os.pipe()
    fork = get_context("fork")
    processes = [fork.Process(target=open_and_count, args=(tmp_path, writing)) for _ in range(6)]
    for process in processes:
        process.start()
    os.close(writing)
    with os.fdopen(reading) as stream:
        told = sorted(stream.read().splitlines())
    for process in processes:
        process.join()
    assert told == ["8 0"] * 5 + ["8 1"], "one of them made it and says so"
    kept = [path.name for path in tmp_path.glob("ledger.sqlite.damaged-*") if not path.name.endswith("-wal")]
    assert len(kept) == 1


def test_the_tags_of_a_damaged_ledger_are_saved_where_they_can_be_read(tmp_path: Path) -> None:
    record_all(tmp_path, [past(1), past(2)])
    with Ledger.open(tmp_path) as ledger:
        ledger.tag(past(1).run_id, "good")
    older_schema(tmp_path / LEDGER_NAME)
    with Ledger.open(tmp_path) as ledger:
        assert "from 2 records and 1 tags" in ledger.problems[0]
        assert [run.run_id for run in ledger.resolve("good")] == [past(1).run_id]


def test_a_newer_ledger_is_left_alone(tmp_path: Path) -> None:
    record_all(tmp_path, [past(1)])
    path = tmp_path / LEDGER_NAME
    with Ledger.open(tmp_path) as ledger:
        ledger.runs()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"newer version .* schema 99") as caught:
        Ledger.open(tmp_path)
    assert "upgrade" in caught.value.fix
    assert path.read_bytes() == before
    stored = store(past(2), {}, tmp_path)
    assert stored.record_path.is_file()
    assert [text for text in stored.problems if "newer version" in text]
    assert (tmp_path / UNRECORDED_NAME / past(2).run_id).exists(), "the newer version will take it in"


def test_a_record_that_can_not_be_read_is_named_and_the_others_are_taken_in(tmp_path: Path) -> None:
    record_all(tmp_path, [past(1), past(2)])
    broken = run_directory(tmp_path, past(1).run_id) / "record.json"
    broken.write_text(json.dumps({"schema_version": 1, "run_id": 7}))
    (tmp_path / LEDGER_NAME).write_bytes(b"no ledger")
    with Ledger.open(tmp_path) as ledger:
        assert [run.run_id for run in ledger.runs()] == [past(2).run_id]
        assert len(ledger.problems) == 2
        assert str(broken) in ledger.problems[1]


def test_records_without_a_ledger_make_one(tmp_path: Path) -> None:
    records = [past(number) for number in (3, 1, 2)]
    for record in records:
        write_record(record, run_directory(tmp_path, record.run_id))
    with Ledger.open(tmp_path) as ledger:
        assert ledger.problems == ["there was no ledger: one was made from 3 records"]
        assert [run.run_id for run in ledger.runs()] == [past(number).run_id for number in (1, 2, 3)]


def test_the_log_of_a_ledger_that_is_gone_does_not_get_into_the_new_one(tmp_path: Path) -> None:
    """A log beside a file is replayed into it: rows come back whose records are gone, without their index."""
    record_all(tmp_path, [past(number) for number in range(1, 20)])
    with Ledger.open(tmp_path) as ledger:
        assert len(ledger.runs()) == 19
    record_all(tmp_path, [past(number) for number in range(20, 30)])
    path = tmp_path / LEDGER_NAME
    assert path.with_name(f"{path.name}-wal").stat().st_size > 0
    path.unlink()
    for number in range(1, 10):
        shutil.rmtree(run_directory(tmp_path, past(number).run_id))
    kept = [past(number).run_id for number in range(10, 30)]
    with Ledger.open(tmp_path) as ledger:
        assert [run.run_id for run in ledger.runs()] == kept
    with contextlib.closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def hole_in_the_measurements(path: Path) -> None:
    """Damage that only shows when measurements are read: the newest page of their table."""
    with contextlib.closing(sqlite3.connect(path)) as raw:
        (root,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'measurements'").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as stream:
        stream.seek((root - 1) * size)
        stream.write(bytes(range(256)) * (size // 256))


def test_damage_that_shows_while_measurements_are_read_is_mended_too(tmp_path: Path) -> None:
    record_all(tmp_path, [past(number) for number in range(1, 4)])
    recorded(tmp_path)
    hole_in_the_measurements(tmp_path / LEDGER_NAME)
    with Ledger.open(tmp_path) as ledger:
        assert ledger.problems == []
        assert [one.run.run_id for one in ledger.each_measurement()] == [past(n).run_id for n in (1, 2, 3)]
        assert "the ledger was damaged (" in ledger.problems[0]


def test_damage_is_told_where_numbers_of_runs_may_have_changed(tmp_path: Path) -> None:
    record_all(tmp_path, [past(number) for number in range(1, 4)])
    recorded(tmp_path)
    hole_in_the_measurements(tmp_path / LEDGER_NAME)
    with Ledger.open(tmp_path) as ledger:
        with pytest.raises(InputError, match="damaged while it was read") as caught:
            list(ledger.each_measurement(RunFilter(from_number=2)))
        assert "run the same command again" in caught.value.fix
    with Ledger.open(tmp_path) as ledger:
        assert len(list(ledger.each_measurement(RunFilter(from_number=2)))) == 2


def test_a_folders_first_run_says_nothing_of_the_new_ledger(tmp_path: Path) -> None:
    assert store(past(1), {}, tmp_path).problems == ()
    assert recorded(tmp_path) == [past(1).run_id]


def test_a_run_whose_ledger_can_not_be_written_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / LEDGER_NAME).mkdir()
    stored = store(past(1), {}, tmp_path)
    assert stored.record_path.is_file()
    assert stored.report_path is not None
    assert [text for text in stored.problems if text.startswith(f"the ledger {tmp_path / LEDGER_NAME} can't")]


_READ = """
import sys
from pathlib import Path
from pytest_lan_hil.publish.ledger import Ledger
from pytest_lan_hil.model.errors import InputError
with Ledger.open(Path(sys.argv[1])) as ledger:
    print(len(ledger.runs()), len(ledger.measurements()))
    print(*ledger.problems, sep="\\n")
    try:
        ledger.tag("latest", "good")
    except InputError as error:
        print(error.problem)
"""


def read_without_rights(output: Path) -> list[str]:
    """What somebody sees who may read the folder and not write it; root loses the right to pass that over."""
    for path in output.iterdir():
        path.chmod(0o555 if path.is_dir() else 0o444)
    output.chmod(0o555)
    drop = [binary("setpriv", "util-linux"), "--bounding-set", "-dac_override"] if os.getuid() == 0 else []
    command = [*drop, sys.executable, "-c", _READ, str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output.chmod(0o755)
    for path in output.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_ledger_in_a_folder_that_can_not_be_written_is_read(tmp_path: Path) -> None:
    output = tmp_path / "hil"
    record_all(output, [past(1), past(2)])
    log = output / f"{LEDGER_NAME}-wal"
    assert log.stat().st_size, "the writer left its log"
    with_log = read_without_rights(output)
    recorded(output)
    assert not log.exists()
    without_log = read_without_rights(output)
    assert with_log[0] == without_log[0] == "2 2"
    for told in (with_log, without_log):
        assert any(f"{LEDGER_NAME} can't be used" in line and "readonly" in line for line in told)


def test_records_in_a_folder_that_can_not_be_written_are_read_without_a_ledger(tmp_path: Path) -> None:
    output = tmp_path / "hil"
    record_all(output, [past(1), past(2), past(3)])
    for path in output.glob(f"{LEDGER_NAME}*"):
        path.unlink()
    assert read_without_rights(output)[0] == "3 3"
    (output / LEDGER_NAME).write_bytes(b"garbage" * 1000)
    told = read_without_rights(output)
    assert told[0] == "3 3"
    assert told[1].startswith("the ledger is damaged (")
