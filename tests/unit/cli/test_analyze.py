"""`lan-hil analyze`: what it prints, and with which exit code it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from energy_traces import report_of, write_trace

from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.instruments.files import write_npz
from pytest_lan_hil.instruments.jls import write_jls
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


def pulses(
    folder: Path, *, lost: Sequence[int] = (), merged: Sequence[int] = (), cut: bool = False, **lines: Any
) -> Path:
    """40 windows of 10 ms every 25 ms on `inference`, 6 uJ each.

    Args:
        folder: Where run.npz is written.
        lost: Windows (from 0) inside which samples were dropped.
        merged: Windows whose fall is missing, and the next one's rise.
        cut: High as the record begins, and as it ends.
        lines: Other marker lines, as levels; one of them may be `inference`.
    """
    level = np.zeros(100_000, np.uint8)
    for k in range(40):
        level[k * 2500 + 500 : k * 2500 + (3000 if k in merged else 1500)] = 1
    if cut:
        level[:100] = level[-100:] = 1
    gaps = tuple(Gap(k * 2500 + 700, k * 2500 + 701) for k in lost)
    current, voltage = np.full(100_000, 2e-4, np.float32), np.full(100_000, 3.0, np.float32)
    for gap in gaps:
        current[gap.start : gap.stop] = voltage[gap.start : gap.stop] = np.nan
    markers = {
        name: MarkerLine(np.packbits(bits, bitorder="little"), 100_000, 1e5)
        for name, bits in {"inference": level, **lines}.items()
    }
    who = InstrumentIdentity("Joulescope JS220", "002557")
    accuracy = Accuracy(0.001, 0, 0, 0, 0, "made up")
    return write_npz(
        Capture(1e5, current, voltage, who, accuracy, markers=markers, gaps=gaps), folder / "run.npz"
    )


def phase_over(folder: Path) -> Path:
    """`pulses` with a line `phase` that is high over all of them, and the two lines swapped."""
    inner = np.zeros(100_000, np.uint8)
    for k in range(40):
        inner[k * 2500 + 500 : k * 2500 + 1500] = 1
    outer = np.zeros(100_000, np.uint8)
    outer[100:-100] = 1
    return pulses(folder, inference=outer, phase=inner)


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
    path = pulses(tmp_path, lost=[7])
    code, out, _ = lan_hil(path, "--marker", "inference", "--json")
    found = json.loads(out)
    other, lost = found["windows"][6:8]
    assert code == 0
    assert lost["energy_uj"] is lost["energy_uncertainty_uj"] is lost["mean_power_uw"] is None
    assert "dropped" in lost["reason"]
    assert other["energy_uj"] == pytest.approx(6, rel=1e-6)
    assert "1 of 40 windows overlap dropped samples and are not used" in found["notes"]
    _, table, _ = lan_hil(path, "--marker", "inference")
    assert "samples were dropped inside this window" in table


def test_too_many_windows_with_gaps_are_shown_and_blocked(lan_hil: Command, tmp_path: Path) -> None:
    code, out, err = lan_hil(pulses(tmp_path, lost=[1, 2, 3, 5, 8, 13]), "--marker", "inference", "--json")
    found = json.loads(out)
    assert code == 3
    assert sum(window["energy_uj"] is None for window in found["windows"]) == 6
    assert any("more than 10% of the windows can't be used" in note for note in found["notes"])
    assert "samples in 6 of 40 inference windows were lost" in err


def test_swapped_lines_are_blocked_until_the_other_is_asked_for(lan_hil: Command, tmp_path: Path) -> None:
    path = phase_over(tmp_path)
    code, out, err = lan_hil(path, "--marker", "inference", "--json")
    assert (code, out) == (3, "")
    assert "'inference' and 'phase' look swapped" in err
    code, out, _ = lan_hil(path, "--marker", "inference=phase", "--json")
    assert (code, len(json.loads(out)["windows"])) == (0, 40)


def test_missing_edges_and_cut_windows_are_named(lan_hil: Command, tmp_path: Path) -> None:
    code, out, _ = lan_hil(pulses(tmp_path, merged=[20], cut=True), "--marker", "inference", "--json")
    notes = json.loads(out)["notes"]
    assert code == 0
    assert any("1 of 39 windows" in note and "a fall and a rise may be missing" in note for note in notes)
    assert "2 windows cut by the start or end of the record, not used" in notes


def test_a_line_that_nobody_asked_for_may_be_noise(lan_hil: Command, tmp_path: Path) -> None:
    floating = np.random.default_rng(1).integers(0, 2, 100_000).astype(np.uint8)
    code, out, _ = lan_hil(pulses(tmp_path, d7=floating), "--marker", "inference", "--json")
    assert (code, len(json.loads(out)["windows"])) == (0, 40)


def test_a_jls_file_knows_a_line_by_its_name_and_by_its_input(lan_hil: Command, tmp_path: Path) -> None:
    level = np.zeros(100_000, np.uint8)
    level[20_000:30_000] = 1
    line = MarkerLine(np.packbits(level, bitorder="little"), 100_000, 1e5)
    capture = Capture(
        1e5,
        np.full(100_000, 2e-3, np.float32),
        np.full(100_000, 3.0, np.float32),
        InstrumentIdentity("Joulescope JS220", "002557"),
        Accuracy(0.001, 0, 0, 0, 0, "made up"),
        markers={"inference": line},
    )
    write_jls(capture, tmp_path / "run.jls")
    for marker in ("inference", "gpi0", "work=gpi0"):
        code, out, _ = lan_hil("run.jls", "--marker", marker, "--json")
        assert (code, len(json.loads(out)["windows"])) == (0, 1)
        assert json.loads(out)["windows"][0]["energy_uj"] == pytest.approx(600, rel=1e-6)


def test_time_stamps_of_a_table_are_on_its_own_clock(lan_hil: Command, tmp_path: Path) -> None:
    rows = [f"{0.5 + k / 1000:.3f},{0.001 if k < 500 else 0.01},3.0" for k in range(5000)]
    (tmp_path / "late.csv").write_text("\n".join(["#time (s),current (A),voltage (V)", *rows, ""]))
    (tmp_path / "t.json").write_text("[0.700, 0.800, 1.000, 2.000, 5.500]")
    code, out, _ = lan_hil("late.csv", "--timestamps", "t.json", "--json")
    found = json.loads(out)
    assert code == 0
    assert [window["start_s"] for window in found["windows"]] == pytest.approx([0.7, 0.8, 1.0, 2.0])
    assert [window["energy_uj"] for window in found["windows"]] == pytest.approx(
        [300, 600, 30_000, 105_000], rel=1e-5
    )
    assert found["origin_s"] == 0.5
    assert any("times in the file begin at 0.5 s" in note for note in found["notes"])
    for stamps, says in (("[0.4, 1.0]", "begins at 0.5 s"), ("[1.0, 5.501]", "ends at 5.5 s")):
        (tmp_path / "t.json").write_text(stamps)
        code, out, err = lan_hil("late.csv", "--timestamps", "t.json")
        assert (code, out) == (2, "")
        assert says in err


@pytest.mark.parametrize("told", [{}, {"resolution_s": 0.0}])
def test_nobody_knows_how_exact_an_unnamed_instrument_is(
    lan_hil: Command, tmp_path: Path, told: dict[str, float]
) -> None:
    whole = json.loads(lan_hil(steps(tmp_path), "--json")[1])
    assert whole["windows"][0]["energy_uncertainty_uj"] is None
    assert lan_hil(steps(tmp_path))[1].splitlines()[2].split()[4:6] == ["not", "known"]
    np.savez(
        tmp_path / "edges.npz",
        sample_rate_hz=1e5,
        current_a=np.full(100_000, 2e-3, np.float32),
        voltage_v=np.full(100_000, 3.0, np.float32),
        meta=np.array(json.dumps({"edges": {"inference": told}})),
        **{"edges.inference": np.array([0.2, 0.3])},
    )
    (window,) = json.loads(lan_hil("edges.npz", "--marker", "inference", "--json")[1])["windows"]
    if told:  # edges without any error: nothing is left that the uncertainty could hold
        assert window["energy_uncertainty_uj"] is None
    else:  # never finer than a sample: 6 mW for 10 us, at both edges
        assert window["energy_uncertainty_uj"] == pytest.approx(0.06 * 2**0.5, rel=1e-3)


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
        (("run.npz", "--marker", "=gpi0"), "'=gpi0' names no line"),
        (("run.npz", "--marker", "inference="), "'inference=' names no line"),
        (("run.npz", "--marker", ""), "'' names no line"),
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


def test_what_could_not_be_checked_is_listed_and_is_no_success(lan_hil: Command, tmp_path: Path) -> None:
    reported_trace(tmp_path / "a", 5000.0)
    for number in (2, 10):
        for kind in ("energy.bin", "timestamps.json"):
            (tmp_path / "a" / f"trace{number}-{kind}").write_bytes(
                (tmp_path / "a" / f"trace1-{kind}").read_bytes()
            )
    reported_trace(tmp_path / "b", 5000.0)
    (tmp_path / "b" / "results.txt").unlink()
    reported_trace(tmp_path / "c", 5000.0)
    report = (tmp_path / "c" / "results.txt").read_text()
    (tmp_path / "c" / "results.txt").write_text(report + report)
    code, out, _ = lan_hil("--check", tmp_path)
    assert code == 1
    assert [line for line in out.splitlines() if line.startswith("not checked")] == [
        "not checked: a/trace2: results.txt reports nothing of trace2",
        "not checked: a/trace10: results.txt reports nothing of trace10",
        "not checked: b: no results.txt beside it",
        "not checked: c/trace2: results.txt reports it, and its trace is not there",
    ]
    code, out, _ = lan_hil("--check", tmp_path, "--json")
    assert code == 1
    assert [(trace["trace"], len(trace["windows"])) for trace in json.loads(out)] == [
        ("a/trace1", 1),
        ("c", 1),
        ("a/trace2", 0),
        ("a/trace10", 0),
        ("b", 0),
        ("c/trace2", 0),
    ]


def test_the_tenth_trace_is_compared_with_the_tenth_report(lan_hil: Command, tmp_path: Path) -> None:
    reported_trace(tmp_path / "a", 5000.0)
    for number in range(2, 11):
        (tmp_path / "a" / f"trace{number}-energy.bin").write_bytes(
            write_trace(tmp_path, np.repeat([1.0, 5.0 + number, 1.0], 1000)).read_bytes()
        )
        (tmp_path / "a" / f"trace{number}-timestamps.json").write_text("[0.015, 1.0, 2.0]")
    (tmp_path / "trace1-energy.bin").unlink()
    energies = [5000.0, *(1000.0 * (5 + number) for number in range(2, 11))]
    (tmp_path / "a" / "results.txt").write_text("".join(report_of([(2, 1.0, 1.0, one)]) for one in energies))
    code, out, _ = lan_hil("--check", tmp_path)
    assert code == 0
    assert "10 traces, 10 reported energies, 10 inside" in out


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
    path = pulses(tmp_path, lost=[7])
    code, _, err = lan_hil(path, "--marker", "inference", "--plot", "plot.png")
    assert (code, err) == (0, "plot: plot.png\n")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = lan_hil(path, "--marker", "inference", "--plot", "plot.html")
    assert (code, err) == (0, "plot: plot.html\n")
    page = (tmp_path / "plot.html").read_text()
    assert page.count('class="shade') == 40
    assert "samples were dropped inside this window" in page
    assert "http" not in page.replace("Content-Security-Policy", "").replace("http-equiv", "")


def test_rates_are_printed_in_full(lan_hil: Command, tmp_path: Path) -> None:
    trace = write_trace(tmp_path, np.ones(5000), rate_hz=1e6)
    assert "5000 samples at 1000000 Hz" in lan_hil(trace)[1]
    lan_hil(trace, "--plot", "plot.html")
    assert "5000 at 1000000 Hz" in (tmp_path / "plot.html").read_text()


def test_windows_that_can_t_be_told_apart_are_not_shaded(lan_hil: Command, tmp_path: Path) -> None:
    trace = steps(tmp_path, stamps=[k / 1000 for k in range(1001)])
    lan_hil(trace, "--plot", "plot.html")
    page = (tmp_path / "plot.html").read_text()
    assert 'class="shade' not in page
    assert "1000 windows, too many to shade each" in page
    pytest.importorskip("matplotlib", reason="extra plot is not installed")
    assert lan_hil(trace, "--plot", "plot.png")[0] == 0
