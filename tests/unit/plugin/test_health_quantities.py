"""Quantities from counters, from the image and derived: asked for, for free, absent, never zero."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_bench import DESK, FakeBench, Port

from pytest_lan_hil.run.bench import OpenBench

ON_DESK = (
    "--board",
    "nrf52840",
    "--bench",
    "desk",
    "-rs",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:hypothesispytest",
)


@pytest.fixture(autouse=True)
def _desk(pytester: pytest.Pytester) -> None:
    (pytester.mkdir("benches") / "desk.toml").write_text(
        DESK + '[markers]\ninference = "gpi0"\nphase = "gpi1"\n'
    )


class Firmware:
    """Counts as the real one does: time, sleep, frames. `lacking` are keys that it does not have."""

    def __init__(self, *lacking: str) -> None:
        self.lacking = lacking
        self.frames = self.overruns = 0
        self.awake_share = 0.08
        self.started_s = 100.0

    def arrange(self, opened: OpenBench) -> None:
        port: Any = opened.console._port
        port.answers["lnn status"] = lambda: [self.status(port)]
        port.answers["lnn pace 0"] = lambda: ["m-lnn-pace-[0]"]
        port.answers["infer 200 0"] = lambda: [
            "m-warmup-start-0", "m-warmup-done", "m-infer-start-200", "m-lap-us-1000000", "m-lap-us-1400000",
            "m-infer-done", "m-results-[0.25,0.75]",
        ]  # fmt: skip

    def status(self, port: Port) -> str:
        uptime_ms = round((port.clock.now - self.started_s) * 1000)
        listened_ms = sum(stop - start for start, stop in port.phases) * 1000
        counters = {
            "frames": self.frames + round(listened_ms / 32),
            "overruns": self.overruns,
            "uptime_ms": uptime_ms,
            "asleep_ms": uptime_ms - round(listened_ms * self.awake_share),
            "temperature_mc": 31_250,
        }
        told = ",".join(f"{key}={value}" for key, value in counters.items() if key not in self.lacking)
        return f"m-lnn-status-[{told}]"


def _run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile("import pytest\n\n" + source)
    return pytester.runpytest_inprocess(*(arguments or ON_DESK))


def _tests(pytester: pytest.Pytester) -> list[dict[str, Any]]:
    (path,) = pytester.path.glob(".hil/runs/*/record.json")
    tests: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["tests"]
    return tests


def test_budgets_on_counters_are_judged(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    fake_bench.arrange = Firmware().arrange
    source = """
@pytest.mark.cpu_utilisation_budget(percent=10)
@pytest.mark.dropped_frames_budget(percent=0)
@pytest.mark.temperature_budget(degc=60)
@pytest.mark.uptime_budget(s=10)
def test_listening(dut):
    dut.run_for(10)

@pytest.mark.cpu_utilisation_budget(percent=5)
def test_too_busy(dut):
    dut.run_for(10)

@pytest.mark.throughput_budget(per_s=400)
def test_back_to_back(dut):
    dut.set_pace(0)
    dut.infer(200)
"""
    _run(pytester, source).assert_outcomes(passed=2, failed=1)
    listening, too_busy, back_to_back = _tests(pytester)
    found = listening["measurements"]
    assert found["cpu_utilisation"]["estimate"]["value"] == pytest.approx(8.0, abs=0.02)
    assert found["temperature"]["values"] == [31.25, 31.25]
    assert found["temperature"]["estimate"]["instrument_error"] == 5.0  # boards/nrf52840.toml
    assert found["uptime"]["instrument"] == "the DUT's own counters"
    assert "cpu_utilisation max" in too_busy["message"]
    assert back_to_back["measurements"]["throughput"]["estimate"]["value"] == pytest.approx(500)


def test_what_comes_free_is_recorded_unasked_and_what_the_dut_lacks_is_absent(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    fake_bench.arrange = Firmware("temperature_mc").arrange
    source = """
def test_listening(dut):
    dut.run_for(5)

def test_idle(dut):
    pass
"""
    _run(pytester, source).assert_outcomes(passed=2)
    listening, idle = (set(test["measurements"]) for test in _tests(pytester))
    assert listening == {"cpu_utilisation", "dropped_frames", "uptime", "flash"}
    assert idle == {"uptime", "flash"}


def test_counters_are_read_before_and_after_the_record_and_never_in_it(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    firmware = Firmware()
    events: list[str] = []

    def arrange(opened: OpenBench) -> None:
        firmware.arrange(opened)
        analyzer, port = opened.analyzer, opened.console._port
        start, stop = analyzer.start, analyzer.stop
        analyzer.start = lambda: (events.append("start"), start())[1]
        analyzer.stop = lambda: (events.append("stop"), stop())[1]
        port.on_command = events.append

    fake_bench.arrange = arrange
    source = """
@pytest.mark.power_budget(100)
def test_listening(dut):
    dut.run_for(5)
"""
    _run(pytester, source).assert_outcomes(passed=1)
    assert events[-5:] == ["lnn status", "start", "lnn listen 5000", "stop", "lnn status"]


def test_a_quantity_that_the_dut_can_not_know_skips_with_the_reason(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    fake_bench.arrange = Firmware("temperature_mc").arrange
    source = """
@pytest.mark.temperature_budget(degc=60)
def test_temperature(dut):
    dut.run_for(5)
"""
    result = _run(pytester, source)
    result.assert_outcomes(skipped=1)
    assert "this DUT does not tell temperature_mc" in result.stdout.str()


def test_a_budget_that_is_exceeded_is_not_hidden_by_one_that_can_not_be_judged(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    fake_bench.arrange = Firmware("temperature_mc").arrange
    source = """
@pytest.mark.temperature_budget(degc=60)
@pytest.mark.power_budget(mw=0.01)
def test_both(dut):
    dut.run_for(5)
"""
    result = _run(pytester, source)
    result.assert_outcomes(failed=1)
    assert "power mean" in result.stdout.str()


def test_firmware_without_counters_is_asked_once_and_a_budget_on_them_skips(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    asked: list[str] = []
    fake_bench.arrange = lambda opened: setattr(opened.console._port, "on_command", asked.append)
    source = """
def test_a(dut):
    dut.name()

def test_b(dut):
    dut.name()

@pytest.mark.uptime_budget(s=1)
def test_uptime(dut):
    dut.name()
"""
    result = _run(pytester, source)
    result.assert_outcomes(passed=2, skipped=1)
    assert asked.count("lnn status") == 1
    assert "this firmware has no `lnn status`" in result.stdout.str()


def test_a_dut_that_was_reset_in_the_test_has_no_counters_that_count(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    firmware = Firmware()

    def arrange(opened: OpenBench) -> None:
        firmware.arrange(opened)
        port: Any = opened.console._port

        def restart() -> list[str]:
            firmware.started_s = port.clock.now
            return []

        port.answers["restart"] = restart

    fake_bench.arrange = arrange
    source = """
@pytest.mark.cpu_utilisation_budget(percent=50)
def test_reset(dut):
    dut.run_for(0.01)
    dut.command("restart")
"""
    result = _run(pytester, source)
    result.assert_outcomes(errors=1)
    assert "the DUT was reset in the measured part" in result.stdout.str()


def test_a_dut_that_fell_silent_in_the_test_is_not_asked_for_its_counters(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    firmware = Firmware()
    asked: list[str] = []

    def arrange(opened: OpenBench) -> None:
        firmware.arrange(opened)
        opened.console._port.on_command = asked.append

    fake_bench.arrange = arrange
    source = """
from pytest_lan_hil.model.errors import DutError

def test_dies(dut):
    with pytest.raises(DutError):
        dut.command("die")
"""
    _run(pytester, source).assert_outcomes(passed=1)
    assert asked[-1] == "die"


def test_throughput_at_the_pace_of_the_audio_is_a_mistake_in_the_test(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    fake_bench.arrange = Firmware().arrange
    source = """
@pytest.mark.throughput_budget(per_s=100)
def test_paced(dut):
    dut.infer(200)
"""
    result = _run(pytester, source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*bad input: a throughput_budget on a test*", "*dut.set_pace(0)*"])


@pytest.mark.parametrize(
    ("marker", "call"),
    [
        ("accuracy_budget(93.5)", "accuracy"),
        ("confidence_budget(70)", "robustness.drift"),
        ("false_positive_rate_budget(5)", "robustness.false_positives()"),
        ("drift_score_budget(0.25)", "robustness.drift"),
    ],
)
def test_a_budget_on_what_no_fixture_measured_names_the_call(
    pytester: pytest.Pytester, fake_bench: FakeBench, marker: str, call: str
) -> None:
    source = f"""
@pytest.mark.{marker}
def test_it(dut):
    dut.name()
"""
    result = _run(pytester, source)
    result.assert_outcomes(errors=1)
    assert "bad input: a " in result.stdout.str()
    assert call in result.stdout.str()


def test_a_measurement_that_a_fixture_hands_over_is_judged(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    source = """
@pytest.mark.confidence_budget(70)
def test_sure(dut, hil_metrics):
    hil_metrics.record("confidence", [80.0, 81.0] * 10)

@pytest.mark.confidence_budget(90)
def test_unsure(dut, hil_metrics):
    hil_metrics.record("confidence", [80.0, 81.0] * 10)
"""
    result = _run(pytester, source)
    result.assert_outcomes(passed=1, failed=1)
    assert "is below 90 %, the budget" in result.stdout.str()


# --- battery --------------------------------------------------------------------------------------------

BATTERY = """
@pytest.mark.battery_budget(h=24)
def test_battery(dut):
    dut.run_for(5)
"""


def test_battery_life_follows_from_the_mean_power_of_the_same_record(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    _run(pytester, BATTERY).assert_outcomes(passed=1)
    (test,) = _tests(pytester)
    power, life = test["measurements"]["power"]["estimate"], test["measurements"]["battery"]["estimate"]
    usable_mwh = 1000 * 3.0 * 0.85  # boards/nrf52840.toml
    assert life["value"] == pytest.approx(usable_mwh / power["value"])
    assert life["low"] == pytest.approx(usable_mwh / power["high"])
    assert life["high"] == pytest.approx(usable_mwh / power["low"])


def test_a_board_without_a_battery_skips_before_anything_is_flashed(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    (pytester.mkdir("boards") / "bare.toml").write_text('target = "nrf52840"\nsupply_v = 3.0\n')
    result = _run(pytester, BATTERY, "--board", "bare", *ON_DESK[2:])
    result.assert_outcomes(skipped=1)
    assert "board bare names no [battery]" in result.stdout.str()
    assert "flash" not in fake_bench.events


# --- the image ------------------------------------------------------------------------------------------


def test_flash_is_what_the_image_fills_and_needs_no_work(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    source = """
@pytest.mark.flash_budget(kb=1024)
def test_flash(dut):
    pass

@pytest.mark.flash_budget(kb=1)
def test_too_large(dut):
    pass
"""
    _run(pytester, source).assert_outcomes(passed=1, failed=1)
    found = _tests(pytester)[0]["measurements"]["flash"]
    assert found["estimate"]["low"] == found["estimate"]["high"] == pytest.approx(found["values"][0])
    assert found["unit"] == "KB"


def test_what_memory_leaves_of_the_ram_is_available(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    source = """
@pytest.mark.memory_budget(kb=32)
@pytest.mark.memory_available_budget(kb=200)
def test_memory(dut):
    dut.infer(1)

@pytest.mark.memory_available_budget(kb=255)
def test_too_little_left(dut):
    dut.infer(1)
"""
    result = _run(pytester, source)
    result.assert_outcomes(passed=1, failed=1)
    assert "is below 255 KB" in result.stdout.str()
    found = _tests(pytester)[0]["measurements"]
    used, left = (found[name]["values"][0] for name in ("memory", "memory_available"))
    assert used + left == pytest.approx(256)  # [ram] of boards/nrf52840.toml
