"""`lan-hil measure --live`: what it shows while a board works, and at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_bench import DESK, FakeBench
from hypothesis import given
from hypothesis import strategies as st
from metrics_blocks import HZ, a_block, console_line

from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.cli.live import HEADINGS, fitted
from pytest_lan_hil.dut.metrics_frame import Block, Present
from pytest_lan_hil.run.bench import OpenBench

TICK_HZ = 32_768
TEXT = st.text("device JS220", max_size=25)
EVERYTHING = (1 << len(Present)) - 1
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fake_bench: FakeBench
) -> Command:
    """Run `lan-hil measure --live` on a fake bench; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "benches").mkdir()
    (tmp_path / "benches" / "desk.toml").write_text(DESK + '[markers]\ninference = "gpi0"\nphase = "gpi1"\n')

    def command(*arguments: str) -> tuple[int, str, str]:
        names = ["measure", "--board", "nrf52840", "--bench", "desk", "--live"]
        code = run(app, [*names, *arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return command


def block_after(pieces: int, **changes: object) -> Block:
    """What a device tells after so many pieces of a second, with 30 inferences of 10 ms in each."""
    buckets = [0] * 9 + [30 * pieces] + [0] * 6
    return a_block(
        sequence=2 * pieces, uptime_ticks=(5 + 2 * pieces) * TICK_HZ, frames=31 * pieces, dropped=0, errors=0,
        latency_edges=[HZ // 1000 * (k + 1) for k in range(15)], latency_buckets=buckets,
        latency_sum=HZ // 100 * 30 * pieces, latency_last=HZ // 100 if pieces else 0,
        latency_max=HZ // 100 if pieces else 0,
        **changes,
    )  # fmt: skip


def answering(fake: FakeBench, lines: Iterator[str]) -> None:
    """The board answers `lnn metrics` with these, one after another."""

    def arrange(opened: OpenBench) -> None:
        fake.port.answers["lnn metrics"] = lambda: [next(lines)]

    fake.arrange = arrange


def steady(**changes: object) -> Iterator[str]:
    pieces = 0
    while True:
        yield console_line(block_after(pieces, **changes))
        pieces += 1


def table(out: str) -> dict[str, list[str]]:
    """The last table: title to [now, since start, unit, from]."""
    heading, *lines = out.splitlines()[1:]
    starts = [heading.index(name) for name in ("quantity", "now", "since start", "unit", "from")]
    stops = [*starts[1:], None]
    cells = [[line[a:b].strip() for a, b in zip(starts, stops, strict=True)] for line in lines]
    return {title: rest for title, *rest in cells}


def test_the_last_table_holds_the_last_piece_the_sum_and_where_each_comes_from(
    live: Command, fake_bench: FakeBench
) -> None:
    answering(fake_bench, steady())
    code, out, err = live("--seconds", "3")
    assert code == 0
    assert out.startswith("board nrf52840 on bench desk, 3 s watched\n")
    found = table(out)
    assert found["latency, mean"] == ["10", "10", "ms", "device"]
    assert found["latency, 95 % at most"] == ["10", "10", "ms", "device"]
    assert found["inferences"] == ["30", "90", "", "device"]
    assert found["inferences per second"] == ["30", "-", "1/s", "device"]  # of the second at work
    assert found["audio frames"] == ["31", "93", "", "device"]
    assert found["temperature of the chip"] == ["-12.25", "-", "degC", "device"]
    assert found["memory left"] == ["0.9766", "-", "KB", "device"]
    assert found["mean power, measured"][2:] == ["mW", "Fake analyzer 7"]
    assert "not known" not in err


def test_the_board_works_in_silence_and_is_asked_in_between(live: Command, fake_bench: FakeBench) -> None:
    commands: list[str] = []

    def arrange(opened: OpenBench) -> None:
        lines = steady()
        fake_bench.port.answers["lnn metrics"] = lambda: [next(lines)]
        fake_bench.port.on_command = commands.append

    fake_bench.arrange = arrange
    assert live("--seconds", "2.5")[0] == 0
    work = [command for command in commands if command.startswith(("lnn listen", "lnn metrics"))]
    assert work == [
        "lnn metrics", "lnn listen 1000", "lnn metrics", "lnn listen 1000", "lnn metrics",
        "lnn listen 500", "lnn metrics",
    ]  # fmt: skip


@given(
    st.lists(
        st.tuples(*[st.text("abc ,%", max_size=30)] * 2, st.text("0123.-", max_size=9), st.just("mW"), TEXT),
        max_size=5,
    ),
    st.integers(20, 120),
)
def test_a_narrow_terminal_shortens_names_and_never_figures(lines: list[tuple[str, ...]], width: int) -> None:
    lines = [(name, now[:9], *rest) for name, now, *rest in lines]
    headings, *shown = fitted(lines, width)
    assert headings[1:2] == ["now"]
    assert "unit" in headings
    for line, original in zip(shown, lines, strict=True):
        told = dict(zip(headings, line, strict=True))
        assert (told["now"], told["unit"]) == (original[1], original[3])
        assert told[headings[0]].rstrip("…") in original[0]
        assert sum(map(len, line)) + 2 * (len(line) - 1) <= width
    if fitted(lines, 200)[0] == headings:
        assert headings == list(HEADINGS)


def test_what_a_narrow_terminal_goes_without_first() -> None:
    line = ("latency, mean", "2.11", "2.3", "ms", "device")
    assert fitted([line], 80)[1] == list(line)
    assert fitted([line], 40)[1] == ["latency, mean", "2.11", "2.3", "ms"]
    assert fitted([line], 26)[1] == ["latency, mean", "2.11", "ms"]
    assert fitted([line], 20) == [["quantity", "now", "unit"], ["latency…", "2.11", "ms"]]


def test_json_is_one_line_after_each_piece(live: Command, fake_bench: FakeBench) -> None:
    fake_bench.simulated = True
    answering(fake_bench, steady(present=EVERYTHING & ~Present.TEMPERATURE))
    code, out, _ = live("--seconds", "2", "--json")
    assert code == 0
    first, second = map(json.loads, out.splitlines())
    assert (first["worked_s"], second["worked_s"]) == (1.0, 2.0)
    assert (first["board"], first["bench"], first["simulated"], first["source"]) == (
        "nrf52840", "desk", True, "console",
    )  # fmt: skip
    values = second["values"]
    assert values["latency"] == {
        "title": "latency, mean", "unit": "ms", "piece": 10.0, "total": 10.0, "source": "device",
    }  # fmt: skip
    assert values["power_measured"]["source"] == "Fake analyzer 7"
    assert (values["inferences"]["piece"], values["inferences"]["total"]) == (30, 60)
    assert "temperature" not in values


def test_what_a_device_does_not_know_is_named_and_has_no_row(live: Command, fake_bench: FakeBench) -> None:
    fake_bench.simulated = True
    answering(fake_bench, steady(present=int(Present.UPTIME | Present.FRAMES)))
    code, out, err = live("--seconds", "1")
    assert code == 0
    assert "(simulated)" in out
    assert set(table(out)) == {"mean power, measured", "audio frames", "uptime"}
    assert "not known to this device: latency, mean, " in err
    assert "temperature of the chip" in err


def test_a_damaged_frame_is_refused_and_the_next_one_tells_of_both_pieces(
    live: Command, fake_bench: FakeBench
) -> None:
    def lines() -> Iterator[str]:
        for pieces in range(4):
            line = console_line(block_after(pieces))
            yield line[:200] + ("0" if line[200] != "0" else "1") + line[201:] if pieces == 2 else line

    answering(fake_bench, lines())
    code, out, _ = live("--seconds", "3", "--json")
    assert code == 0
    _, bad, good = map(json.loads, out.splitlines())
    assert (bad["rejected"], good["rejected"]) == (1, 1)
    assert bad["values"]["inferences"] == {
        "title": "inferences", "unit": "", "piece": None, "total": 30, "source": "device",
    }  # fmt: skip
    assert (good["values"]["inferences"]["piece"], good["values"]["throughput"]["piece"]) == (60, 30.0)


def test_a_refused_frame_is_told_with_its_reason_in_the_table(live: Command, fake_bench: FakeBench) -> None:
    def lines() -> Iterator[str]:
        yield console_line(block_after(0))
        yield "m-lnn-metrics-[00]"

    answering(fake_bench, lines())
    code, out, _ = live("--seconds", "1")
    assert code == 0
    assert "frames refused: 1 (metrics of the DUT: 1 bytes, a frame has 448)" in out


def test_a_board_that_starts_anew_is_told_and_counts_from_there(live: Command, fake_bench: FakeBench) -> None:
    answering(fake_bench, iter([console_line(block_after(pieces)) for pieces in (3, 4, 1, 2)]))
    code, out, _ = live("--seconds", "3", "--json")
    assert code == 0
    before, at, after = map(json.loads, out.splitlines())
    assert [line["restarts"] for line in (before, at, after)] == [0, 1, 1]
    assert "throughput" not in at["values"]
    assert after["values"]["inferences"]["piece"] == 30


def test_a_firmware_without_metrics_is_told_what_it_lacks(live: Command, fake_bench: FakeBench) -> None:
    code, out, err = live("--seconds", "1")
    assert code == 3
    assert "its firmware keeps no metrics, it does not know `lnn metrics`" in err
    assert "docs/reference/c-metrics.md" in err
    assert "latency" not in out


def test_not_one_sound_frame_blocks(live: Command, fake_bench: FakeBench) -> None:
    answering(fake_bench, iter(["m-lnn-metrics-[00]"] * 9))
    code, _, err = live("--seconds", "1")
    assert code == 3
    assert "no sound metrics from nrf52840 in 1 s: metrics of the DUT: 1 bytes" in err


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_a_length_that_is_none_is_refused_before_anything_is_opened(
    live: Command, fake_bench: FakeBench, seconds: str
) -> None:
    code, _, err = live("--seconds", seconds)
    assert (code, fake_bench.events) == (2, [])
    assert "is not a length of time" in err


def test_ctrl_c_ends_watching_with_the_last_table_and_a_board_that_is_reset(
    live: Command, fake_bench: FakeBench
) -> None:
    def lines() -> Iterator[str]:
        yield console_line(block_after(0))
        yield console_line(block_after(1))
        raise KeyboardInterrupt

    answering(fake_bench, lines())
    code, out, _ = live("--seconds", "100")
    assert code == 130
    assert table(out)["inferences"][:2] == ["30", "30"]
    assert fake_bench.events[-2:] == ["reset", "close"]


def test_a_board_without_a_console_is_read_through_its_probe_between_the_pieces(
    live: Command, fake_bench: FakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = 0

    def arrange(opened: OpenBench) -> None:
        probe: Any = opened.probe

        @contextmanager
        def attached() -> Iterator[Any]:
            data = bytes(block_after(pieces))
            start = probe.clock.monotonic()
            yield SimpleNamespace(read_memory=lambda address, size: data[address - 0x2000 :][:size])
            probe._attachments.append((start, start))

        def sleep(seconds: float) -> None:
            nonlocal pieces
            pieces += seconds == 1.0
            probe.clock.now += seconds

        probe.attached = attached
        monkeypatch.setattr(probe.clock, "sleep", sleep)
        monkeypatch.setattr("pytest_lan_hil.dut.metrics_source.address_in", lambda image: 0x2000)

    fake_bench.arrange = arrange
    original = fake_bench.open

    @contextmanager
    def without_console(*arguments: Any, **options: Any) -> Iterator[OpenBench]:
        with original(*arguments, **options) as opened:
            yield replace(opened, console=None)

    monkeypatch.setattr("pytest_lan_hil.run.board_run.open_bench", without_console)
    code, out, err = live("--seconds", "2")
    assert code == 0
    assert "read through the probe, attached between two pieces and never in one" in err
    found = table(out)
    assert found["inferences"][:2] == ["30", "60"]
    assert "mean power, measured" in found  # no debugger was attached while it was measured
