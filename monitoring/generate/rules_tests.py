"""Write the `promtool test rules` files of the cases: `python -m monitoring.generate.rules_tests`.

Each case is one story, a minute a step. The figure keeps its limit, breaks it, keeps it for a single minute,
breaks it again, and keeps it from then on. Beside it a twin changes sides too often to be told of. Stricter
limits of other boards, benches, jobs, statistics and of a simulated twin are there all the time, and must
not matter. Tests of what is not a figure against a limit are written by hand, in the same folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitoring.generate.rules import dumped
from monitoring.generate.rules_cases import DEVICES, RUNS, Case
from monitoring.generate.rules_regressions import REGRESSIONS

TESTS = Path(__file__).resolve().parents[1] / "prometheus" / "tests"
PAGES = "https://github.com/liquid-audio-nets/pytest-lan-hil/blob/main/docs/runbooks/"
_HEAD = "# Written by `python -m monitoring.generate.rules_tests`, see there for how to read it.\n"

_DEVICE = {"job": "lan_devices", "board": "nrf52840", "bench": "field", "simulated": "false"}
_RUN = {"job": "lan_hil", "board": "nrf52840", "bench": "desk", "simulated": "false"}
# Label to another value, for limits that are none of this figure's business.
_OTHERS = {"job": "other", "board": "stm32f4", "bench": "other", "simulated": "true", "statistic": "p50"}


def series(metric: str, labels: Mapping[str, str]) -> str:
    """A series as promtool reads it."""
    inner = ", ".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{metric}{{{inner}}}"


def story(kept: float, broken: float) -> str:
    """Broken from minute 10 to 19 and from 21 to 30, kept before, between and after."""
    return f"{kept:.12g}x9 {broken:.12g}x9 {kept:.12g} {broken:.12g}x9 {kept:.12g}x11"


def restless(kept: float, broken: float, minutes: int) -> str:
    """Broken for so many minutes, kept for one, over and over."""
    return " ".join([*[f"{broken:.12g}"] * minutes, f"{kept:.12g}"] * (40 // (minutes + 1)))


def _limits(case: Case, place: Mapping[str, str]) -> list[dict[str, str]]:
    own = {**place, "statistic": case.statistic}
    found = []
    if case.limit is not None:
        found.append(
            {"series": series(case.limit_metric, {**own, "instance": "a"}), "values": _always(case.limit)}
        )
    if case.stricter is not None:
        found += [
            {"series": series(case.limit_metric, {**own, label: other}), "values": _always(case.stricter)}
            for label, other in _OTHERS.items()
        ]
    return found


def _always(value: float) -> str:
    return f"{value:.12g}x42"


def _fires(case: Case, labels: Mapping[str, str], subject: str) -> list[dict[str, Any]]:
    return [
        {
            "exp_labels": {**labels, "severity": case.severity, "quantity": case.quantity},
            "exp_annotations": {
                "summary": f"{subject}: {case.told}",
                "description": case.description,
                "runbook_url": f"{PAGES}{case.alert.lower()}.md",
            },
        }
    ]


def device_test(case: Case) -> dict[str, Any]:
    """A device in the field: fires after five minutes, resolves after five good ones."""
    own = {**_DEVICE, "device": "d-1", "statistic": case.statistic}
    fires = _fires(case, {**own, "source": "device"}, "d-1 (nrf52840 at field)")
    at = {"9m": [], "14m": [], "15m": fires, "20m": fires, "35m": fires, "36m": [], "41m": []}
    figures = [
        {"series": series(case.metric, {**own, "instance": "a"}), "values": story(case.kept, case.broken)},
        {
            "series": series(case.metric, {**own, "device": "restless", "instance": "a"}),
            "values": restless(case.kept, case.broken, 4),
        },
        # A figure without a device is none of a device's.
        {
            "series": series(case.metric, {**_DEVICE, "statistic": case.statistic}),
            "values": _always(case.broken),
        },
    ]
    return _test(case, figures + _limits(case, _DEVICE), at)


def run_test(case: Case) -> dict[str, Any]:
    """A run: fires after a minute, resolves after five good ones."""
    own = {**_RUN, "statistic": case.statistic}
    fires = _fires(case, {**own, "source": "run"}, "nrf52840 on bench desk")
    at = {"9m": [], "10m": [], "11m": fires, "20m": fires, "35m": fires, "36m": [], "41m": []}
    figures = [
        {"series": series(case.metric, own), "values": story(case.kept, case.broken)},
        {
            "series": series(case.metric, {**own, "job": "restless"}),
            "values": restless(case.kept, case.broken, 1),
        },
        # A device's figure is none of a run's.
        {"series": series(case.metric, {**own, "device": "d-1"}), "values": _always(case.broken)},
    ]
    restless_limit = (
        []
        if case.limit is None
        else [
            {
                "series": series(case.limit_metric, {**own, "job": "restless"}),
                "values": _always(case.limit),
            }
        ]
    )
    return _test(case, figures + _limits(case, _RUN) + restless_limit, at)


def _test(case: Case, input_series: list[dict[str, str]], at: Mapping[str, list[Any]]) -> dict[str, Any]:
    limit = f"limit {case.limit:g}" if case.limit is not None else "no target"
    return {
        "name": f"{case.alert} {case.quantity}, {limit}",
        "interval": "1m",
        "input_series": input_series,
        "alert_rule_test": [
            {"eval_time": time, "alertname": case.alert, "exp_alerts": alerts} for time, alerts in at.items()
        ],
    }


def files() -> dict[str, str]:
    """Name of each test file to its text."""
    tests = {
        "alerts-devices": [device_test(case) for case in DEVICES],
        "alerts-runs": [run_test(case) for case in RUNS],
        "alerts-regressions": [run_test(case) for case in REGRESSIONS],
    }
    return {
        f"{name}.yml": dumped(
            {"rule_files": [f"../rules/{name}.yml"], "evaluation_interval": "1m", "tests": cases}, _HEAD
        )
        for name, cases in tests.items()
    }


def main() -> None:
    """Write them."""
    TESTS.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (TESTS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
