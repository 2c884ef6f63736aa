"""monitoring/clients/rust/src/names.rs: names, buckets and figures of the Rust client.

    python -m monitoring.generate.rust_names

They are those of the quantity table. The committed file is what this writes; a test proves it.
"""

from __future__ import annotations

import json
from pathlib import Path

from pytest_lan_hil.metrics import bounds_of
from pytest_lan_hil.model.quantities import QUANTITIES, Quantity
from pytest_lan_hil.publish.openmetrics import BUCKETS, ERRORS, bound_label, metric_names

FILE = Path(__file__).parents[1] / "clients" / "rust" / "src" / "names.rs"
_LATENCY = QUANTITIES["latency"]
_HEAD = """\
//! Names, buckets and figures. Generated from the quantity table: python -m monitoring.generate.rust_names

/// Histogram of the wall time of inferences, seconds.
pub const LATENCY: &str = {latency};

/// Counter of inferences that failed.
pub const ERRORS: &str = {errors};

/// Upper bounds of the histogram, seconds.
#[rustfmt::skip]
pub const BUCKETS: [f64; {count}] = [
{buckets}
];

/// What can be reported, by name and unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {{
{variants}
}}

/// How a figure is published: `value * scale` is in the metric's base unit.
pub(crate) struct Row {{
    pub(crate) key: &'static str,
    pub(crate) metric: &'static str,
    pub(crate) statistic: &'static str,
    pub(crate) help: &'static str,
    pub(crate) scale: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}}

/// A row for each `Figure`, in their order.
pub(crate) const ROWS: [Row; {rows_count}] = [
{rows}
];
"""


def text() -> str:
    """Contents of the file."""
    rows = [row for row in QUANTITIES.values() if row is not _LATENCY]
    return _HEAD.format(
        latency=_quoted(metric_names(_LATENCY).plain),
        errors=_quoted(ERRORS),
        count=len(BUCKETS),
        buckets="\n".join(f"    {bound_label(bound)}," for bound in BUCKETS),
        variants="\n".join(f"    /// {row.help}.\n    {_variant(row)}," for row in rows),
        rows_count=len(rows),
        rows="\n".join(map(_row, rows)),
    )


def _row(row: Quantity) -> str:
    lowest, highest = (_float(bound) for bound in bounds_of(row))
    return f"""\
    Row {{
        key: {_quoted(row.target_key)},
        metric: {_quoted(metric_names(row).estimate)},
        statistic: {_quoted(row.statistic)},
        help: {_quoted(row.help)},
        scale: {_float(row.scale)},
        lowest: {lowest},
        highest: {highest},
    }},"""


def _variant(row: Quantity) -> str:
    """ "power_mw" to "PowerMw"."""
    return "".join(part.capitalize() for part in row.target_key.split("_"))


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _float(value: float) -> str:
    return "f64::MAX" if value == float("inf") else repr(float(value)).replace("e-0", "e-")


def main() -> None:
    """Write it."""
    FILE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
