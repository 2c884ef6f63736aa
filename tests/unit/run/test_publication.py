"""The order of publishing: the record first, then the network; what fails later is a line, not an end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from publish_samples import RECORD, WAVEFORMS

from pytest_lan_hil.model.record import RunKind, RunRecord
from pytest_lan_hil.publish import spool
from pytest_lan_hil.publish.ledger import Ledger
from pytest_lan_hil.publish.pushgateway import PushResult
from pytest_lan_hil.run.options import RunOptions
from pytest_lan_hil.run.publication import publish

URL = "http://gateway.invalid:9091"


def _options(tmp_path: Path, *, pushgateway: str | None = URL) -> RunOptions:
    return RunOptions(
        rootdir=tmp_path,
        boards=("nrf52840",),
        benches=("virtual",),
        output=tmp_path / "out put",
        pushgateway=pushgateway,
    )


def test_record_reports_and_marker_are_on_disk_before_any_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def push(record: RunRecord, url: str, *, timeout_s: float, last_success_s: float | None) -> PushResult:
        assert timeout_s == 3.0
        run = tmp_path / "out put" / "runs" / record.run_id
        assert json.loads((run / "record.json").read_text())["run_id"] == record.run_id
        assert (tmp_path / "out put" / "spool" / f"{record.run_id}.json").is_file()
        with Ledger.open(tmp_path / "out put") as ledger:
            assert [one.run_id for one in ledger.runs()] == [record.run_id]
        seen.extend(path.name for path in run.iterdir())
        return PushResult(ok=True, detail="pushed", duration_s=0.0, answered=True)

    monkeypatch.setattr(spool, "push", push)
    publication = publish(RECORD, WAVEFORMS, _options(tmp_path), "")
    assert {"record.json", "report.html", "report.txt", "metrics.prom", "waveform-002.json"} <= set(seen)
    assert publication.lines[-1] == "pushgateway: pushed"
    assert not list((tmp_path / "out put" / "spool").glob("*.json"))


def test_a_failed_push_says_how_to_repeat_it_in_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = PushResult(ok=False, detail="not pushed: no answer", duration_s=3.0)
    monkeypatch.setattr(spool, "push", lambda *_, **__: dead)
    publication = publish(RECORD, {}, _options(tmp_path), "")
    later = f"lan-hil push --hil-output '{tmp_path}/out put' --pushgateway {URL}"
    assert publication.lines[-1] == f"pushgateway: not pushed: no answer; later: {later}"


def test_without_a_gateway_the_run_waits_for_one(tmp_path: Path) -> None:
    publish(RECORD, {}, _options(tmp_path, pushgateway=None), "")
    assert [item.run_id for item in spool.pending(tmp_path / "out put")] == [RECORD.run_id]


def test_what_can_not_be_written_after_the_record_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out put").mkdir()
    (tmp_path / "out put" / "spool").write_text("in the way")
    (tmp_path / "out put" / "ledger.sqlite").mkdir()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))  # a folder
    publication = publish(RECORD, {}, _options(tmp_path, pushgateway=None), "releasing the board: stuck")
    assert publication.record is not None
    warnings = [line for line in publication.lines if line.startswith("warning: ")]
    assert warnings[0] == "warning: releasing the board: stuck"
    assert any("step summary" in line for line in warnings)
    assert any("spool" in line for line in warnings)
    assert any("ledger.sqlite can't be used" in line for line in warnings)


def test_two_images_side_by_side_leave_no_metrics_of_the_board(tmp_path: Path) -> None:
    publish(replace(RECORD, kind=RunKind.AB), WAVEFORMS, _options(tmp_path, pushgateway=None), "")
    output = tmp_path / "out put"
    assert (output / "runs" / RECORD.run_id / "report.html").is_file()
    assert not list(output.rglob("metrics.prom"))
    assert not list(output.glob("spool/*.json"))
