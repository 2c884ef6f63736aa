"""Which measurements make one line, where it steps, and how it is drawn."""

from __future__ import annotations

import math
import random
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from past_runs import latency, one_test, past
from publish_samples import measurement

from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.ledger_read import RunFilter, measurements
from pytest_lan_hil.publish.ledger_schema import make_in_memory
from pytest_lan_hil.publish.ledger_write import add
from pytest_lan_hil.publish.rows import SIMULATED_LABEL
from pytest_lan_hil.publish.trend_page import write_page, write_svg
from pytest_lan_hil.publish.trend_svg import svg_file
from pytest_lan_hil.publish.trend_text import ASCII, BLOCKS, bar_lines, chart_lines, glyphs_for
from pytest_lan_hil.publish.trends import Trend, trends


def lines_of(records: Sequence[RunRecord]) -> tuple[Trend, ...]:
    with closing(make_in_memory()) as ledger:
        for record in records:
            add(ledger, record)
        return trends(measurements(ledger, RunFilter()))


def stepped(count: int, at: int, size: float, seed: int = 1) -> list[RunRecord]:
    chance = random.Random(seed)
    return [past(k + 1, chance.gauss(10.0, 0.03) + (k >= at) * size) for k in range(count)]


def test_a_step_names_the_runs_on_both_sides_of_it() -> None:
    records = stepped(12, 8, 1.5)
    (line,) = lines_of(records)
    (change,) = line.changes
    assert (change.last.run_id, change.first.run_id) == (records[7].run_id, records[8].run_id)
    assert change.first.git_commit == records[8].git_commit
    assert change.percent == pytest.approx(15, abs=0.7)
    assert change.better is False
    assert [point.run.number for point in line.points] == list(range(1, 13))


def test_what_can_not_be_compared_is_in_lines_of_its_own() -> None:
    other = replace(latency(10.0), instrument="Joulescope JS110 7")
    microseconds = replace(latency(10.0), unit="us")
    p95 = measurement("latency", "ms", (9.0, 10.0), "p95", half=0.1)
    found = lines_of(
        [
            past(1),
            past(2),
            past(3, simulated=True),
            past(4, bench="other"),
            past(5, board="stm32f4"),
            past(6, tests=[one_test([other])]),
            past(7, tests=[one_test([latency(10.0)], name="test_other")]),
            past(8, tests=[one_test([microseconds])]),
            past(9, tests=[one_test([p95])]),
        ],
    )
    runs = sorted([point.run.number for point in line.points] for line in found)
    assert runs == [[1, 2], [3], [4], [5], [6], [7], [8], [9]]
    assert all(len({point.run.simulated for point in line.points}) == 1 for line in found)


def test_repeats_of_a_run_are_one_point() -> None:
    repeats = [one_test([latency(value)]) for value in (10.0, 11.0)]
    (line,) = lines_of([past(1, tests=repeats), past(2, 12.0)])
    assert [(point.value, point.n) for point in line.points] == [(10.5, 6), (12.0, 3)]


@pytest.mark.parametrize(("size", "told"), [(0.2, 0), (0.3, 1)])
def test_a_step_below_a_quarter_of_the_margin_is_not_told(size: float, told: int) -> None:
    # the margin of latency is 10 %: of 10 ms a quarter is 0.25 ms
    records = [past(k, 10.0 + (k > 8) * size) for k in range(1, 17)]
    (line,) = lines_of(records)
    assert len(line.changes) == told


def test_more_is_better_where_the_table_says_so_and_unknown_for_own_quantities() -> None:
    records = []
    for k in range(1, 9):
        level = 100.0 if k > 4 else 80.0
        found = [
            measurement(name, "1/s", (level,), "min", half=0.0)
            for name in ("throughput", "wake words per minute", "cpu_utilisation")
        ]
        records.append(past(k, tests=[one_test(found)]))
    found_lines = lines_of(records)
    better = {line.subject.quantity: [change.better for change in line.changes] for line in found_lines}
    assert better == {"throughput": [True], "wake words per minute": [None], "cpu_utilisation": [False]}


def test_a_step_from_nothing_has_no_percentage() -> None:
    lost = [measurement("dropped_frames", "%", (4.0 * (k > 4),), "max", half=0.0) for k in range(1, 9)]
    (line,) = lines_of([past(k, tests=[one_test([one])]) for k, one in enumerate(lost, 1)])
    assert line.changes[0].percent == math.inf
    text = "\n".join(bar_lines([line], 80, BLOCKS))
    assert "step from nothing, WORSE: 0.00 to 4.00 %" in text
    assert "inf" not in text + svg_file([line])


def test_bars_show_the_step_and_hide_the_noise() -> None:
    found = lines_of(stepped(12, 8, 1.5))
    lines = bar_lines(found, 80, BLOCKS)
    assert "  ▁▁▁▁▁▁▁▁│████" in lines
    assert lines[0] == "board nrf52840 on bench desk"
    assert any("step +15" in line and "WORSE" in line for line in lines)
    steady = bar_lines(lines_of(stepped(12, 12, 0)), 80, BLOCKS)
    bars = next(line.strip() for line in steady if set(line.strip()) <= set(BLOCKS.bars) and line.strip())
    assert len(bars) == 12
    assert max(map(BLOCKS.bars.index, bars)) - min(map(BLOCKS.bars.index, bars)) <= 1, (
        "0.3 % is not a mountain"
    )


@pytest.mark.parametrize("width", [20, 40, 80])
def test_more_runs_than_the_terminal_is_wide_are_drawn_together(width: int) -> None:
    found = lines_of(stepped(90, 60, 2.0))
    bars = next(line for line in bar_lines(found, width, ASCII) if "|" in line)
    assert len(bars) <= width
    assert set(bars.strip().split("|")[0]) == {"_"}
    assert set(bars.strip().split("|")[1]) == {"#"}
    chart = [line for line in chart_lines(found, width + 14, ASCII) if line[12:14] == " |"]
    assert len(chart) == 9
    assert max(map(len, chart)) <= width + 14
    assert "o" in chart[0]
    assert "o" in chart[-1]


def test_one_run_is_a_point_and_no_trend() -> None:
    (line,) = lines_of([past(1)])
    assert line.changes == ()
    text = "\n".join(bar_lines([line], 80, BLOCKS))
    assert "in one run (#1), no trend yet" in text
    assert "nan" not in svg_file([line])
    assert sum("●" in row for row in chart_lines([line], 80, BLOCKS)) == 1


def test_a_simulated_line_says_so_everywhere(tmp_path: Path) -> None:
    found = lines_of([past(1, simulated=True), past(2)])
    assert bar_lines(found, 80, BLOCKS).count(SIMULATED_LABEL) == 1
    assert svg_file(found).count(SIMULATED_LABEL) == 1
    assert write_page(found, tmp_path / "x.html").read_text().count(SIMULATED_LABEL) == 1


def test_terminals_without_block_characters_get_ascii() -> None:
    assert glyphs_for("utf-8") is BLOCKS
    assert glyphs_for("ascii") is ASCII
    assert glyphs_for("cp437") is ASCII
    assert glyphs_for(None) is ASCII
    assert "".join(ASCII.bars + ASCII.point + ASCII.step).isascii()


def test_the_drawing_is_well_formed_whatever_the_names_are(tmp_path: Path) -> None:
    name = "test_<b>&\"'[x]"
    values = (10.0, math.inf)
    records = [
        past(
            k,
            branch="<main>",
            tests=[
                one_test(
                    [
                        measurement(
                            "latency", "ms", (10.0 + (k > 5), 10.1 + (k > 5)), "p95", half=0.1, high=values[1]
                        )
                    ],
                    name=name,
                )
            ],
        )
        for k in range(1, 11)
    ]
    found = lines_of(records)
    tree = ElementTree.parse(write_svg(found, tmp_path / "trend.svg"))
    space = "{http://www.w3.org/2000/svg}"
    circles = list(tree.iter(f"{space}circle"))
    assert len(circles) == 10
    marks = [line for line in tree.iter(f"{space}line") if line.get("class", "").startswith("step")]
    assert [line.get("class") for line in marks] == ["step worse"]
    x = float(marks[0].get("x1", "nan"))
    assert float(circles[4].get("cx", "nan")) < x < float(circles[5].get("cx", "nan"))
    page = write_page(found, tmp_path / "trend.html").read_text()
    assert "<b>" not in page
    assert "test_&lt;b&gt;" in page
    assert "http-equiv" in page
    assert "src=" not in page
