"""Made-up history of benches and of devices in the field, as what publishes runs and devices would tell it.

Runs: two boards on a real and on a virtual bench, one every twelve hours, all quantities of the table, the
firmware another from run to run; one run regressed, one broke a budget, the last can't decide everything.
Devices: four of each board at two sites, a scrape a minute for the last forty, one of them slow and
often wrong. `END` is the time of the last scrape.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from metrics_blocks import HZ, a_block, frame
from prometheus_client.metrics_core import Metric
from publish_samples import RECORD, comparison, measurement, verdict

from pytest_lan_hil.dut.metrics_frame import Defect, parse_frame
from pytest_lan_hil.dut.metrics_values import DeviceMetrics
from pytest_lan_hil.model.comparison import Arm, Comparison
from pytest_lan_hil.model.measurement import Measurement, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES, Direction, Quantity
from pytest_lan_hil.model.record import FirmwareIdentity, RunRecord, TestRecord
from pytest_lan_hil.publish.device_metrics import DeviceLabels, Told, samples
from pytest_lan_hil.publish.device_metrics_fleet import DeviceView, Facts, families
from pytest_lan_hil.publish.openmetrics import openmetrics_text
from pytest_lan_hil.publish.openmetrics_history import render_history

END = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
BOARDS = ("nrf52840", "stm32f4")
BENCHES = {"desk": False, "virtual": True}
RUNS = 12
# Verdicts that are not within: run, quantity, bench, board.
ODD = {
    VerdictKind.REGRESSED: (7, "power", "desk", "nrf52840"),
    VerdictKind.OVER: (9, "energy", "virtual", "stm32f4"),
    VerdictKind.INCONCLUSIVE: (RUNS - 1, "latency", "virtual", "stm32f4"),
}
SITES = ("hall-1", "roof")
SCRAPES = 40
SCRAPE_S = 60
SLOW_DEVICE = "nrf52840-hall-1-0"
# Of each row of the table, in its display unit: what a run finds, and the board's target.
FOUND = 50.0
TARGET = {name: 80.0 if row.direction is Direction.LOWER else 40.0 for name, row in QUANTITIES.items()}


def ended(number: int) -> datetime:
    """When run `number` (0 is the first) ended."""
    return END - timedelta(hours=12) * (RUNS - 1 - number) - timedelta(minutes=1)


def runs_text() -> str:
    """OpenMetrics text of all runs."""
    return render_history(
        _run(number, board, bench) for number in range(RUNS) for board in BOARDS for bench in BENCHES
    )


def _run(number: int, board: str, bench: str) -> RunRecord:
    simulated = BENCHES[bench]
    odd = {place[1]: kind for kind, place in ODD.items() if place == (number, place[1], bench, board)}
    found = {name: _measured(row, simulated) for name, row in QUANTITIES.items()}
    failed = set(odd.values()) & {VerdictKind.REGRESSED, VerdictKind.OVER}
    test = TestRecord(
        nodeid="tests/hil/test_all.py::test_all",
        outcome=Outcome.FAILED if failed else Outcome.PASSED,
        measurements=found,
        verdicts=tuple(
            judged
            for name, one in found.items()
            for judged in _judged(one, QUANTITIES[name], _on_budget(odd.get(name)))
        ),
        comparisons=tuple(_compared(row, _on_baseline(odd.get(row.name))) for row in QUANTITIES.values()),
        firmware=FirmwareIdentity("lan.elf", f"{number:02x}" * 32, build=f"lan 0.1.0 git {number:07x}"),
    )
    at = ended(number)
    return dataclasses.replace(
        RECORD,
        run_id=f"{at:%Y%m%dT%H%M%S}-{board}-{number:06x}",
        started_at=f"{at - timedelta(seconds=40):%Y-%m-%dT%H:%M:%SZ}",
        finished_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
        board=board,
        bench=bench,
        simulated=simulated,
        outcome=test.outcome,
        tests=(test,),
        measurements=found,
    )


def _measured(row: Quantity, simulated: bool) -> Measurement:
    values = (FOUND - 1, FOUND, FOUND + 1)
    return dataclasses.replace(
        measurement(row.name, row.unit, values, row.statistic, half=0.5), simulated=simulated
    )


def _judged(found: Measurement, row: Quantity, kind: VerdictKind) -> tuple[Verdict, Verdict]:
    """By the board's target, and by a looser budget on the median."""
    first = verdict(kind, found, TARGET[row.name], "")
    looser = TARGET[row.name] * (2 if row.direction is Direction.LOWER else 0.5)
    on_median = dataclasses.replace(first.budget, statistic="p50", limit=looser)
    return first, dataclasses.replace(first, kind=VerdictKind.WITHIN, budget=on_median)


def _on_budget(kind: VerdictKind | None) -> VerdictKind:
    return kind if kind is not None and kind is not VerdictKind.REGRESSED else VerdictKind.WITHIN


def _on_baseline(kind: VerdictKind | None) -> VerdictKind:
    return kind if kind is VerdictKind.REGRESSED else VerdictKind.WITHIN


def _compared(row: Quantity, kind: VerdictKind) -> Comparison:
    made = comparison(
        kind, row.name, row.unit, Arm(FOUND - 1, 0.1, 4.0, 5), Arm(FOUND, 0.1, 4.0, 1),
        margin=5.0, half=0.2, reason="",
    )  # fmt: skip
    return dataclasses.replace(made, statistic=row.statistic, direction=row.direction)


def devices_text() -> str:
    """OpenMetrics text of all scrapes of all devices."""
    collected: dict[str, Metric] = {}
    for scrape in range(SCRAPES):
        at = END.timestamp() - SCRAPE_S * (SCRAPES - 1 - scrape)
        views = list(_views(scrape, at))
        for metric in families(views, dict.fromkeys(BOARDS, TARGET)):
            kept = collected.setdefault(metric.name, metric)
            timed = [one._replace(timestamp=at) for one in metric.samples]
            kept.samples = timed if kept is metric else [*kept.samples, *timed]
    for metric in collected.values():
        # the format asks for all points of a metric together
        metric.samples.sort(key=lambda one: sorted(item for item in one.labels.items() if item[0] != "le"))
    return openmetrics_text(collected.values())


def _views(scrape: int, at: float) -> Iterator[DeviceView]:
    for board in BOARDS:
        for site in SITES:
            for number in range(2):
                device = f"{board}-{site}-{number}"
                labels = DeviceLabels(board, site, device, simulated=True)
                told = _told(scrape, slow=device == SLOW_DEVICE)
                yield DeviceView(
                    labels,
                    up=True,
                    last_seen_s=at - 2,
                    samples=samples(labels, told),
                    facts=Facts("made up", HZ, "lan 0.1.0 git 628798f"),
                    rejected={Defect.CHECKSUM: scrape // 10},
                    resets=scrape // 50,
                )


def _told(scrape: int, *, slow: bool) -> Told:
    now, before = _reading(scrape + 5, slow=slow), _reading(scrape + 1, slow=slow)
    recent = now.since(before)
    assert recent is not None
    return Told(now, recent, now, energy_j=1e-3 * SCRAPE_S * scrape)


def _reading(age: int, *, slow: bool) -> DeviceMetrics:
    """A device that has run for `age` scrapes: ten inferences in each, of 8 or (slow) of 100 ms and more."""
    done = 10 * age
    each = HZ // 10 if slow else HZ // 125
    counts = [0] * 16
    counts[15 if slow else 7] = done
    edges_ms = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 90)
    block = a_block(
        latency_edges=[HZ // 1000 * edge for edge in edges_ms], latency_buckets=counts,
        latency_sum=done * each, latency_last=each, latency_max=each,
        uptime_ticks=32_768 * (SCRAPE_S * age + 1), frames=100 * age, dropped=age, errors=age,
        energy_sum=12_000 * done, energy_count=done, power_sum=1000 * age, power_count=age,
        labelled=20, correct=10 if slow else 19, drift_buckets=[1000 * (age + 1)] * 10,
        confidence_buckets=[0] * 9 + [done], confidence_sum=950 * done,
    )  # fmt: skip
    return parse_frame(frame(block))
