"""docs/reference/metrics.md lists exactly the metrics that a run is published as, and how many series."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from benchmarks.fleet_series import view
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.metrics import InferenceMetrics
from pytest_lan_hil.model.comparison import Arm, Comparison, Subject
from pytest_lan_hil.model.measurement import Budget, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.model.record import FirmwareIdentity, RunRecord, TestRecord
from pytest_lan_hil.publish.device_metrics_fleet import families
from pytest_lan_hil.publish.openmetrics import BUCKETS, registry

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md"
COMMON = {"board", "bench", "simulated"}
UNITS = ("seconds", "joules", "watts", "bytes", "ratio", "hertz", "celsius")
# One row: name, type, unit, further labels.
Row = tuple[str, str, str, frozenset[str]]


def full_record() -> RunRecord:
    """A run that measured and judged every quantity of the table, on a known image."""
    values = {"share": [100.0, 0.0, 100.0]}
    measurements = {
        name: from_values(name, values.get(row.statistic, [1.0, 2.0, 3.0]))
        for name, row in QUANTITIES.items()
    }
    verdicts = tuple(
        Verdict(VerdictKind.WITHIN, Budget(name, 9.0, row.statistic, "marker"), row.unit, None, 3, "")
        for name, row in QUANTITIES.items()
    )
    comparisons = tuple(
        Comparison(
            Subject(name, "t.py::test_a"), VerdictKind.WITHIN, row.unit, row.statistic, row.direction,
            Arm(1.0, 0.1, 4.0, 5), Arm(1.0, 0.1, 4.0, 1), 0.1, 0.0, -0.1, 0.1, 0.4, 0.01, 1.0, "",
        )
        for name, row in QUANTITIES.items()
    )  # fmt: skip
    firmware = FirmwareIdentity(image="lan.elf", sha256="00" * 32, build="git=1,image=2,version=3")
    test = TestRecord(
        "t.py::test_a",
        Outcome.PASSED,
        measurements=measurements,
        verdicts=verdicts,
        firmware=firmware,
        comparisons=comparisons,
    )
    return RunRecord(
        run_id="r", started_at="2026-01-01T00:00:00Z", finished_at="2026-01-01T00:00:01Z",
        board="b", bench="c", simulated=True, job="j", outcome=Outcome.PASSED, tests=(test,),
        measurements=measurements,
    )  # fmt: skip


def published() -> set[Row]:
    rows = set()
    for family in registry(full_record()).collect():
        name = f"{family.name}_info" if family.type == "info" else family.name
        labels = {label for sample in family.samples for label in sample.labels}
        assert labels >= COMMON
        unit = next((unit for unit in UNITS if family.name.endswith(f"_{unit}")), "")
        rows.add((name, family.type, unit, frozenset(labels - COMMON)))
    return rows


def documented() -> set[Row]:
    rows = set()
    pattern = re.compile(r"^\| `(lan_\w+)` \| (\w+) \| (\w*) ?\| ([^|]*)\|", re.MULTILINE)
    for name, kind, unit, labels in pattern.findall(PAGE.read_text(encoding="utf-8")):
        rows.add((name, kind, unit, frozenset(re.findall(r"`(\w+)`", labels))))
    return rows


def test_page_and_code_agree_on_name_type_unit_and_labels() -> None:
    assert documented() == published()


def test_page_names_every_value_of_the_bounded_labels() -> None:
    text = PAGE.read_text(encoding="utf-8")
    values = [*Outcome, *VerdictKind]
    missing = [value.value for value in values if f"`{value.value}`" not in text]
    assert missing + [name for name in QUANTITIES if f"`{name}`" not in text] == []


def test_page_says_the_bounds_of_the_histogram() -> None:
    assert BUCKETS[:6] == (1e-4, 1.5e-4, 2.2e-4, 3.3e-4, 4.7e-4, 6.8e-4)
    assert BUCKETS[-2:] == (6.8, 10.0)
    assert "1, 1.5, 2.2, 3.3, 4.7 and 6.8 of each decade from 100 us to 6.8 s, and 10 s" in PAGE.read_text()


def cardinality() -> dict[str, int]:
    """The table's rows: of what, and how many series."""
    rows = re.findall(r"^\| (an? [^|]+?) \|[^|]*\| (\d+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {what: int(count) for what, count in rows}


def test_page_says_how_many_series_a_run_has_at_most() -> None:
    series = sum(len(family.samples) for family in registry(full_record()).collect())
    assert cardinality()["a board on a bench"] == series


def test_page_says_how_many_series_a_device_has_and_what_its_site_adds() -> None:
    boards = {"board0": dict.fromkeys(QUANTITIES, 1.0)}
    one, two = (
        sum(len(family.samples) for family in families([view(4 * number) for number in range(count)], boards))
        for count in (1, 2)
    )
    assert cardinality()["a device in the field"] == two - one
    assert cardinality()["a board at a site"] == one - (two - one) == len(QUANTITIES)


def test_page_says_how_many_series_an_application_has_at_most() -> None:
    private = CollectorRegistry()
    metrics = InferenceMetrics("desktop", registry=private)
    metrics.report(**{row.target_key: 1.0 for row in QUANTITIES.values()})
    series = sum(len(family.samples) for family in private.collect())
    assert cardinality()["an application that tracks its inferences"] == series
