"""`lan-hil monitor backfill`: which runs are written, what is left out and why."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import typer
from past_runs import past, record_all
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pytest_lan_hil.cli import backfill as room
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.model.record import RunKind
from pytest_lan_hil.publish.files import run_directory
from pytest_lan_hil.publish.openmetrics import unix_time

RUNS = [past(number, 10.0 + number) for number in range(4)]
AFTER = unix_time(RUNS[-1].finished_at) + room.HEAD_S + 1


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    record_all(tmp_path / "out", RUNS)
    return tmp_path / "out"


def ended(text: str) -> list[float]:
    """Times of the runs in a text."""
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        if family.name == "lan_run_timestamp_seconds"
        for sample in family.samples
    ]


def written(output: Path, since: str | None = None, *, now_s: float = AFTER) -> list[float]:
    room.backfill(since, str(output / "history.om"), str(output), now_s=now_s)
    return ended((output / "history.om").read_text(encoding="utf-8"))


def times(*runs: int) -> list[float]:
    return [unix_time(RUNS[number].finished_at) for number in runs]


def test_all_runs_of_the_ledger_are_written_at_their_own_time(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(output) == times(0, 1, 2, 3)
    told = capsys.readouterr()
    assert told.out == ""
    path = output / "history.om"
    assert told.err == (
        "4 runs from 2026-11-01 to 2026-11-04;"
        " next: promtool tsdb create-blocks-from openmetrics --max-block-duration=744h"
        f" {path} PROMETHEUS_DATA\n"
    )


def test_runs_of_the_last_three_hours_are_left_out_and_told(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(output, now_s=AFTER - 2) == times(0, 1, 2)
    assert "1 run of the last three hours left out" in capsys.readouterr().err


def test_since_takes_a_date_or_a_run(output: Path) -> None:
    assert written(output, "2026-11-03") == times(2, 3)
    assert written(output, RUNS[1].run_id) == times(1, 2, 3)


def test_a_comparison_of_two_images_and_a_replay_are_no_state_of_a_board(output: Path) -> None:
    record_all(
        output,
        [
            dataclasses.replace(past(4), kind=RunKind.AB),
            past(5, replayed=True),
        ],
    )
    assert written(output, now_s=AFTER * 2) == times(0, 1, 2, 3)


def test_a_run_whose_record_is_gone_or_damaged_is_left_out_and_told(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_directory(output, RUNS[1].run_id) / "record.json").unlink()
    (run_directory(output, RUNS[2].run_id) / "record.json").write_text("{", encoding="utf-8")
    assert written(output) == times(0, 3)
    told = capsys.readouterr().err
    assert "2 runs left out, whose record can't be read; the first: reading run record" in told
    assert "2 runs from 2026-11-01 to 2026-11-04" in told


def command() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    room.register(app)
    return app


def test_the_command_prints_to_stdout_without_a_file(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(command(), ["backfill", "--hil-output", str(output), "--since", "2026-11-02"])
    told = capsys.readouterr()
    assert code == 0
    assert ended(told.out) == times(1, 2, 3)
    assert f"next: {room.NEXT} FILE PROMETHEUS_DATA" in told.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "2026-12-24"], "has no run since 2026-12-24 that measured a board"),
        (["--since", "2026-13-01"], "--since 2026-13-01 is not a date"),
        (["--hil-output", "nowhere"], "no run is recorded in nowhere"),
        (["--out", "missing.d/../out/ledger.sqlite/x.om"], "writing missing.d"),
    ],
)
def test_what_can_t_be_done_is_told_with_the_fix(
    output: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(command(), ["backfill", "--hil-output", str(output), *arguments]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "fix: " in told.err
    assert told.out == ""


def test_when_every_run_is_too_new_it_says_how_they_reach_prometheus(output: Path) -> None:
    with pytest.raises(room.InputError, match="nothing of them can be written") as error:
        written(output, now_s=times(0)[0])
    assert "lan-hil push" in error.value.fix
