"""The console keeps every byte in order with its time, waits with limits, and ends in every state."""

from __future__ import annotations

import os
import threading
import time
import tty
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
import serial

from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.model.errors import ConsoleError, DutTimeout

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs pseudo terminals")


class Pty:
    """A serial cable: `far` is the DUT's end."""

    def __init__(self) -> None:
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        self.uri = os.ttyname(self._near)

    def send(self, data: bytes) -> None:
        os.write(self.far, data)

    def unplug(self) -> None:
        os.close(self._near)
        os.close(self.far)


@pytest.fixture
def cable() -> Pty:
    return Pty()


@pytest.fixture
def console(cable: Pty) -> Iterator[Console]:
    with Console.open(cable.uri, baudrate=115200) as opened:
        yield opened


def until(condition, limit_s: float = 5.0) -> None:
    stop = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < stop, "never became true"
        time.sleep(0.005)


def texts(console: Console) -> list[tuple[str, str]]:
    return [(line.direction, line.text) for line in console.lines]


def test_lines_are_kept_though_nobody_waits_for_them(cable: Pty, console: Console) -> None:
    cable.send(b"one\r\ntwo\r\n")
    until(lambda: len(console._lines) == 2)  # not through `lines`, which reads itself
    assert texts(console) == [("<", "one"), ("<", "two")]


def test_more_than_a_driver_buffer_is_not_lost_while_nobody_reads(cable: Pty, console: Console) -> None:
    expected = [f"line {n:05d}" for n in range(2000)]
    cable.send("".join(line + "\n" for line in expected).encode())
    until(lambda: console.bytes_received >= 22000)
    assert [line.text for line in console.lines] == expected


def test_expect_finds_a_line_that_comes_later(cable: Pty, console: Console) -> None:
    threading.Timer(0.1, cable.send, [b"noise\nm-lap-us-123\n"]).start()
    match = console.expect(r"m-lap-us-(\d+)", timeout_s=5)
    assert match.group(1) == "123"


def test_expect_sees_what_another_reader_consumed(cable: Pty, console: Console) -> None:
    helper = console.cursor()
    cable.send(b"m-ready\n")
    assert helper.next_line(timeout_s=5).text == "m-ready"
    assert console.expect("m-ready", timeout_s=5)


def test_expect_moves_behind_what_it_found(cable: Pty, console: Console) -> None:
    cable.send(b"m-ready\nm-ready\n")
    console.expect("m-ready", timeout_s=5)
    console.expect("m-ready", timeout_s=5)
    with pytest.raises(DutTimeout):
        console.expect("m-ready", timeout_s=0.1)


def test_a_prompt_without_line_end_is_found_once_the_port_is_silent(cable: Pty, console: Console) -> None:
    cable.send(b"boot\nlogin: ")
    assert console.expect("login: $", timeout_s=5)
    with pytest.raises(DutTimeout):
        console.expect("login", timeout_s=0.1)
    cable.send(b"user\n")
    assert console.expect(r"\w*$", timeout_s=5).group() == "user"


def test_the_time_limit_is_kept_and_the_last_bytes_are_shown_escaped(cable: Pty, console: Console) -> None:
    cable.send(b"hello\r\n\xff\x00half")
    start = time.monotonic()
    with pytest.raises(DutTimeout) as caught:
        console.expect("never", timeout_s=0.2)
    assert 0.2 <= time.monotonic() - start < 2
    assert r"hello\n\xff\x00half" in str(caught.value)
    assert "0.2 s" in str(caught.value)


def test_a_silent_line_is_called_silent(console: Console) -> None:
    with pytest.raises(DutTimeout, match=r"not one byte came.*last bytes: \(none\)"):
        console.expect("x", timeout_s=0.05)


def test_sent_lines_stand_among_the_received_ones(cable: Pty, console: Console) -> None:
    console.write("name%")
    assert os.read(cable.far, 100) == b"name%"
    cable.send(b"m-ready\n")
    console.expect("m-ready", timeout_s=5)
    assert texts(console) == [(">", "name%"), ("<", "m-ready")]


def test_time_stamps_are_the_clocks_and_rise(cable: Pty, console: Console) -> None:
    before = console.clock.monotonic()
    cable.send(b"a\n")
    console.expect("a", timeout_s=5)
    cable.send(b"b\n")
    console.expect("b", timeout_s=5)
    first, second = (line.time_s for line in console.lines)
    assert before <= first <= second <= console.clock.monotonic()


def test_a_line_is_stamped_when_it_begins(cable: Pty, console: Console) -> None:
    cable.send(b"be")
    until(lambda: console.bytes_received == 2)
    begun = console.clock.monotonic()
    cable.send(b"gun\n")
    console.expect("begun", timeout_s=5)
    assert console.lines[0].time_s <= begun


def test_the_tail_holds_the_last_lines_and_the_unfinished_one(cable: Pty, console: Console) -> None:
    cable.send(b"".join(b"%d\n" % n for n in range(300)) + b"unfinished")
    until(lambda: console.bytes_received >= 1100)
    tail = [line.text for line in console.tail(3)]
    assert tail == ["298", "299", "unfinished"]
    assert len(console.tail()) == 200


def test_bytes_at_rest_are_known_between_any_two_times(cable: Pty, console: Console) -> None:
    clock = console.clock
    a = clock.monotonic()
    time.sleep(0.05)
    b = clock.monotonic()
    cable.send(b"x\n")
    console.expect("x", timeout_s=5)
    c = clock.monotonic()
    console.write("y")
    d = clock.monotonic()
    assert console.quiet_between(a, b)
    assert not console.quiet_between(b, c)
    assert not console.quiet_between(c, d)
    assert not console.at_rest_since(a)
    time.sleep(0.05)
    assert console.at_rest_since(clock.monotonic() - 0.01)


def test_draining_reads_on_for_the_time_asked(cable: Pty, console: Console) -> None:
    threading.Timer(0.1, cable.send, [b"late\n"]).start()
    start = time.monotonic()
    console.drain(0.3)
    assert 0.3 <= time.monotonic() - start < 2
    assert texts(console) == [("<", "late")]


def test_the_reader_ends_with_the_console(cable: Pty) -> None:
    console = Console.open(cable.uri, baudrate=115200)
    thread = console._thread
    assert thread.is_alive()
    console.close()
    console.close()
    assert not thread.is_alive()
    with pytest.raises(ConsoleError, match="closed"):
        console.expect("x", timeout_s=1)


def test_a_port_that_vanishes_is_reported_with_its_last_bytes(cable: Pty, console: Console) -> None:
    cable.send(b"last words\n")
    console.expect("last", timeout_s=5)
    cable.unplug()
    with pytest.raises(ConsoleError, match=r"broke while in use.*last words"):
        console.expect("more", timeout_s=5)
    with pytest.raises(ConsoleError):
        console.drain(1)
    console.close()
    assert not console._thread.is_alive()


def test_a_port_that_does_not_exist_is_named_and_the_others_are_listed() -> None:
    with pytest.raises(ConsoleError) as caught:
        Console.open("/dev/ttyNOWHERE7", baudrate=115200)
    assert "/dev/ttyNOWHERE7" in str(caught.value)
    assert "serial ports of this machine" in str(caught.value)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ConsoleError, match="telepathy"):
        Console.open("telepathy://board", baudrate=115200)


def test_pyserial_urls_work() -> None:
    with Console.open("loop://", baudrate=115200) as console:
        console.write("m-ready\n")
        assert console.expect("m-ready", timeout_s=5)


@pytest.mark.parametrize(
    ("query", "levels"),
    [("", (True, True)), ("?dtr=off&rts=off", (False, False)), ("?dtr=off", (False, True))],
)
def test_modem_lines_are_set_before_the_port_opens(
    cable: Pty, monkeypatch: pytest.MonkeyPatch, query: str, levels: tuple[bool, bool]
) -> None:
    seen = []
    opened = serial.Serial.open
    monkeypatch.setattr(serial.Serial, "open", lambda port: (seen.append((port.dtr, port.rts)), opened(port)))
    Console.open(cable.uri + query, baudrate=115200).close()
    assert seen == [levels]


def test_a_wrong_level_is_refused(cable: Pty) -> None:
    with pytest.raises(ConsoleError, match="dtr=maybe"):
        Console.open(cable.uri + "?dtr=maybe", baudrate=115200)


class ClockedPort:
    """A simulated port: time passes only in blocking reads; bytes come at set times."""

    simulated = True
    name = "clocked"
    baudrate = 115200
    timeout = 0.05

    def __init__(self, arrivals: list[tuple[float, bytes]]) -> None:
        self.now = 0.0
        self.clock = self
        self.arrivals = arrivals
        self.buffer = bytearray()

    def monotonic(self) -> float:
        return self.now

    @property
    def in_waiting(self) -> int:
        return len(self.buffer)

    def read(self, size: int) -> bytes:
        if not self.buffer:
            stop = self.now + self.timeout
            if self.arrivals and self.arrivals[0][0] <= stop:
                at, data = self.arrivals.pop(0)
                self.now = max(self.now, at)
                self.buffer += data
            else:
                self.now = stop
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def close(self) -> None:
        pass


def test_simulated_time_passes_only_while_somebody_waits() -> None:
    port = ClockedPort([(1000.0, b"m-ready\r\n")])
    with Console(port, "clocked://") as console:
        assert console.simulated
        time.sleep(0.1)
        assert console.clock.monotonic() == 0
        console.expect("m-ready", timeout_s=2000)
        assert console.lines[0].time_s == 1000.0
        assert console.clock.monotonic() == 1000.0


def test_simulated_time_limits_are_exact() -> None:
    with Console(ClockedPort([]), "clocked://") as console:
        with pytest.raises(DutTimeout):
            console.expect("m-ready", timeout_s=0.333)
        assert console.clock.monotonic() == pytest.approx(0.333)


def test_a_simulation_that_stands_still_is_not_waited_for_for_ever() -> None:
    port = ClockedPort([])
    port.read = lambda size: b""
    with Console(port, "clocked://") as console, pytest.raises(ConsoleError, match="clock stands still"):
        console.expect("m-ready", timeout_s=1)


class Flood:
    """A port whose device talks faster than it can be read: always more is there."""

    name, baudrate, timeout = "flood", 115200, 0.0
    in_waiting = 4096

    def read(self, size: int) -> bytes:
        return (b"noise\n" * (size // 6 + 1))[:size]

    def write(self, data: bytes) -> None:
        del data

    def close(self) -> None:
        self.in_waiting = 0


def test_a_device_that_never_stops_talking_does_not_keep_the_reader_for_ever() -> None:
    flood: Any = Flood()
    with Console(flood, "flood") as console:
        start = time.monotonic()
        lines = console.cursor().lines(timeout_s=0.3, waiting_for="m-ready")
        with pytest.raises(DutTimeout, match=r"waiting for m-ready on console flood: not seen within 0\.3 s"):
            deque(lines, maxlen=0)
        with pytest.raises(DutTimeout, match=r"'m-ready' .* not seen within 0\.3 s, [0-9]+ bytes came"):
            console.expect("m-ready", timeout_s=0.3)
        console.drain(0.1)
        assert time.monotonic() - start < 10
    assert time.monotonic() - start < 15


def test_the_limit_holds_for_all_lines_together(cable: Pty, console: Console) -> None:
    """A device that says something every now and then is not waited for anew each time."""
    over = threading.Event()

    def chatter() -> None:
        while not over.wait(0.05):
            cable.send(b"still here\n")

    talker = threading.Thread(target=chatter)
    talker.start()
    try:
        start = time.monotonic()
        lines = console.cursor().lines(timeout_s=0.4, waiting_for="m-ready")
        assert next(lines).text == "still here"
        with pytest.raises(DutTimeout, match=r"within 0\.4 s"):
            deque(lines, maxlen=0)
        assert 0.4 <= time.monotonic() - start < 2
    finally:
        over.set()
        talker.join()


def test_what_had_come_before_the_limit_is_given_though_it_is_read_late(cable: Pty, console: Console) -> None:
    lines = console.cursor().lines(timeout_s=0.1, waiting_for="m-ready")
    cable.send(b"one\ntwo\n")
    assert next(lines).text == "one"
    cable.send(b"three\n")
    time.sleep(0.2)
    assert [next(lines).text, next(lines).text] == ["two", "three"]
    with pytest.raises(DutTimeout):
        next(lines)


def test_a_remark_is_kept_between_the_lines_and_no_reader_takes_it_for_an_answer(
    cable: Pty, console: Console
) -> None:
    cursor = console.cursor()
    console.remark("flashing app.elf")
    cable.send(b"m-ready\n")
    assert cursor.next_line(timeout_s=5).text == "m-ready"
    assert texts(console) == [("#", "flashing app.elf"), ("<", "m-ready")]
    console.remark("expected m-ready")
    with pytest.raises(DutTimeout):
        console.expect("expected", timeout_s=0.05)
