"""Devices behind pseudo terminals: pulled out, put back, damaged, silent, in the way of each other."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from field_devices import READY, FieldDevice
from metrics_blocks import a_block, console_line, frame

from pytest_lan_hil.config import Board
from pytest_lan_hil.dut.metrics_frame import Block, Defect
from pytest_lan_hil.publish.device_metrics_fleet import DeviceView, Failure
from pytest_lan_hil.run.monitor.exporter import Exporter, status
from pytest_lan_hil.run.monitor.inventory import Device
from pytest_lan_hil.run.monitor.link import Link, is_simulated
from pytest_lan_hil.run.monitor.reader import Claims

BOARD = Board(name="b", target="x", title="Board B")
EVERY_S = 0.05
LIMIT_S = 10.0


def a_device(path: Path, **changes: object) -> Device:
    return Device(**{"id": path.name, "board": "b", "port": str(path), **changes})


@contextmanager
def exporting(*devices: Device, stale_after_s: float = 1.0) -> Iterator[Exporter]:
    with Exporter(devices, {"b": BOARD}, every_s=EVERY_S, stale_after_s=stale_after_s) as exporter:
        yield exporter


def wait_for(exporter: Exporter, wanted: Callable[[DeviceView], bool], index: int = 0) -> DeviceView:
    stop = time.monotonic() + LIMIT_S
    while time.monotonic() < stop:
        view = exporter.views()[index]
        if wanted(view):
            return view
        time.sleep(0.01)
    raise AssertionError(f"never so in {LIMIT_S:g} s: {exporter.views()[index]}")


def test_a_device_that_answers_is_up_with_its_data_its_age_and_its_facts(tmp_path: Path) -> None:
    with FieldDevice(tmp_path / "d"), exporting(a_device(tmp_path / "d")) as exporter:
        view = wait_for(exporter, lambda view: view.up and bool(view.facts.build))
    assert view.samples["lan_frames"][0].value == 313
    assert view.last_seen_s is not None
    assert abs(view.last_seen_s - time.time()) < LIMIT_S
    assert view.facts.title == "Board B"
    assert view.facts.cycle_hz == 64_000_000
    assert view.facts.build == "git=abc,image=def,version=1.2"
    assert not view.labels.simulated


def test_pulled_out_it_is_down_at_once_without_data_and_put_back_it_is_up_again(tmp_path: Path) -> None:
    with (
        FieldDevice(tmp_path / "d") as fake,
        exporting(a_device(tmp_path / "d"), stale_after_s=60) as exporter,
    ):
        before = wait_for(exporter, lambda view: view.up)
        fake.unplug()
        gone = wait_for(exporter, lambda view: not view.up)
        assert gone.samples == {}
        assert gone.last_seen_s is not None
        assert before.last_seen_s is not None
        assert gone.last_seen_s >= before.last_seen_s
        assert gone.failures[Failure.PORT] >= 1
        assert gone.problem
        fake.plug_in()
        back = wait_for(exporter, lambda view: view.up)
    assert back.samples["lan_frames"][0].value == 313
    assert back.last_seen_s is not None
    assert back.last_seen_s > gone.last_seen_s
    assert back.problem == ""


def test_a_device_that_is_not_there_yet_is_read_once_it_comes(tmp_path: Path) -> None:
    with exporting(a_device(tmp_path / "d")) as exporter:
        absent = wait_for(exporter, lambda view: view.failures[Failure.PORT] >= 1)
        assert absent.last_seen_s is None
        assert not absent.up
        with FieldDevice(tmp_path / "d"):
            wait_for(exporter, lambda view: view.up)


def _hex(data: bytes) -> list[str]:
    return [f"m-lnn-metrics-[{data.hex()}]", READY]


def _flipped(block: Block) -> list[str]:
    data = bytearray(frame(block))
    data[100] ^= 0x10
    return _hex(bytes(data))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        pytest.param(lambda block: _hex(frame(block)[:200]), Defect.LENGTH, id="cut"),
        pytest.param(lambda block: [console_line(block)[:300], READY], Defect.LENGTH, id="cut in its text"),
        pytest.param(_flipped, Defect.CHECKSUM, id="a bit flipped"),
        pytest.param(lambda block: _hex(b"XNNM" + frame(block)[4:]), Defect.MAGIC, id="no frame"),
        pytest.param(
            lambda block: [console_line(a_block(layout=3)), READY], Defect.LAYOUT, id="other layout"
        ),
        pytest.param(lambda block: [console_line(a_block(sequence=41)), READY], Defect.TORN, id="torn"),
        pytest.param(
            lambda block: [console_line(a_block(temperature=300_000)), READY], Defect.RANGE, id="300 degC"
        ),
        pytest.param(lambda block: [console_line(a_block(cpu=5000)), READY], Defect.RANGE, id="CPU of 500 %"),
        pytest.param(lambda block: ["m-lnn-metrics-[nan,nan]", READY], Defect.LENGTH, id="NaN"),
        pytest.param(lambda block: ["m-lnn-\xff\xfetrics-[00]", READY], Defect.LENGTH, id="garbled name"),
    ],
)
def test_a_broken_frame_is_counted_by_its_reason_and_never_told_as_data(
    tmp_path: Path, broken: Callable[[Block], list[str]], reason: Defect
) -> None:
    with FieldDevice(tmp_path / "d") as fake:
        fake.answer = broken
        with exporting(a_device(tmp_path / "d")) as exporter:
            view = wait_for(exporter, lambda view: view.rejected[reason] >= 2)
            assert {kind for kind, count in view.rejected.items() if count} == {reason}
            assert not view.up
            assert view.samples == {}
            assert view.last_seen_s is None
            assert view.problem
            fake.answer = lambda block: [console_line(block), READY]
            mended = wait_for(exporter, lambda view: view.up)
    assert mended.rejected[reason] >= 2  # a counter does not forget


def test_a_frame_that_stops_in_its_middle_is_counted_once_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    with FieldDevice(tmp_path / "d") as fake:
        fake.answer = lambda block: fake.say(console_line(block)[:300])
        with exporting(a_device(tmp_path / "d")) as exporter:
            wait_for(exporter, lambda view: view.rejected[Defect.LENGTH] >= 1)
            fake.answer = lambda block: [console_line(block), READY]
            wait_for(exporter, lambda view: view.up)
            cut = fake.asked.count("lnn metrics")
            wait_for(exporter, lambda view: fake.asked.count("lnn metrics") > cut + 2)
            assert (
                exporter.views()[0].rejected[Defect.LENGTH] <= 2
            )  # of one or two cut ones, none of a whole one


def test_the_greeting_after_a_reset_is_no_damaged_frame_and_it_is_asked_again(tmp_path: Path) -> None:
    greeting = ["m-timestamp-mode-performance", "m-init-done", READY]
    with FieldDevice(tmp_path / "d") as fake, exporting(a_device(tmp_path / "d")) as exporter:
        wait_for(exporter, lambda view: view.up)
        before = exporter.views()[0].rejected[Defect.LENGTH]
        fake.answer = lambda block: (
            greeting if fake.asked.count("lnn metrics") % 2 else [console_line(block), READY]
        )
        asked = len(fake.asked)
        wait_for(exporter, lambda view: len(fake.asked) > asked + 8)
        view = exporter.views()[0]
    assert view.up
    assert view.rejected[Defect.LENGTH] == before  # a greeting is no damaged frame: it is asked again


def test_stale_is_down_while_the_port_is_open(tmp_path: Path) -> None:
    with (
        FieldDevice(tmp_path / "d") as fake,
        exporting(a_device(tmp_path / "d"), stale_after_s=0.3) as exporter,
    ):
        up = wait_for(exporter, lambda view: view.up)
        fake.answer = lambda block: None
        stale = wait_for(exporter, lambda view: not view.up)
        assert stale.samples == {}
        assert up.last_seen_s is not None
        assert stale.last_seen_s is not None
        assert time.time() - stale.last_seen_s >= 0.3
        silent = wait_for(exporter, lambda view: view.failures[Failure.SILENT] >= 1)
        assert "no answer" in silent.problem
        fake.answer = lambda block: [console_line(block), READY]
        wait_for(exporter, lambda view: view.up)


def test_a_firmware_without_metrics_is_told_in_its_own_words(tmp_path: Path) -> None:
    with FieldDevice(tmp_path / "d") as fake:
        fake.answer = lambda block: ["e-[Unknown command: lnn metrics]", READY]
        with exporting(a_device(tmp_path / "d")) as exporter:
            view = wait_for(exporter, lambda view: view.failures[Failure.REFUSED] >= 1)
            shown = status(exporter.views(), time.time())
    assert "e-[Unknown command: lnn metrics]" in view.problem
    assert shown.startswith("DOWN d b at field, never seen: ")
    assert not any(view.rejected.values())


def test_a_device_that_starts_anew_is_read_from_its_start_and_asked_again_what_it_runs(
    tmp_path: Path,
) -> None:
    with FieldDevice(tmp_path / "d") as fake, exporting(a_device(tmp_path / "d")) as exporter:
        wait_for(exporter, lambda view: view.up and "lnn id" in fake.asked)
        fake.asked.clear()
        fake.block = a_block(uptime_ticks=32_768, frames=3)
        view = wait_for(exporter, lambda view: view.resets == 1 and "lnn id" in fake.asked)
    assert view.samples["lan_frames"][0].value == 3
    assert view.samples["lan_uptime_seconds"][0].value == 1


def test_work_is_asked_for_before_each_reading(tmp_path: Path) -> None:
    with FieldDevice(tmp_path / "d") as fake:
        with exporting(a_device(tmp_path / "d", work="lnn listen 10")) as exporter:
            wait_for(exporter, lambda view: view.up)
        assert fake.asked[:2] == ["lnn listen 10", "lnn metrics"]


def test_a_program_that_ends_is_started_anew_and_that_is_seen(tmp_path: Path) -> None:
    program = tmp_path / "dut.py"
    answers = [console_line(a_block(uptime_ticks=32_768 * up, frames=up)) for up in (1, 2)]
    program.write_text(
        "import os\n"
        f"for answer in {answers!r}:\n"
        "    while not os.read(0, 4096).endswith(b'metrics%'): os.write(1, b'm-ready\\r\\n')\n"
        "    os.write(1, answer.encode() + b'\\r\\nm-ready\\r\\n')\n",
        encoding="utf-8",
    )
    device = a_device(tmp_path / "d", port=f"exec:{sys.executable} {program}")
    with exporting(device) as exporter:
        ended = wait_for(exporter, lambda view: view.failures[Failure.PORT] >= 1)
        assert "ended with exit code 0" in ended.problem
        anew = wait_for(exporter, lambda view: view.resets >= 1)
    assert anew.last_seen_s is not None


def test_two_names_that_come_to_one_port_are_refused_and_both_named(tmp_path: Path) -> None:
    other = tmp_path / "other"
    with exporting(a_device(tmp_path / "d"), a_device(other)) as exporter, FieldDevice(tmp_path / "d"):
        wait_for(exporter, lambda view: view.up)
        other.symlink_to((tmp_path / "d").resolve())  # as udev does it for whatever was plugged in
        refused = wait_for(exporter, lambda view: "claim the same port" in view.problem, index=1)
        assert "devices d and other claim the same port" in refused.problem
        assert not refused.up
        assert exporter.views()[0].up


def test_a_port_that_another_device_has_is_not_even_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_lan_hil.run.monitor import reader

    tried: list[str] = []
    really = reader.opened

    def noted(uri: str, *, baudrate: int) -> AbstractContextManager[Link]:
        tried.append(uri)
        return really(uri, baudrate=baudrate)

    monkeypatch.setattr(reader, "opened", noted)
    other = tmp_path / "other"
    with exporting(a_device(tmp_path / "d"), a_device(other)) as exporter, FieldDevice(tmp_path / "d"):
        wait_for(exporter, lambda view: view.up)
        other.symlink_to((tmp_path / "d").resolve())
        wait_for(exporter, lambda view: "claim the same port" in view.problem, index=1)
        tried.clear()
        refused = exporter.views()[1].failures[Failure.PORT]
        wait_for(exporter, lambda view: view.failures[Failure.PORT] > refused, index=1)
    assert tried == []


def test_a_name_that_comes_to_a_port_only_when_it_is_opened_is_refused_too(tmp_path: Path) -> None:
    by_number = a_device(tmp_path / "other", port=f"serial:{tmp_path / 'd'}")
    with exporting(a_device(tmp_path / "d"), by_number) as exporter, FieldDevice(tmp_path / "d"):
        stop = time.monotonic() + LIMIT_S
        while True:
            views = exporter.views()
            refused = any("claim the same port" in view.problem for view in views)
            if refused and sorted(view.up for view in views) == [False, True]:
                break
            assert time.monotonic() < stop, views
            time.sleep(0.01)


def test_a_claim_is_given_back() -> None:
    claims = Claims()
    claims.take("/dev/x", "a")
    claims.take("/dev/x", "a")
    with pytest.raises(Exception, match="devices a and b claim the same port"):
        claims.take("/dev/x", "b")
    claims.let_go("a")
    claims.take("/dev/x", "b")


def test_an_unforeseen_fault_does_not_end_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_lan_hil.run.monitor import reader

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    with FieldDevice(tmp_path / "d"), monkeypatch.context() as patched:
        patched.setattr(reader, "samples", fail)
        with exporting(a_device(tmp_path / "d")) as exporter:
            view = wait_for(exporter, lambda view: view.failures[Failure.INTERNAL] >= 1)
            assert "ZeroDivisionError" in view.problem
            patched.undo()
            wait_for(exporter, lambda view: view.up)


def test_leaving_closes_every_port_and_ends_every_thread(tmp_path: Path) -> None:
    import threading

    with FieldDevice(tmp_path / "d"), exporting(a_device(tmp_path / "d")) as exporter:
        wait_for(exporter, lambda view: view.up)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("device ")]


def test_what_is_simulated_is_known_without_opening_it() -> None:
    assert is_simulated("virtual://nrf52840/uart0")
    assert not is_simulated("/dev/ttyACM0")
    assert not is_simulated("exec:./lan")
    assert not is_simulated("socket://127.0.0.1:1")
    assert not is_simulated("nonsense://x")
