"""`virtual://` ports behave as pyserial ports whose time is the board's."""

from __future__ import annotations

import sys
import threading
import types

import pytest
import serial

from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.model.errors import BlockedError, ConsoleError, LeaseError
from pytest_lan_hil.virtual.clock import VirtualClock
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.silicon.timeline import Timeline
from pytest_lan_hil.virtual.uart_line import UartLine

TICK_HZ = 1_000_000
PORT = "virtual://nrf52840/uart0"


class Echo:
    """The chip's end: sends back what it receives, one millisecond later."""

    def __init__(self, timeline: Timeline, line: UartLine) -> None:
        self.timeline, self.line, self.baud = timeline, line, 115200
        self.heard = bytearray()

    def unnoticed(self) -> int:
        return 0

    def line_falls(self) -> None:
        pass

    def received(self, byte: int, *, framing_error: bool = False) -> None:
        self.heard.append(byte)
        at = self.timeline.now + TICK_HZ // 1000
        self.timeline.schedule(at, lambda: self.line.transmitted(byte, self.baud))


class FakeBoard:
    """A board whose chip is nothing but two UARTs; counts how often time was let pass."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.RLock()
        self.timeline = Timeline(TICK_HZ)
        self.clock = VirtualClock(lambda: self.timeline.now, self.advance, TICK_HZ)
        self.uarts = {name: UartLine(self.timeline, Faults()) for name in ("uart0", "uart1")}
        for line in self.uarts.values():
            line.receiver = Echo(self.timeline, line)
        self.uart0 = self.uarts["uart0"]
        self.chip = self.uart0.receiver
        self.users = 0
        self.looks = 0
        self.broken: BlockedError | None = None

    def advance(self, ticks: int) -> None:
        target = self.timeline.now + ticks
        with self.lock:
            if self.broken is not None:
                raise self.broken
            while (at := self.timeline.next_at()) is not None and at <= target:
                self.timeline.advance_to(at)
                self.timeline.run_due()
            self.timeline.advance_to(target)

    def advance_until(self, done, limit_s: float) -> bool:
        limit = self.timeline.now + self.timeline.ticks(limit_s)
        while not done():
            if self.timeline.now >= limit:
                return False
            self.looks += 1
            self.advance(min(TICK_HZ // 1000, limit - self.timeline.now))
        return True

    def sends(self, data: bytes, at_s: float = 0.0) -> None:
        """The chip transmits `data` at a virtual time."""
        for byte in data:
            self.timeline.schedule(
                self.timeline.ticks(at_s), lambda value=byte: self.uart0.transmitted(value, self.chip.baud)
            )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeBoard:
    """The fake board takes the place of the real one, below the name check."""
    fake = FakeBoard("nrf52840")

    def acquire(name: str) -> FakeBoard:
        fake.users += 1
        return fake

    def release(released: FakeBoard) -> None:
        released.users -= 1

    module = types.SimpleNamespace(acquire=acquire, release=release)
    monkeypatch.setitem(sys.modules, "pytest_lan_hil.virtual.board", module)
    monkeypatch.setattr(
        serial,
        "protocol_handler_packages",
        [*serial.protocol_handler_packages, "pytest_lan_hil.virtual.serial"],
    )
    return fake


@pytest.fixture
def port(fake: FakeBoard):
    with serial.serial_for_url(PORT, baudrate=115200, timeout=1.0) as port:
        yield port


def test_pyserial_finds_the_port_by_its_url_and_the_harness_what_it_asks_for(port, fake) -> None:
    assert port.simulated is True
    assert port.clock is fake.clock
    assert "virtual nRF52840" in port.description
    assert port.baudrate == 115200
    assert fake.users == 1
    port.close()
    port.close()
    assert fake.users == 0


def test_read_lets_time_pass_until_the_byte_is_there(port, fake) -> None:
    fake.sends(b"x", at_s=0.0305)
    assert port.read(1) == b"x"
    assert 0.0305 <= fake.clock.monotonic() <= 0.0315


def test_read_returns_what_came_once_the_timeout_is_over_in_virtual_time(port, fake) -> None:
    fake.sends(b"ab", at_s=0.2)
    assert port.read(3) == b"ab"
    assert fake.clock.monotonic() == pytest.approx(1.0)


def test_looking_at_and_taking_what_is_there_takes_no_time(port, fake) -> None:
    fake.sends(b"hello", at_s=0.01)
    fake.clock.sleep(0.02)
    assert port.in_waiting == 5
    assert port.read(3) == b"hel"
    assert port.read(port.in_waiting) == b"lo"
    port.timeout = 0
    assert port.read(10) == b""
    assert port.in_waiting == 0
    assert fake.clock.monotonic() == pytest.approx(0.02)
    assert fake.looks == 0


def test_written_bytes_travel_at_the_line_rate_while_time_passes(port, fake) -> None:
    assert port.write(bytearray(b"0123456789")) == 10
    assert (port.out_waiting, fake.clock.monotonic()) == (10, 0.0)
    fake.clock.sleep(4.5 * 10 / 115200)
    assert bytes(fake.chip.heard) == b"0123"
    assert port.out_waiting == 6
    port.flush()
    assert bytes(fake.chip.heard) == b"0123456789"
    assert fake.clock.monotonic() == pytest.approx(100 / 115200, abs=2e-5)
    assert port.read(10) == b"0123456789"


def test_output_that_has_not_left_can_be_taken_back(port, fake) -> None:
    port.write(b"0123456789")
    fake.clock.sleep(1.5 * 10 / 115200)
    port.reset_output_buffer()
    assert port.out_waiting == 0
    port.write(b"z")
    fake.clock.sleep(0.01)
    assert bytes(fake.chip.heard) == b"0z"


def test_text_is_not_bytes(port) -> None:
    with pytest.raises(TypeError):
        port.write("text")


def test_what_was_sent_before_the_port_opened_is_lost_as_on_a_real_adapter(fake) -> None:
    fake.sends(b"early")
    fake.clock.sleep(0.01)
    with serial.serial_for_url(PORT, baudrate=115200, timeout=0.1) as port:
        assert port.in_waiting == 0
        fake.sends(b"late", at_s=0.02)
        fake.clock.sleep(0.05)
        assert port.in_waiting == 4
        port.reset_input_buffer()
        assert port.read(1) == b""


def test_the_wrong_baud_rate_reads_garbage_until_it_is_corrected(port, fake) -> None:
    port.baudrate = 9600
    fake.sends(b"A", at_s=0.01)
    assert port.read(1) not in (b"A", b"")
    port.baudrate = 115200
    fake.sends(b"A", at_s=0.1)
    assert port.read(1) == b"A"


def test_modem_lines_are_kept(fake) -> None:
    port = serial.serial_for_url(PORT, do_not_open=True)
    port.dtr, port.rts = False, True
    port.open()
    assert (port.dtr, port.rts) == (False, True)
    port.dtr = True
    assert port.dtr is True
    assert (port.cts, port.dsr, port.cd, port.ri) == (True, True, True, False)
    port.close()


def test_faults_of_the_url_reach_the_line(fake) -> None:
    url = PORT + "?fault=console_garbage%400.5%3A16"
    with serial.serial_for_url(url, baudrate=115200, timeout=0.4) as port:
        assert port.read(1) == b""
        assert len(port.read(16)) == 16


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("virtual://nrf52840/uart7", r"UART 'uart7'.*virtual://nrf52840/uart0"),
        ("virtual://nrf52840", r"UART ''"),
        ("virtual://esp32/uart0", r"no virtual board 'esp32'\s.*nrf52840"),
        (PORT + "?speed=9", r"option 'speed'.*fault="),
        (PORT + "?fault=gremlins", r"fault 'gremlins'"),
    ],
)
def test_a_port_that_does_not_exist_says_what_does(fake, url: str, says: str) -> None:
    with pytest.raises(serial.SerialException, match="(?s)" + says):
        serial.serial_for_url(url, baudrate=115200)
    assert fake.users == 0


@pytest.mark.parametrize(
    "settings", [{"parity": "E"}, {"bytesize": 7}, {"stopbits": 2}, {"rtscts": True}, {"baudrate": 0}]
)
def test_settings_that_the_line_lacks_are_refused(fake, settings) -> None:
    with pytest.raises(ValueError, match="virtual"):
        serial.serial_for_url(PORT, **settings)
    assert fake.users == 0


def test_a_board_that_another_process_holds_is_a_serial_error(fake, monkeypatch) -> None:
    def acquire(name: str) -> None:
        raise LeaseError("the virtual fake is in use by process 1", fix="wait for it")

    monkeypatch.setattr(sys.modules["pytest_lan_hil.virtual.board"], "acquire", acquire)
    with pytest.raises(serial.SerialException, match=r"in use by process 1\s.*wait for it"):
        serial.serial_for_url(PORT)


def test_a_closed_port_says_so(port) -> None:
    port.close()
    for use in (
        lambda: port.read(1),
        lambda: port.write(b"x"),
        lambda: port.in_waiting,
        lambda: port.clock,
        port.flush,
        port.reset_input_buffer,
    ):
        with pytest.raises(serial.SerialException, match="not open"):
            use()


def test_a_break_is_refused_and_not_ignored(port) -> None:
    with pytest.raises(serial.SerialException, match="break"):
        port.send_break()
    with pytest.raises(serial.SerialException, match="break"):
        port.break_condition = True


def test_an_endless_read_ends_when_it_is_cancelled(port, fake) -> None:
    port.timeout = None
    fake.timeline.schedule(3 * TICK_HZ, port.cancel_read)
    assert port.read(1) == b""
    assert 3.0 <= fake.clock.monotonic() <= 3.2


def test_what_breaks_the_simulation_comes_out_of_the_read_with_its_own_text(port, fake) -> None:
    fake.broken = BlockedError("unmodelled access: 4-byte read of RADIO.STATE")
    with pytest.raises(BlockedError, match=r"RADIO\.STATE"):
        port.read(1)


def test_the_console_talks_through_it(fake) -> None:
    with Console.open(PORT, baudrate=115200) as console:
        assert console.simulated
        fake.sends(b"m-ready\r\n", at_s=0.3)
        console.expect("m-ready", timeout_s=1.0)
        console.write("name%\r\n")
        assert console.expect("name%", timeout_s=1.0)
        assert 0.3 < fake.clock.monotonic() < 0.4


def test_a_console_that_stays_silent_gives_up_after_its_time_and_not_the_wall_clocks(fake) -> None:
    with Console.open(PORT, baudrate=115200) as console:
        from pytest_lan_hil.model.errors import DutTimeout

        with pytest.raises(DutTimeout):
            console.expect("anything", timeout_s=60.0)
        assert fake.clock.monotonic() == pytest.approx(60.0, abs=0.1)


def test_the_harness_names_the_virtual_port_that_it_can_not_open(fake) -> None:
    with pytest.raises(ConsoleError, match=r"uart9.*virtual://nrf52840/uart0"):
        Console.open("virtual://nrf52840/uart9", baudrate=115200)
