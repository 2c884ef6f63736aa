"""Write the tables of docs/reference/metrics-rules.md: `python -m monitoring.generate.rules_doc`."""

from __future__ import annotations

import re
from pathlib import Path

from monitoring.generate.rules_alerts import THRESHOLDS
from monitoring.generate.rules_promql import Source, share_matters
from monitoring.generate.rules_recording import EVERYDAY_NAMES, device_recordings
from pytest_lan_hil.model.quantities import QUANTITIES, Direction, unit_text
from pytest_lan_hil.publish.openmetrics import metric_names

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics-rules.md"
_BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(*rows: tuple[str, ...]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *body]) + "\n"


def everyday_table() -> str:
    """Everyday names."""
    rows = [
        (f"`{EVERYDAY_NAMES[name]}`", f"`{metric_names(row).estimate}`", row.title)
        for name, row in QUANTITIES.items()
    ]
    return _table(("name", "made from", "quantity"), *rows)


def recorded_table() -> str:
    """What is recorded of devices."""
    rows = [(f"`{one.name}`", one.labels.get("statistic", "")) for one in device_recordings()]
    return _table(("name", "`statistic`"), *rows)


def thresholds_table() -> str:
    """Alerts on figures, and their limits."""
    rows = []
    for one in THRESHOLDS:
        row = QUANTITIES[one.quantity]
        side = "above" if row.direction is Direction.LOWER else "below"
        default = "no alert" if one.default is None else f"{one.default:g}{unit_text(row.unit)}"
        judged = " and ".join(f"{source.value}s" for source in Source if source in one.sources)
        limit = f"{side} `{metric_names(row).budget}`"
        rows.append((one.alert, one.severity.value, judged, limit, default))
    return _table(("alert", "severity", "of", "fires", "where the board has no target"), *rows)


def margins_table() -> str:
    """PerformanceRegression's margins."""
    rows = []
    for name, row in QUANTITIES.items():
        unit = " points" if row.unit == "%" else unit_text(row.unit)
        share = f"{100 * row.margin.relative:g} % and " if share_matters(row) else ""
        side = "above" if row.direction is Direction.LOWER else "below"
        rows.append(
            (
                f"`{name}`",
                f"more than {share}{row.margin.absolute:g}{unit} {side}",
                f"`{metric_names(row).baseline}`",
            )
        )
    return _table(("quantity", "fires", "baseline"), *rows)


_TABLES = {
    "everyday": everyday_table,
    "recorded": recorded_table,
    "thresholds": thresholds_table,
    "margins": margins_table,
}


def filled(page: str) -> str:
    """The page with its tables made anew."""
    return _BLOCK.sub(lambda match: f"{match[1]}{_TABLES[match[2]]()}{match[3]}", page)


def main() -> None:
    """Write them into the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
