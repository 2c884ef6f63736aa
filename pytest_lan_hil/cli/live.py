"""`lan-hil measure --live`: a table that follows a board while it works."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from pytest_lan_hil.cli.devices import letting_go, require_length, set_up
from pytest_lan_hil.cli.output import activity, note, print_table
from pytest_lan_hil.cli.project import BenchNames
from pytest_lan_hil.dut.metrics_values import DeviceMetrics, Latency
from pytest_lan_hil.measure.drift import stability_index
from pytest_lan_hil.model.errors import MeasurementInvalid
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.run.bench import OpenBench
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.live import Reading, source, watch

EVERY_S = 1.0
HEADINGS = ("quantity", "now", "since start", "unit", "from")
DEVICE = "device"
# Columns that a narrow terminal goes without, and what rich puts between two columns.
_LEFT_OUT = ("from", "since start")
_GAP = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One line.

    Attributes:
        key: Name in JSON; a quantity's where there is one.
        title: For people.
        unit: Of both values.
        piece: Over the last piece, or as it is now; None if nothing is known of it.
        total: Since the device started; None where that means nothing.
        source: "device", or the instrument that measured it.
    """

    key: str
    title: str
    unit: str
    piece: float | None
    total: float | None
    source: str = DEVICE


_Value = Callable[[DeviceMetrics], float | None]


@dataclass(frozen=True, slots=True)
class _Counted:
    """A value of what was counted, in a piece and since the start."""

    key: str
    title: str
    unit: str
    value: _Value


@dataclass(frozen=True, slots=True)
class _Gauge:
    """A value as it is now."""

    key: str
    title: str
    unit: str
    value: _Value


def _latency(value: Callable[[Latency], float | None]) -> _Value:
    return lambda metrics: value(metrics.latency) if metrics.latency else None


def _kb(size: int | None) -> float | None:
    return None if size is None else size / 1024


def _drift(metrics: DeviceMetrics) -> float | None:
    features = metrics.features
    return stability_index(features.counts, features.training) if features and features.n else None


_ROWS = (
    _Counted("latency", "latency, mean", "ms", _latency(lambda latency: latency.mean_ms)),
    _Counted("latency_p95", "latency, 95 % at most", "ms", _latency(lambda latency: latency.bound_ms(0.95))),
    _Gauge("latency_max", "latency, longest so far", "ms", _latency(lambda latency: latency.highest_ms)),
    _Counted("inferences", "inferences", "", _latency(lambda latency: latency.n)),
    _Counted("frames", "audio frames", "", lambda m: m.frames),
    _Counted("dropped_frames", "audio frames lost", "%", lambda m: m.dropped_percent),
    _Counted("errors", "errors", "", lambda m: m.errors),
    _Counted("power", "power, by its own sensor", "mW", lambda m: m.power.mean_mw if m.power else None),
    _Counted("energy", "energy, by its own sensor", "uJ", lambda m: m.energy.mean_uj if m.energy else None),
    _Counted("confidence", "confidence", "%", lambda m: m.confidence.mean_percent if m.confidence else None),
    _Counted("accuracy", "accuracy", "%", lambda m: m.accuracy.percent if m.accuracy else None),
    _Counted(
        "false_positive_rate",
        "false positives",
        "%",
        lambda m: m.false_positives.percent if m.false_positives else None,
    ),
    _Counted("drift_score", "drift of features", "", _drift),
    _Gauge("cpu_utilisation", "CPU utilisation", "%", lambda m: m.cpu_percent),
    _Gauge("memory", "memory", "KB", lambda m: _kb(m.memory_used)),
    _Gauge("memory_available", "memory left", "KB", lambda m: _kb(m.memory_available)),
    _Gauge("flash", "flash", "KB", lambda m: _kb(m.flash_used)),
    _Gauge("temperature", "temperature of the chip", "degC", lambda m: m.temperature_degc),
    _Gauge("battery", "battery life", "h", lambda m: m.battery_h),
    _Gauge("battery_voltage", "battery voltage", "V", lambda m: m.battery_v),
    _Gauge("uptime", "uptime", "s", lambda m: m.uptime_s),
)


def rows(reading: Reading) -> list[Row]:
    """What is known after a piece; what is not known has no row."""
    found = [
        Row(
            quantity,
            f"{QUANTITIES[quantity].title}, measured",
            measurement.unit,
            measurement.estimate.value,
            None,
            measurement.instrument,
        )
        for quantity, measurement in reading.measured.items()
    ]
    if reading.metrics is None:
        return found
    for line in _ROWS:
        now = line.value(reading.metrics)
        if isinstance(line, _Gauge):
            piece, total = now, None
        else:
            piece, total = (line.value(reading.change) if reading.change else None), now
        if piece is not None or total is not None:
            found.append(Row(line.key, line.title, line.unit, piece, total))
    if reading.change is not None and reading.change.latency is not None and reading.change_s:
        rate_hz = reading.change.latency.n / reading.change_s  # of the time at work, not of the time asked
        found.append(Row("throughput", "inferences per second", "1/s", rate_hz, None))
    return found


def unknown(reading: Reading) -> list[str]:
    """Titles of what this board does not know of itself."""
    if reading.metrics is None:
        return []
    return [line.title for line in _ROWS if line.value(reading.metrics) is None]


def follow(
    board_name: str,
    bench_names: BenchNames,
    image_name: str | None,
    *,
    seconds: float,
    wait_s: float,
    as_json: bool,
) -> None:
    """Follow a board for so long; ends with its last table (`as_json`: one line of JSON after each piece).

    Raises:
        InputError: Not a length of time.
        MeasurementInvalid: Not one reading was sound.
    """
    require_length(seconds, example=10)
    board, bench, wiring = set_up(board_name, bench_names)
    last = Reading(0.0)
    with letting_go(BoardRun(board, bench, wiring, wait_s=wait_s)) as run:
        with activity(f"preparing {board.name} on bench {bench.name}"):
            run.prepare(image_name)
        opened = run.open()
        if source(opened) == "probe":
            note("no console: read through the probe, attached between two pieces and never in one")
        view = _as_lines if as_json else _as_table
        try:
            with view(opened, seconds) as show:
                for last in watch(opened, seconds=seconds, every_s=EVERY_S):
                    show(last)
        finally:  # Ctrl-C is how one usually stops watching
            if not as_json:
                _print_last(opened, last)
    if last.metrics is None:
        raise MeasurementInvalid(
            f"no sound metrics from {board.name} in {last.worked_s:g} s: {last.problem}",
            fix="look at the console: `lan-hil doctor` shows what answers",
        )


def title(opened: OpenBench, reading: Reading) -> str:
    """Which board, on what, and for how long."""
    label = " (simulated)" if opened.simulated else ""
    text = f"board {opened.board.name} on bench {opened.bench.name}{label}, {reading.worked_s:g} s watched"
    if reading.restarts:
        text += f", restarts: {reading.restarts}"
    if reading.rejected:
        text += f", frames refused: {reading.rejected} ({reading.problem})"
    return text


def cells(reading: Reading) -> list[Sequence[str]]:
    """The table's lines, as text."""
    return [(row.title, _text(row.piece), _text(row.total), row.unit, row.source) for row in rows(reading)]


def fitted(lines: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Headings and `lines` for a terminal of so many columns: figures stay whole, and units with them.

    Left out first is where a figure comes from, then the one since the start; then names are cut.
    """
    shown = [list(HEADINGS), *map(list, lines)]
    for heading in _LEFT_OUT:
        if _width(shown) <= width:
            return shown
        column = shown[0].index(heading)
        shown = [[*line[:column], *line[column + 1 :]] for line in shown]
    room = width - _width([line[1:] for line in shown]) - _GAP
    return [[_cut(title, max(room, 1)), *rest] for title, *rest in shown]


def _width(lines: Sequence[Sequence[str]]) -> int:
    widest = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return sum(widest) + _GAP * (len(widest) - 1)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _print_last(opened: OpenBench, reading: Reading) -> None:
    print(title(opened, reading))
    found = cells(reading)
    if found:
        print_table(HEADINGS, found)
    if absent := unknown(reading):
        note(f"not known to this device: {', '.join(absent)}")


@contextmanager
def _as_lines(opened: OpenBench, seconds: float) -> Iterator[Callable[[Reading], None]]:
    """One line of JSON after each piece."""
    del seconds

    def show(reading: Reading) -> None:
        known = [asdict(row) for row in rows(reading)]
        line = {
            "board": opened.board.name,
            "bench": opened.bench.name,
            "simulated": opened.simulated,
            "source": source(opened),
            "worked_s": reading.worked_s,
            "restarts": reading.restarts,
            "rejected": reading.rejected,
            "values": {f"{row.pop('key')}{_suffix(row)}": row for row in known},
        }
        print(json.dumps(line, ensure_ascii=False, allow_nan=False), flush=True)

    yield show


def _suffix(row: dict[str, object]) -> str:
    return "" if row["source"] == DEVICE else "_measured"


@contextmanager
def _as_table(opened: OpenBench, seconds: float) -> Iterator[Callable[[Reading], None]]:
    """A table that is drawn anew after each piece; in a pipe one line that says what goes on."""
    if not sys.stdout.isatty():
        note(f"watching {opened.board.name} for {seconds:g} s ...")
        yield lambda _reading: None
        return
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    with Live(Text(f"watching {opened.board.name} ..."), transient=True, auto_refresh=False) as screen:

        def show(reading: Reading) -> None:
            table = Table(title=Text(title(opened, reading)), title_justify="left", box=None, pad_edge=False)
            headings, *lines = fitted(cells(reading), screen.console.width)
            for heading in headings:
                table.add_column(
                    heading, justify="right" if heading in HEADINGS[1:3] else "left", no_wrap=True
                )
            for line in lines:
                table.add_row(*map(Text, line))
            screen.update(table, refresh=True)

        yield show
