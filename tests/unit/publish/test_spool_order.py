"""The spool: a marker before any network, gone after success, and an old run never over a newer one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from publish_samples import RECORD

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish import spool
from pytest_lan_hil.publish.pushgateway import PushResult
from pytest_lan_hil.publish.spool import enqueue, flush, pending, push_spooled
from pytest_lan_hil.publish.store import store

URL = "http://gateway.invalid:9091"
OK = PushResult(ok=True, detail="pushed", duration_s=0.0, answered=True)
DEAD = PushResult(ok=False, detail="no answer", duration_s=3.0)
REFUSED = PushResult(ok=False, detail="refused with 400", duration_s=0.1, answered=True)


class Gateway:
    """Answers as told, and remembers which runs it was given while a marker lay in the spool."""

    def __init__(self, output: Path, *answers: PushResult) -> None:
        self.output = output
        self.answers = list(answers)
        self.given: list[str] = []

    def push(
        self, record: RunRecord, url: str, *, timeout_s: float, last_success_s: float | None
    ) -> PushResult:
        assert (self.output / "spool" / f"{record.run_id}.json").is_file()
        self.given.append(record.run_id)
        return self.answers.pop(0) if self.answers else OK


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    fake = Gateway(tmp_path)
    monkeypatch.setattr(spool, "push", fake.push)
    return fake


def run(number: int, *, board: str = "nrf52840") -> RunRecord:
    return dataclasses.replace(
        RECORD, run_id=f"run-{number}", board=board, finished_at=f"2026-11-24T05:{number:02d}:00Z"
    )


def waiting(output: Path) -> list[str]:
    return [item.run_id for item in pending(output)]


def put(output: Path, *records: RunRecord) -> None:
    for record in records:
        store(record, {}, output)
        enqueue(record, output)


def test_marker_lies_before_the_push_and_goes_after_success(tmp_path: Path, gateway: Gateway) -> None:
    assert push_spooled(run(1), tmp_path, URL).ok
    assert gateway.given == ["run-1"]
    assert waiting(tmp_path) == []


def test_marker_stays_after_a_failure(tmp_path: Path, gateway: Gateway) -> None:
    gateway.answers = [DEAD]
    assert not push_spooled(run(1), tmp_path, URL).ok
    assert waiting(tmp_path) == ["run-1"]


def test_pending_is_in_order_of_time_not_of_name(tmp_path: Path) -> None:
    put(tmp_path, run(10), run(9), run(2))
    assert waiting(tmp_path) == ["run-2", "run-9", "run-10"]


def test_flush_sends_only_the_newest_of_each_group_and_names_the_superseded(
    tmp_path: Path, gateway: Gateway
) -> None:
    put(tmp_path, run(1), run(3), run(2), run(4, board="esp32"))
    report = flush(tmp_path, URL)
    assert gateway.given == ["run-3", "run-4"]
    assert report.superseded == ("run-1", "run-2")
    assert report.ok
    assert waiting(tmp_path) == []
    assert any("run-1: superseded by a newer run" in line for line in report.lines())


def test_an_old_run_that_waits_never_goes_over_a_newer_one_that_was_pushed(
    tmp_path: Path, gateway: Gateway
) -> None:
    put(tmp_path, run(1))
    store(run(2), {}, tmp_path)
    push_spooled(run(2), tmp_path, URL)
    flush(tmp_path, URL)
    assert gateway.given == ["run-2"]
    assert waiting(tmp_path) == []


def test_a_push_does_not_drop_what_is_newer_or_of_another_group(tmp_path: Path, gateway: Gateway) -> None:
    put(tmp_path, run(5), run(6, board="esp32"))
    push_spooled(run(4), tmp_path, URL)
    assert waiting(tmp_path) == ["run-5", "run-6"]


def test_a_silent_gateway_is_asked_once_a_refusal_concerns_one_group(
    tmp_path: Path, gateway: Gateway
) -> None:
    put(tmp_path, run(1, board="a"), run(2, board="b"), run(3, board="c"))
    gateway.answers = [REFUSED, DEAD]
    report = flush(tmp_path, URL)
    assert gateway.given == ["run-1", "run-2"]
    assert dict(report.failed) == {
        "run-1": "refused with 400",
        "run-2": "no answer",
        "run-3": "not tried: no answer",
    }
    assert not report.ok
    assert waiting(tmp_path) == ["run-1", "run-2", "run-3"]


def test_a_marker_whose_record_is_gone_is_told_and_kept(tmp_path: Path, gateway: Gateway) -> None:
    enqueue(run(1), tmp_path)
    report = flush(tmp_path, URL)
    assert gateway.given == []
    assert "record.json" in report.failed[0][1]
    assert "run-1.json to give it up" in report.failed[0][1]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run_id": "x", "finished_at": 3}'])
def test_a_broken_marker_stops_neither_a_run_nor_a_flush(tmp_path: Path, gateway: Gateway, text: str) -> None:
    put(tmp_path, run(1))
    (tmp_path / "spool" / "broken.json").write_text(text, encoding="utf-8")
    assert push_spooled(run(2), tmp_path, URL).ok
    report = flush(tmp_path, URL)
    assert [name for name, _ in report.failed] == ["broken.json"]
    assert gateway.given == ["run-2"]


def test_an_empty_spool_says_so(tmp_path: Path) -> None:
    report = flush(tmp_path, URL)
    assert report.ok
    assert report.lines() == ["nothing waits to be pushed"]


def test_a_bad_url_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        push_spooled(run(1), tmp_path, "gateway:9091")
    with pytest.raises(InputError):
        flush(tmp_path, "gateway:9091")
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_can_not_be_written_is_a_result(tmp_path: Path, gateway: Gateway) -> None:
    (tmp_path / "spool").write_text("in the way", encoding="utf-8")
    result = push_spooled(run(1), tmp_path, URL)
    assert not result.ok
    assert "spool" in result.detail
    assert gateway.given == []


def test_progress_hears_of_each_push(tmp_path: Path, gateway: Gateway) -> None:
    put(tmp_path, run(1))
    heard: list[tuple[str, PushResult]] = []
    flush(tmp_path, URL, progress=lambda run_id, result: heard.append((run_id, result)))
    assert heard == [("run-1", OK)]
