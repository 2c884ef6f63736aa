"""Trends as a file: a page that opens from a disk and loads nothing, or an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from pytest_lan_hil.publish.files import write_atomically
from pytest_lan_hil.publish.pages import page_template
from pytest_lan_hil.publish.rows import SIMULATED_LABEL
from pytest_lan_hil.publish.trend_svg import STYLE, panel, svg_file
from pytest_lan_hil.publish.trend_text import change_lines
from pytest_lan_hil.publish.trends import Trend


def write_svg(trends: Sequence[Trend], path: Path) -> Path:
    """Write the trends as one SVG.

    Raises:
        InputError: The file can't be written.
    """
    return write_atomically(path, svg_file(trends))


def write_page(trends: Sequence[Trend], path: Path) -> Path:
    """Write the trends as a page: a section for each board and bench.

    Raises:
        InputError: The file can't be written.
    """
    places = groupby(trends, key=lambda trend: (trend.board, trend.bench, trend.simulated))
    text = page_template("trends.html.j2").render(
        places=[
            {"board": board, "bench": bench, "simulated": simulated, "trends": list(group)}
            for (board, bench, simulated), group in places
        ],
        style=Markup(STYLE),  # ours, no user's text in it
        panel=lambda trend: Markup(panel(trend)),  # escapes what it is given
        change_lines=change_lines,
        simulated_label=SIMULATED_LABEL,
    )
    return write_atomically(path, text)
