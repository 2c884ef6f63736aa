"""What this firmware records in its metrics, asked over its console; and its main loop."""

from __future__ import annotations

import zlib

import pytest
from firmware_host import HostConsole

from pytest_lan_hil.dut.metrics_frame import parse_line
from pytest_lan_hil.dut.metrics_values import DeviceMetrics

TICK_HZ = 32_768
FRAME_BYTES = 512


def metrics(host: HostConsole) -> DeviceMetrics:
    (line,) = host.ask("lnn metrics")
    return parse_line(line)


def test_before_any_audio_only_what_is_counted_and_the_clock_are_known(host: HostConsole) -> None:
    host.ask("infer 1 0")  # lets time pass
    host.start()
    known = metrics(host)
    assert (known.dropped, known.errors, known.frames, known.latency) == (0, 0, None, None)
    unknown = (known.temperature_degc, known.memory_used, known.memory_available, known.flash_used)
    assert (*unknown, known.battery_h, known.battery_v, known.accuracy, known.power) == (None,) * 8
    assert known.uptime_s == pytest.approx(200 / TICK_HZ, abs=0.1)
    assert known.features is not None
    assert known.features.n == 0
    assert sum(known.features.training) == pytest.approx(1, abs=1e-5)


def test_every_inference_has_its_latency_by_the_cycle_counter_and_a_confidence(host: HostConsole) -> None:
    host.frame_takes(400)
    host.ask("infer 7 3")
    known = metrics(host)
    assert known.latency is not None
    assert known.confidence is not None
    assert known.features is not None
    assert known.latency.n == known.confidence.n == known.features.n == known.frames == 7  # no warm-ups
    assert known.latency.mean_ms == pytest.approx(400 / TICK_HZ * 1e3, rel=1e-4)
    results = [float(value) for value in host.ask("results")[0][len("m-results-[") : -1].split(",")]
    assert known.confidence.last_percent == pytest.approx(100 * max(results), abs=0.1001)


def test_a_frame_that_the_gate_keeps_shut_is_a_frame_and_no_inference(host: HostConsole) -> None:
    host.shut_gate()
    host.ask("lnn listen 320")
    known = metrics(host)
    assert (known.frames, known.latency, known.confidence) == (10, None, None)


def test_frames_that_come_too_late_are_dropped_ones(host: HostConsole) -> None:
    host.frame_takes(TICK_HZ * 40 // 1000)
    host.ask("infer 5 0")
    overruns = int(host.ask("lnn status")[0].split("overruns=")[1].split(",")[0])
    known = metrics(host)
    assert overruns > 0
    assert (known.dropped, known.frames) == (overruns, 5)


def test_utilisation_is_the_share_of_time_awake_since_the_last_reading(host: HostConsole) -> None:
    metrics(host)
    host.frame_takes(TICK_HZ * 8 // 1000)
    host.ask("lnn listen 3200")
    assert metrics(host).cpu_percent == pytest.approx(25, abs=0.5)
    assert metrics(host).cpu_percent == pytest.approx(25, abs=0.5)  # no time has passed: nothing new


def test_the_temperature_is_read_anew_at_each_reading(host: HostConsole) -> None:
    for millidegrees in (21_500, -4_250):
        host.warm_to(millidegrees)
        assert metrics(host).temperature_degc == millidegrees / 1000


def test_memory_and_flash_are_known_where_the_port_knows_them(host: HostConsole) -> None:
    host.fills(memory=(20_000, 242_144), flash=(70_000, 1 << 20))
    known = metrics(host)
    assert (known.memory_used, known.memory_available) == (20_000, 242_144)
    assert (known.flash_used, known.flash_size) == (70_000, 1 << 20)
    host.start()
    host.fills(memory=(4_000_000, 0))  # a process: what is left is not its own, and it has no flash
    known = metrics(host)
    assert (known.memory_used, known.memory_available, known.flash_used) == (4_000_000, None, None)


def test_starts_that_lie_behind_the_end_of_listening_are_not_lost(host: HostConsole) -> None:
    host.frame_takes(TICK_HZ * 150 // 1000)
    host.ask("lnn listen 64")
    assert (metrics(host).frames, metrics(host).dropped) == (1, 1)


def test_receptions_that_go_wrong_are_errors_and_lost_audio_is_dropped(host: HostConsole) -> None:
    host.lose_bytes()
    host.ask("name")
    assert (metrics(host).errors, metrics(host).dropped) == (1, 0)
    host.ask("lnn hear start")
    raw = bytes(3 * FRAME_BYTES)
    host.receives(raw)
    host.ask(f"lnn hear {len(raw)} {zlib.crc32(raw) ^ 1:08x}")
    assert (metrics(host).errors, metrics(host).dropped) == (2, 3)


def test_audio_that_is_heard_counts_like_audio_that_is_listened_to(host: HostConsole) -> None:
    host.ask("lnn hear start")
    raw = bytes(4 * FRAME_BYTES)
    host.receives(raw)
    host.ask(f"lnn hear {len(raw)} {zlib.crc32(raw):08x}")
    assert metrics(host).frames == 4


def test_listening_in_pieces_hears_what_listening_at_once_hears(host: HostConsole) -> None:
    host.ask("lnn listen 960")
    whole = host.heard(30, FRAME_BYTES // 2)
    host.ask("infer 1 0")  # in between, from the beginning
    again = host.heard(1, FRAME_BYTES // 2)
    host.ask("lnn listen 320")
    later = host.heard(10, FRAME_BYTES // 2)
    assert (again[0] == whole[0]).all()
    assert not (later[0] == whole[0]).all()
    fresh = [tuple(frame) for frame in (*whole, *later)]
    assert len(set(fresh)) == 40


def test_the_main_loop_greets_and_runs_what_is_typed(host: HostConsole) -> None:
    lines = host.run_app("name%")
    assert lines[0] == "m-timestamp-mode-performance"
    assert lines[-4:] == ["m-init-done", "m-ready", "m-name-dut-[lan-host]", "m-ready"]


def test_the_main_loop_asks_for_losses_before_it_takes_the_byte_behind_them(host: HostConsole) -> None:
    host.loses(3)
    assert host.run_app("name%name%")[-4:] == [
        "e-[Bytes lost on reception]", "m-ready", "m-name-dut-[lan-host]", "m-ready",
    ]  # fmt: skip


def test_help_names_every_command(host: HostConsole) -> None:
    text = "\n".join(host.ask("help"))
    for command in (
        "name",
        "profile",
        "timestamp",
        "db",
        "infer",
        "results",
        "lnn",
        "metrics",
        "hear",
        "labels",
    ):
        assert command in text, command
