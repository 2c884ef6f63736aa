"""A made-up run that shows every case: within, over, inconclusive, blocked, a user's own quantity."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

from pytest_lan_hil.measure.envelope import Envelope
from pytest_lan_hil.model.comparison import Arm, Comparison, Subject
from pytest_lan_hil.model.measurement import (
    Budget,
    Conditions,
    Estimate,
    Measurement,
    Outcome,
    Spread,
    Verdict,
    VerdictKind,
)
from pytest_lan_hil.model.quantities import Direction
from pytest_lan_hil.model.record import (
    ConsoleLine,
    DeviceIdentity,
    FirmwareIdentity,
    RunRecord,
    TestRecord,
)

FIRMWARE = FirmwareIdentity(
    image="firmware/prebuilt/nrf52840/lan.elf",
    sha256="3f" * 32,
    flash_sha256="a7" * 32,
    build="lan 0.1.0 git 628798f",
    proved=True,
)
QUIET = Conditions(probe="detached", console="rest", supply="measured")


def measurement(
    quantity: str,
    unit: str,
    values: tuple[float, ...],
    statistic: str,
    *,
    half: float,
    low: float | None = None,
    high: float | None = None,
    notes: tuple[str, ...] = (),
) -> Measurement:
    ordered = sorted(values)
    value = max(values) if statistic in ("p95", "max") else statistics.fmean(values)
    estimate = Estimate(
        statistic=statistic,
        value=value,
        ci95_low=value - half if low is None else low,
        ci95_high=value + half if high is None else high,
        instrument_error=half / 4,
        low=value - half if low is None else low,
        high=value + half if high is None else high,
    )
    spread = Spread(
        mean=statistics.fmean(values),
        std=statistics.stdev(values) if len(values) > 1 else 0.0,
        minimum=ordered[0],
        p50=statistics.median(ordered),
        p95=ordered[-1],
        p99=ordered[-1],
        maximum=ordered[-1],
    )
    return Measurement(
        quantity=quantity,
        unit=unit,
        n=len(values),
        values=values,
        spread=spread,
        estimate=estimate,
        lost_share=0.0,
        instrument="Joulescope JS220 virtual-1 (simulated)",
        simulated=True,
        conditions=QUIET,
        notes=notes,
    )


LATENCY = measurement("latency", "ms", (9.871, 9.874, 9.879, 9.88125), "p95", half=0.0043, high=math.inf)
POWER = measurement("power", "mW", (1.3121, 1.3088, 1.3107), "mean", half=0.0212)
ENERGY = measurement("energy", "uJ", (91.2, 91.9, 90.7, 91.4), "mean", half=1.31)
MEMORY = measurement("memory", "KB", (21.25,), "max", half=0.0)
OWN = measurement("wake words per minute", "1/min", (58.0, 60.0), "mean", half=2.5)


def verdict(
    kind: VerdictKind, found: Measurement, limit: float, reason: str, source: str = "marker"
) -> Verdict:
    budget = Budget(found.quantity, limit, found.estimate.statistic, source)
    return Verdict(kind, budget, found.unit, found.estimate, found.n, reason)


WITHIN = verdict(
    VerdictKind.WITHIN, MEMORY, 32, "max 21.25 KB is below the budget of 32 KB", "board nrf52840"
)
OVER = verdict(VerdictKind.OVER, POWER, 1.2, "even the lower end of the interval, 1.289 mW, is over 1.2 mW")
UNSURE = verdict(
    VerdictKind.INCONCLUSIVE, LATENCY, 12, "4 windows can't bound the p95 from above; 59 windows would"
)

PASSED = TestRecord(
    nodeid="tests/hil/test_memory.py::test_fits[nrf52840]",
    outcome=Outcome.PASSED,
    measurements={"memory": MEMORY, "wake words per minute": OWN},
    verdicts=(WITHIN,),
    firmware=FIRMWARE,
)
FAILED = TestRecord(
    nodeid="tests/hil/test_power.py::test_listening[nrf52840]",
    outcome=Outcome.FAILED,
    message=OVER.reason,
    measurements={"power": POWER, "energy": ENERGY},
    verdicts=(OVER,),
    firmware=FIRMWARE,
    console=(
        ConsoleLine(0.101, ">", "infer 4 0%"),
        ConsoleLine(0.143, "<", "m-infer-start-4"),
        ConsoleLine(0.19, "<", "m-results-[0.01,0.98]\x1b[2J"),
        ConsoleLine(0.1907, "<", "m-ready"),
    ),
    waveform="tests/hil/test_power.py::test_listening[nrf52840]",
)
INCONCLUSIVE = TestRecord(
    nodeid="tests/hil/test_latency.py::test_fast_enough[nrf52840]",
    outcome=Outcome.BLOCKED,
    message=UNSURE.reason,
    measurements={"latency": LATENCY},
    verdicts=(UNSURE,),
    firmware=FIRMWARE,
)
BLOCKED = TestRecord(
    nodeid="tests/hil/test_<script>alert(1)</script>.py::test_gone[nrf52840]",
    outcome=Outcome.BLOCKED,
    message="opening the console: no such port\n  fix: plug it in",
)


def comparison(
    kind: VerdictKind,
    quantity: str,
    unit: str,
    base: Arm | None,
    head: Arm | None,
    *,
    margin: float,
    half: float,
    reason: str,
    repeats: int | None = None,
) -> Comparison:
    change = head.value - base.value if base is not None and head is not None else 0.0
    return Comparison(
        subject=Subject(quantity, "tests/hil/test_compared.py::test_again"),
        kind=kind,
        unit=unit,
        statistic="mean",
        direction=Direction.LOWER,
        base=base,
        head=head,
        margin=margin,
        change=change,
        change_low=change - half,
        change_high=change + half,
        p_regressed=0.001 if kind is VerdictKind.REGRESSED else 0.4,
        p_within=0.001 if kind is VerdictKind.WITHIN else 0.4,
        p_improved=1.0,
        reason=reason,
        repeats=repeats,
    )


REGRESSED = comparison(
    VerdictKind.REGRESSED, "power", "mW", Arm(1.1021, 0.0041, 4.0, 5), Arm(1.3105, 0.0083, 6.2, 1),
    margin=0.1102, half=0.0191,
    reason="power mean is 19 % worse than the baseline: beyond the margin of 10 %",
)  # fmt: skip
HELD = comparison(
    VerdictKind.WITHIN, "memory", "KB", Arm(21.25, 0.0, math.inf, 5), Arm(21.5, 0.0, math.inf, 1),
    margin=2.125, half=0.0, reason="memory max is worse by 1.2 %, within the margin of 10 %",
)  # fmt: skip
UNDECIDED = comparison(
    VerdictKind.INCONCLUSIVE, "latency", "ms", Arm(9.7, 0.02, 4.0, 5), Arm(9.88125, math.inf, math.inf, 1),
    margin=0.97, half=math.inf,
    reason="4 windows can't bound the p95; about 3 runs would settle it", repeats=3,
)  # fmt: skip
NO_BASELINE = comparison(
    VerdictKind.INCONCLUSIVE, "energy", "uJ", None, Arm(91.3, 0.25, 3.0, 1),
    margin=0.1, half=math.inf, reason="no baseline for energy of this test\nsave one: lan-hil baseline save",
)  # fmt: skip
REPEATED = TestRecord(
    nodeid="tests/hil/test_compared.py::test_again[nrf52840]",
    outcome=Outcome.PASSED,
    measurements={"latency": LATENCY},
    firmware=FIRMWARE,
    comparisons=(UNDECIDED,),
)
COMPARED = TestRecord(
    nodeid="tests/hil/test_compared.py::test_again[nrf52840]",
    outcome=Outcome.FAILED,
    message=REGRESSED.reason,
    measurements={"latency": LATENCY, "power": POWER, "memory": MEMORY, "energy": ENERGY},
    firmware=FIRMWARE,
    comparisons=(UNDECIDED, REGRESSED, HELD, NO_BASELINE),
)

RECORD = RunRecord(
    run_id="20261124T050000-nrf52840-0a1b2c",
    started_at="2026-11-24T05:00:00Z",
    finished_at="2026-11-24T05:00:42.500000Z",
    board="nrf52840",
    bench="virtual",
    simulated=True,
    job="lan_hil",
    outcome=Outcome.FAILED,
    git_commit="628798f0c0ffee00628798f0c0ffee00628798f0",
    git_dirty=True,
    devices=(
        DeviceIdentity("probe", "virtual:nrf52840", "Virtual debug probe", True),
        DeviceIdentity("console", "virtual://nrf52840/uart0", "Virtual serial port", True),
        DeviceIdentity(
            "analyzer",
            "joulescope+virtual:nrf52840?gpi0=P0.13",
            "Joulescope JS220 virtual-1",
            True,
            (
                "unconfirmed: current of the debug domain, 1.2 mA",
                "unconfirmed: flash cache hit ratio of the M4 model",
            ),
        ),
    ),
    tests=(PASSED, FAILED, INCONCLUSIVE, BLOCKED),
    measurements={"memory": MEMORY, "power": POWER},
    versions={"pytest-lan-hil": "0.1.0", "pyocd": "0.46.0"},
)


COMPARING = replace(
    RECORD,
    run_id="20261124T060000-nrf52840-0a1b2d",
    git_branch="main",
    tests=(REPEATED, COMPARED),
    measurements={"latency": LATENCY},
)


def waveform(points: int = 2000) -> Envelope:
    """Sleep at 3 uA, bursts of 4.8 mA while `inference` is raised, one gap of dropped samples."""
    step = 0.3 / points
    time_s = [index * step for index in range(points)]
    spans = [(0.03 + 0.07 * k, 0.0399 + 0.07 * k) for k in range(4)]
    low: list[float | None] = []
    high: list[float | None] = []
    for now in time_s:
        busy = any(start <= now < stop for start, stop in spans)
        ripple = 2e-4 * math.sin(now * 9000)
        low.append(4.6e-3 + ripple if busy else 1e-6)
        high.append(5.1e-3 + ripple if busy else 6e-6)
        if 0.2 <= now < 0.204:
            low[-1] = high[-1] = None
    return Envelope(
        time_s=time_s,
        step_s=step,
        current_min_a=low,
        current_max_a=high,
        voltage_min_v=[3.0] * points,
        voltage_max_v=[3.0] * points,
        markers={"inference": spans, "phase": [(0.01, 0.29)]},
        gaps=[(0.2, 0.204)],
    )


WAVEFORMS = {FAILED.nodeid: waveform()}
