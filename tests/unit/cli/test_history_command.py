"""`lan-hil history`, `query` and `tag` on a ledger of made-up runs."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from past_runs import latency, one_test, past, record_all
from publish_samples import LATENCY

from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.cli.ledger import since_time
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.record import RunKind

NOW = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = [past(k, 10.0 + (k > 6)) for k in range(1, 11)]
    records += [past(k, simulated=True, bench="virtual", branch="topic") for k in range(11, 14)]
    records.append(past(14, 99.0, kind=RunKind.AB))
    folder = tmp_path_factory.mktemp("recorded")
    record_all(folder, records)
    return folder


@pytest.fixture
def output(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "hil"))


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    capsys.readouterr()
    assert run(app, [str(one) for one in arguments]) == code
    shown = capsys.readouterr()
    return shown.out if code == 0 else shown.err


def test_history_names_the_run_and_the_commit_of_a_step(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(capsys, "history", "--hil-output", output)
    assert "step +10.0 %, WORSE: 10.0" in text
    assert f"first seen in run {past(7).run_id} (#7), commit {past(7).git_commit[:10]} on main" in text
    assert "board nrf52840 on bench desk" in text
    assert "board nrf52840 on bench virtual\nSIMULATED" in text
    assert "99" not in text, "A/B runs are in no trend"


def test_history_as_json(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk, virtual = json.loads(told(capsys, "history", "--hil-output", output, "--json"))
    assert (desk["bench"], desk["simulated"], virtual["bench"], virtual["simulated"]) == (
        "desk", False, "virtual", True,
    )  # fmt: skip
    assert [point["value"] for point in desk["points"]] == [10.0] * 6 + [11.0] * 4
    (step,) = desk["steps"]
    assert (step["run_id"], step["last_before"], step["before"], step["after"], step["better"]) == (
        past(7).run_id, past(6).run_id, 10.0, 11.0, False,
    )  # fmt: skip
    assert step["git_commit"] == past(7).git_commit
    assert virtual["steps"] == []


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        (["--board", "nrf52840", "--bench", "desk"], [10]),
        (["--branch", "topic"], [3]),
        (["--last", "2"], [2, 2]),
        (["--since", "2026-11-10"], [2, 3]),
        (["--since", "2026-11-10T08:00+02:00"], [2, 3]),
        (["--since", past(9).run_id], [2, 3]),
        (["--since", "good"], [5, 3]),
        (["--since", past(8).git_commit[:9]], [3, 3]),
        (["--quantity", "latency"], [10, 3]),
    ],
)
def test_history_takes_the_runs_that_are_asked_for(
    output: Path, capsys: pytest.CaptureFixture[str], options: list[str], runs: list[int]
) -> None:
    told(capsys, "tag", past(6).run_id, "good", "--hil-output", output)
    shown = json.loads(told(capsys, "history", "--hil-output", output, "--json", *options))
    assert [len(line["points"]) for line in shown] == runs


@pytest.mark.parametrize("name", ["trend.html", "trend.svg"])
def test_history_draws_into_a_file(output: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    path = output / name
    assert told(capsys, "history", "--hil-output", output, "--plot", path) == f"2 trends drawn in {path}\n"
    assert path.read_text().count("<circle") == 13


def test_history_draws_a_chart(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "history", "--hil-output", output, "--plot", "terminal", "--bench", "desk")
    rows = [line for line in text.splitlines() if line[13:14] in ("│", "|")]
    assert len(rows) == 9
    assert len(rows[0]) > len(rows[-1]), "the newest runs are on top"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--plot", "trend.pdf"], "not known how to draw"),
        (["--quantity", "latncy"], "has no measurement of quantity latncy; it has nrf52840 on desk: 10 runs"),
        (["--board", "nobody"], "has no measurement of board nobody"),
        (["--since", "2026-13-01"], "is not a date"),
        (["--since", "9999999999999w"], "nobody measured that long ago"),
        (["--since", "nothing"], "knows no run, tag, branch or commit 'nothing'"),
        (["--last", "0"], "--last"),
    ],
)
def test_what_history_can_not_do_is_said(
    output: Path, capsys: pytest.CaptureFixture[str], options: list[str], problem: str
) -> None:
    text = told(capsys, "history", "--hil-output", output, *options, code=2)
    assert problem in text
    assert "fix:" in text


def test_no_ledger_and_a_damaged_one_are_said(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "history", "--hil-output", output.parent / "elsewhere", code=2)
    assert "no run is recorded in" in text
    (output / "ledger.sqlite").write_bytes(b"garbage" * 999)
    assert run(app, ["history", "--hil-output", str(output)]) == 0
    shown = capsys.readouterr()
    assert "a new one was made from 14 records" in shown.err
    assert "step +10.0 %" in shown.out


def test_query_gives_a_row_for_each_measurement(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(told(capsys, "query", "--hil-output", output, "--csv"))))
    assert [int(row["number"]) for row in rows] == list(range(1, 14))
    first = rows[0]
    assert [first[name] for name in ("run_id", "board", "bench", "simulated", "git_branch")] == [
        past(1).run_id, "nrf52840", "desk", "false", "main",
    ]  # fmt: skip
    assert (first["quantity"], float(first["value"]), first["unit"], first["statistic"], first["n"]) == (
        "latency", 10.0, "ms", "mean", "3",
    )  # fmt: skip
    assert float(first["std"]) == pytest.approx(0.002)
    objects = [
        json.loads(line) for line in told(capsys, "query", "--hil-output", output, "--jsonl").splitlines()
    ]
    assert [one["value"] for one in objects] == [float(row["value"]) for row in rows]
    assert list(objects[0]) == list(first)
    assert objects[-1]["simulated"] is True


def test_query_writes_an_open_interval_as_csv_and_json_have_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record_all(
        tmp_path, [past(1, tests=[one_test([LATENCY, latency(1.0)]), one_test([latency(2.0)], judged=False)])]
    )
    (row,) = list(csv.DictReader(io.StringIO(told(capsys, "query", "--hil-output", tmp_path))))
    assert float(row["value"]) == 1.0
    record_all(tmp_path, [past(2, tests=[one_test([LATENCY])])])
    rows = told(capsys, "query", "--hil-output", tmp_path, "--run", "latest")
    assert next(csv.DictReader(io.StringIO(rows)))["high"] == "inf"
    line = told(capsys, "query", "--hil-output", tmp_path, "--run", "latest", "--jsonl")
    assert json.loads(line)["high"] is None
    assert len(told(capsys, "query", "--hil-output", tmp_path, "--unjudged", "--jsonl").splitlines()) == 3


def test_query_of_a_run_gives_that_run_whatever_kind_it_is(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("query", "--hil-output", output, "--jsonl", "--run")
    assert [json.loads(line)["number"] for line in told(capsys, *arguments, past(3).run_id).splitlines()] == [
        3
    ]
    (ab,) = [json.loads(line) for line in told(capsys, *arguments, past(14).run_id).splitlines()]
    assert (ab["kind"], ab["value"]) == ("ab", 99.0)


def test_query_lists_runs(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "query", "--hil-output", output, "--runs", "--jsonl", "--branch", "topic")
    assert [json.loads(line)["run_id"] for line in text.splitlines()] == [
        past(k).run_id for k in (11, 12, 13)
    ]
    assert "value" not in json.loads(text.splitlines()[0])


def test_query_in_two_forms_at_once_is_refused(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "choose one" in told(capsys, "query", "--hil-output", output, "--csv", "--jsonl", code=2)
    text = told(capsys, "query", "--hil-output", output, "--board", "nobody", code=2)
    assert "has no measurement of board nobody" in text


def test_a_tag_stands_for_its_run(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        told(capsys, "tag", past(4).run_id, "v1.0", "--hil-output", output)
        == f"v1.0 is now run {past(4).run_id}\n"
    )
    row = told(capsys, "query", "--run", "v1.0", "--runs", "--jsonl", "--hil-output", output)
    assert json.loads(row)["number"] == 4
    assert "can't be a tag" in told(capsys, "tag", "latest", "latest", "--hil-output", output, code=2)
    assert "knows no run" in told(capsys, "tag", "nothing", "x", "--hil-output", output, code=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", "2026-11-01T00:00:00"),
        ("2026-11-01T08:30:00Z", "2026-11-01T08:30:00"),
        ("2026-11-01T08:30:00+02:00", "2026-11-01T06:30:00"),
        ("36h", "2026-11-28T00:00:00"),
        ("30d", "2026-10-30T12:00:00"),
        ("2w", "2026-11-15T12:00:00"),
        ("v1.0", None),
        ("1234567", None),
    ],
)
def test_a_time_is_a_date_or_an_age(text: str, expected: str | None) -> None:
    assert since_time(text, NOW) == expected


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="not a date"):
        since_time("2026-02-30", NOW)


@pytest.mark.parametrize(
    "command", [["history"], ["history", "--json"], ["query"], ["query", "--runs", "--jsonl"]]
)
def test_what_only_reads_the_ledger_imports_nothing_heavy(output: Path, command: list[str]) -> None:
    script = (
        "import sys\n"
        "from pytest_lan_hil.cli.app import app\n"
        "from pytest_lan_hil.cli.failures import run\n"
        f"code = run(app, {[*command, '--hil-output', str(output)]!r})\n"
        # typer itself imports pydantic from its version 0.29 on, so our modules that do are looked for
        "heavy = ('numpy', 'pyocd', 'jinja2', 'rich', 'serial', 'filelock', 'prometheus_client')\n"
        "heavy += ('pytest_lan_hil.publish.record', 'pytest_lan_hil.config')\n"
        "print([name for name in heavy if name in sys.modules], code, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[] 0"
