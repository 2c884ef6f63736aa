"""The output folder: names, the pointer to the newest run, and what survives a step that fails."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from publish_samples import FAILED, RECORD, WAVEFORMS

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.publish.files import latest_directory, point_latest, run_directory
from pytest_lan_hil.publish.github import append_step_summary
from pytest_lan_hil.publish.record import read_record
from pytest_lan_hil.publish.store import store
from pytest_lan_hil.publish.waveforms import read_waveform


def test_a_stored_run_has_every_file_and_the_record_names_its_waveform(tmp_path: Path) -> None:
    stored = store(RECORD, WAVEFORMS, tmp_path)
    assert stored.problems == ()
    assert sorted(path.name for path in stored.directory.iterdir()) == [
        "metrics.prom",
        "record.json",
        "report.html",
        "report.txt",
        "waveform-002.json",
    ]
    assert stored.directory == tmp_path / "runs" / RECORD.run_id
    found = read_record(stored.record_path)
    assert [test.waveform for test in found.tests] == ["", "waveform-002.json", "", ""]
    assert stored.report_path == stored.directory / "report.html"
    assert latest_directory(tmp_path) == stored.directory


def test_a_waveform_reads_back_to_six_digits(tmp_path: Path) -> None:
    stored = store(RECORD, WAVEFORMS, tmp_path)
    found = read_waveform(stored.directory / "waveform-002.json")
    wanted = WAVEFORMS[FAILED.nodeid]
    both = list(zip(found.current_max_a, wanted.current_max_a, strict=True))
    assert all((a is None) == (b is None) for a, b in both)
    assert [a for a, _ in both if a is not None] == pytest.approx(
        [b for _, b in both if b is not None], rel=1e-5
    )
    assert found.markers["inference"][0] == pytest.approx(wanted.markers["inference"][0], rel=1e-5)
    assert found.current_min_a.count(None) == wanted.current_min_a.count(None) > 0


def test_something_else_than_a_waveform_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "waveform-001.json"
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="reading waveform"):
        read_waveform(path)


def test_latest_points_at_the_newest_run_and_moves_with_the_folder(tmp_path: Path) -> None:
    output = tmp_path / "a"
    store(RECORD, {}, output)
    newer = store(dataclasses.replace(RECORD, run_id="newer"), {}, output)
    assert latest_directory(output) == newer.directory
    moved = tmp_path / "b"
    output.rename(moved)
    assert latest_directory(moved) == moved / "runs" / "newer"


def test_latest_is_a_file_where_links_are_not_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, target: Path, target_is_directory: bool = False) -> None:
        raise OSError(1, "privilege not held")

    monkeypatch.setattr(Path, "symlink_to", refused)
    stored = store(RECORD, {}, tmp_path)
    assert stored.problems == ()
    assert (tmp_path / "latest").read_text(encoding="utf-8") == f"runs/{RECORD.run_id}\n"
    assert latest_directory(tmp_path) == stored.directory


def test_no_run_yet_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run is recorded"):
        latest_directory(tmp_path)


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".hidden", "a b"])
def test_a_run_id_can_not_leave_the_output_folder(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(InputError, match="can't name a folder"):
        run_directory(tmp_path, run_id)
    with pytest.raises(InputError):
        point_latest(tmp_path, run_id)


def test_an_unwritable_output_is_one_clear_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"writing .*Not a directory") as caught:
        store(RECORD, {}, blocked)
    assert "--hil-output" in caught.value.fix


def test_a_report_that_fails_costs_the_report_not_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> Path:
        raise InputError("writing report.html: No space left on device")

    monkeypatch.setattr("pytest_lan_hil.publish.store.write_report", no_space)
    stored = store(RECORD, WAVEFORMS, tmp_path)
    assert stored.problems == ("writing report.html: No space left on device",)
    assert read_record(stored.record_path).run_id == RECORD.run_id
    assert stored.report_path == stored.directory / "report.txt"


def test_metrics_of_a_failed_run_keep_the_time_of_the_last_success(tmp_path: Path) -> None:
    passed = dataclasses.replace(
        RECORD, run_id="one", outcome=Outcome.PASSED, finished_at="2026-11-24T04:00:00Z"
    )
    store(passed, {}, tmp_path)
    failed = store(RECORD, {}, tmp_path)
    text = (failed.directory / "metrics.prom").read_text(encoding="utf-8")
    line = next(ln for ln in text.splitlines() if ln.startswith("lan_run_last_success_timestamp_seconds{"))
    assert float(line.rsplit(" ", 1)[1]) == 1795492800.0
    other = store(dataclasses.replace(RECORD, run_id="two", bench="desk"), {}, tmp_path)
    assert "last_success" not in (other.directory / "metrics.prom").read_text(encoding="utf-8")


def test_step_summary_is_appended_only_where_actions_asks_for_it(tmp_path: Path) -> None:
    assert append_step_summary(RECORD, {}) is None
    path = tmp_path / "summary.md"
    path.write_text("before\n", encoding="utf-8")
    assert append_step_summary(RECORD, {"GITHUB_STEP_SUMMARY": str(path)}) == path
    text = path.read_text(encoding="utf-8")
    assert text.startswith("before\n## nrf52840 on bench virtual: failed\n")
    assert "<script>" not in text


def test_waveform_files_hold_json_without_nan(tmp_path: Path) -> None:
    stored = store(RECORD, WAVEFORMS, tmp_path)
    tree = json.loads((stored.directory / "waveform-002.json").read_text(encoding="utf-8"))
    assert None in tree["current_min_a"]
