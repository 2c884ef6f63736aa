"""`lan-hil analyze`: what it prints, and with which exit code it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from energy_traces import report_of, write_trace

from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.instruments.files import write_npz
from pytest_lan_hil.model.capture import Accuracy, Capture, Gap, InstrumentIdentity, MarkerLine

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lan_hil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> tuple[int, str, str]:
        code = run(app, ["analyze", *map(str, arguments)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return command


def steps(folder: Path, **options: Any) -> Path:
    """A second of 1 mW, one of 5 mW, one of 1 mW."""
    return write_trace(folder, np.repeat([1.0, 5.0, 1.0], 1000), **options)


def record(folder: Path, *, gaps: tuple[Gap, ...] = (), **changed: Any) -> Path:
    """2 mA at 3 V, 100,000 samples in a second; `gpi0` is high from 0.2 to 0.3 and from 0.6 to 0.8 s."""
    current, voltage = np.full(100_000, 2e-3, np.float32), np.full(100_000, 3.0, np.float32)
    for gap in gaps:
        current[gap.start : gap.stop] = voltage[gap.start : gap.stop] = np.nan
    level = np.zeros(100_000, np.uint8)
    level[20_000:30_000] = level[60_000:80_000] = 1
    told: dict[str, Any] = {
        "instrument": InstrumentIdentity("Joulescope JS220", "002557"),
        "accuracy": Accuracy(0.001, 0, 0, 0, 0, "made up"),
        **changed,
    }
    line = MarkerLine(np.packbits(level, bitorder="little"), 100_000, 1e5)
    return write_npz(
        Capture(1e5, current, voltage, markers={"gpi0": line}, gaps=gaps, **told), folder / "run.npz"
    )


def test_json_has_a_window_between_each_two_time_stamps(lan_hil: Command, tmp_path: Path) -> None:
    trace = steps(tmp_path)
    (tmp_path / "t.json").write_text("[0.25, 1.000, 2.000, 2.5]")
    code, out, err = lan_hil(trace, "--timestamps", "t.json", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [set(window) for window in found["windows"]] == 3 * [
        {"index", "start_s", "duration_s", "energy_uj", "energy_uncertainty_uj", "mean_power_uw"}
    ]
    first, second, third = found["windows"]
    assert (first["index"], first["start_s"], first["duration_s"]) == (1, 0.25, 0.75)
    assert first["energy_uj"] == pytest.approx(750)
    assert (second["index"], second["energy_uj"], second["mean_power_uw"]) == (
        2,
        pytest.approx(5000),
        pytest.approx(5000),
    )
    assert third["energy_uj"] == pytest.approx(500)
    # stamps to 10 ms or 1 ms: "1.000" is 1 ms; 5 mW for a millisecond, at both edges
    assert second["energy_uncertainty_uj"] == pytest.approx(5 * 2**0.5, rel=0.01)
    assert {
        name: found[name] for name in ("format", "sample_rate_hz", "samples", "lost_share", "simulated")
    } == {
        "format": "mlperf",
        "sample_rate_hz": 1000.0,
        "samples": 3000,
        "lost_share": 0.0,
        "simulated": False,
    }
    assert any("good to 1 ms" in note for note in found["notes"])


def test_partial_samples_at_both_ends_count_by_their_share(lan_hil: Command, tmp_path: Path) -> None:
    trace = write_trace(tmp_path, [10.0, 20.0, 40.0, 80.0], stamps=[0.00025, 0.0035])
    _, out, _ = lan_hil(trace, "--json")
    assert json.loads(out)["windows"][0]["energy_uj"] == pytest.approx(0.75 * 10 + 20 + 40 + 0.5 * 80)


def test_without_stamps_and_marker_the_whole_record_is_one_window(lan_hil: Command, tmp_path: Path) -> None:
    code, out, _ = lan_hil(steps(tmp_path), "--json")
    found = json.loads(out)
    assert code == 0
    assert [window["energy_uj"] for window in found["windows"]] == [pytest.approx(7000)]
    assert any("the whole record is one window" in note for note in found["notes"])


def test_a_marker_line_makes_the_windows(lan_hil: Command, tmp_path: Path) -> None:
    code, out, _ = lan_hil(record(tmp_path), "--marker", "gpi0", "--json")
    first, second = json.loads(out)["windows"]
    assert code == 0
    assert (first["start_s"], first["duration_s"]) == (pytest.approx(0.2), pytest.approx(0.1))
    assert first["energy_uj"] == pytest.approx(600, rel=1e-6)
    assert second["energy_uj"] == pytest.approx(1200, rel=1e-6)
    assert first["energy_uncertainty_uj"] == pytest.approx(0.6, rel=0.02)
    renamed = lan_hil(record(tmp_path), "--marker", "inference=gpi0", "--json")
    assert json.loads(renamed[1])["windows"] == json.loads(out)["windows"]


def test_a_window_with_a_gap_has_a_reason_and_no_number(lan_hil: Command, tmp_path: Path) -> None:
    path = record(tmp_path, gaps=(Gap(25_000, 25_010),))
    code, out, _ = lan_hil(path, "--marker", "gpi0", "--json")
    first, second = json.loads(out)["windows"]
    assert code == 0
    assert first["energy_uj"] is first["energy_uncertainty_uj"] is first["mean_power_uw"] is None
    assert "dropped" in first["reason"]
    assert second["energy_uj"] == pytest.approx(1200, rel=1e-6)
    _, table, _ = lan_hil(path, "--marker", "gpi0")
    assert "samples were dropped inside this window" in table


def test_no_usable_window_is_blocked(lan_hil: Command, tmp_path: Path) -> None:
    path = record(tmp_path, gaps=(Gap(25_000, 25_010), Gap(70_000, 70_010)))
    code, out, err = lan_hil(path, "--marker", "gpi0", "--json")
    assert code == 3
    assert [window["energy_uj"] for window in json.loads(out)["windows"]] == [None, None]
    assert "none of its 2 windows can be used" in err


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"complete": False}, "before it was told to"), ({"gaps": (Gap(0, 5000),)}, "were lost")],
)
def test_an_incomplete_record_is_blocked(
    lan_hil: Command, tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    code, out, err = lan_hil(record(tmp_path, **changed), "--json")
    assert (code, out) == (3, "")
    assert says in err


def test_the_table_is_rounded_to_what_the_uncertainty_supports(lan_hil: Command, tmp_path: Path) -> None:
    code, out, _ = lan_hil(record(tmp_path), "--marker", "gpi0")
    assert code == 0
    assert out.splitlines()[0].endswith("Joulescope JS220 002557, 100000 samples at 100000 Hz, 0.000% lost")
    assert out.splitlines()[1].split("  ")[0] == "window"
    assert out.splitlines()[2].split() == ["1", "0.200000", "0.100000", "600.00", "0.61", "6000.0"]


def test_explain_lists_what_the_uncertainty_is_made_of(lan_hil: Command, tmp_path: Path) -> None:
    _, out, _ = lan_hil(record(tmp_path), "--marker", "gpi0", "--explain")
    assert "current gain" in out
    assert "made up" in out
    _, out, _ = lan_hil(record(tmp_path), "--marker", "gpi0", "--explain", "--json")
    parts = {part["name"]: part for part in json.loads(out)["windows"][0]["contributions"]}
    assert parts["current gain"]["half_width_uj"] == pytest.approx(0.6, rel=1e-3)


def test_an_assumed_supply_is_said(lan_hil: Command, tmp_path: Path) -> None:
    (tmp_path / "ppk.csv").write_text("Timestamp(ms),Current(uA)\n0,100\n0.01,100\n0.02,100\n")
    code, out, _ = lan_hil("ppk.csv", "--supply-v", "3", "--json")
    found = json.loads(out)
    assert (code, found["supply"]) == (0, "assumed")
    assert found["windows"][0]["energy_uj"] == pytest.approx(100 * 3 * 3e-5, rel=1e-6)
    assert "supply voltage assumed, not measured: 3 V" in found["notes"]


def test_what_was_simulated_is_said(lan_hil: Command, tmp_path: Path) -> None:
    path = record(tmp_path, instrument=InstrumentIdentity("Joulescope JS220", "1", simulated=True))
    assert json.loads(lan_hil(path, "--json")[1])["simulated"] is True
    assert "(simulated)" in lan_hil(path)[1]
    lan_hil(path, "--plot", "plot.html")
    assert "SIMULATED" in (tmp_path / "plot.html").read_text()


def test_a_missing_time_stamp_is_named(lan_hil: Command, tmp_path: Path) -> None:
    times = np.cumsum([0.02, 0.3, 0.2, 0.29, 0.2, 0.31, 0.2, 0.3, 0.2]).round(3).tolist()
    gone = times.pop(1)
    trace = write_trace(tmp_path, np.ones(3000), stamps=times)
    _, out, _ = lan_hil(trace)
    assert f"the one at about {gone:.2f} s is missing" in out
    assert "the even windows are the pauses" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "which recorded capture?"),
        (("absent.bin",), "No such file"),
        ((".",), "is a folder"),
        (("trace1-energy.bin", "--marker", "gpi0"), "has no marker lines"),
        (("trace1-energy.bin", "--marker", "gpi0", "--timestamps", "t.json"), "both say where windows are"),
        (("trace1-energy.bin", "--timestamps", "late.json"), "lies outside the record"),
        (("trace1-energy.bin", "--instrument", "js110"), "holds no voltage"),
        (("trace1-energy.bin", "--instrument", "nobody"), "no error limits for instrument"),
        (("trace1-energy.bin", "--supply-v", "0"), "a supply of 0 V can't be meant"),
        (("trace1-energy.bin", "--plot", "plot.pdf"), "of no known kind"),
        (("trace1-energy.bin", "--results", "results.txt"), "has no time stamps"),
        (("run.npz", "--marker", "gpi7"), "no marker line 'gpi7': it has gpi0"),
        (("--check", "."), "no trace*-energy.bin with results.txt"),
        (("trace1-energy.bin", "--check", "."), "--check takes a folder"),
    ],
)
def test_what_can_t_be_analyzed_is_wrong_use(
    lan_hil: Command, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    steps(tmp_path)
    record(tmp_path)
    (tmp_path / "t.json").write_text("[0.1, 0.2]")
    (tmp_path / "late.json").write_text("[0.1, 4]")
    code, out, err = lan_hil(*arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert "fix:" in err


def reported_trace(folder: Path, energy_uj: float) -> Path:
    """One window of 5 mW for a second, and a report of it."""
    folder.mkdir(exist_ok=True)
    trace = steps(folder, stamps=[0.015, 1.0, 2.0])
    (folder / "results.txt").write_text(report_of([(2, 1.0, 1.0, energy_uj)]))
    return trace


def test_results_are_compared_with_ours(lan_hil: Command, tmp_path: Path) -> None:
    trace = reported_trace(tmp_path, 5000.0)
    code, out, _ = lan_hil(trace, "--results", "results.txt", "--json")
    (one,) = json.loads(out)["reported"]
    assert code == 0
    assert (one["index"], one["energy_uj"], one["inside"], one["shift"]) == (2, 5000.0, True, [0, 0])
    reported_trace(tmp_path, 5010.0)  # two samples: outside what the time stamps leave open
    code, out, _ = lan_hil(trace, "--results", "results.txt")
    assert code == 1
    assert "-0.1996%" in out


def test_check_compares_every_trace_below_a_folder(lan_hil: Command, tmp_path: Path) -> None:
    reported_trace(tmp_path / "a", 5000.0)
    reported_trace(tmp_path / "b", 4996.0)
    code, out, _ = lan_hil("--check", tmp_path)
    assert code == 0
    assert out.splitlines()[1].split()[:3] == ["a", "2", "5000.000"]
    assert "worst: 0.0801%, b window 2 (one sample is 0.1000% of it)" in out
    assert out.splitlines()[-1] == "2 traces, 2 reported energies, 2 inside our stated uncertainty"
    reported_trace(tmp_path / "b", 4900.0)
    code, out, _ = lan_hil("--check", tmp_path, "--json")
    assert code == 1
    assert [trace["windows"][0]["inside"] for trace in json.loads(out)] == [True, False]


def test_a_reported_window_without_stamps_of_its_own_is_no_success(lan_hil: Command, tmp_path: Path) -> None:
    reported_trace(tmp_path / "a", 5000.0)
    (tmp_path / "a" / "results.txt").write_text(report_of([(2, 1.3, 1.0, 5000.0)]))
    code, out, _ = lan_hil("--check", tmp_path)
    assert code == 1
    assert "no usable window at these times" in out


def test_a_plot_without_matplotlib_says_what_to_install(
    lan_hil: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, _, err = lan_hil(steps(tmp_path), "--plot", "plot.png")
    assert code == 2
    assert "pytest-lan-hil[plot]" in err


def test_plots_are_written_in_both_kinds(lan_hil: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="extra plot is not installed")
    path = record(tmp_path, gaps=(Gap(25_000, 25_010),))
    code, _, err = lan_hil(path, "--marker", "gpi0", "--plot", "plot.png")
    assert (code, err) == (0, "plot: plot.png\n")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = lan_hil(path, "--marker", "gpi0", "--plot", "plot.html")
    assert (code, err) == (0, "plot: plot.html\n")
    page = (tmp_path / "plot.html").read_text()
    assert page.count('class="shade') == 2
    assert "samples were dropped inside this window" in page
    assert "http" not in page.replace("Content-Security-Policy", "").replace("http-equiv", "")
