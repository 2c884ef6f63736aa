"""Which PPK2 is meant, what a bench without it is told, and a real port read in real time."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import time
import tty
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import ppk2_words
import pytest
from ppk2_api.ppk2_api import PPK2_API
from serial.tools import list_ports

from pytest_lan_hil.instruments import open_analyzer, ppk2_open, ppk2_port
from pytest_lan_hil.model.errors import InputError, InstrumentError


def listed(device, number, *, product="PPK2", location="1-2:1.1"):
    return SimpleNamespace(device=device, serial_number=number, product=product, location=location)


@pytest.fixture
def attach(monkeypatch):
    def attach(*ports):
        monkeypatch.setattr(list_ports, "comports", lambda *a, **k: list(ports))

    return attach


LIMIT_S = 20


def until(condition):
    """However busy this machine is."""
    end = time.monotonic() + LIMIT_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


class Ppk2OnAPty(threading.Thread):
    """Answers a PPK2's commands on a pty, and sends words when it is told to.

    Attributes:
        device: The port.
        commands: Every byte that it was sent.
        pieces: What it sends after a start, each in one write.
        pause_s: Between the pieces.
        sent: Set once all pieces are written.
    """

    def __init__(self, *, answer=None, pieces=(), pause_s=0.0):
        super().__init__(daemon=True)
        self._own, other = pty.openpty()
        tty.setraw(other, termios.TCSANOW)
        self._other = other
        self._plugged = True
        self.device = os.ttyname(other)
        self.commands = b""
        self.answer = ppk2_words.metadata() if answer is None else answer
        self.pieces = pieces
        self.pause_s = pause_s
        self.sent = threading.Event()
        self.start()

    def run(self):
        try:
            while self._plugged:
                if not select.select([self._own], [], [], 0.02)[0]:
                    continue
                data = os.read(self._own, 64)
                self.commands += data
                if 0x19 in data:
                    os.write(self._own, self.answer)
                if 0x06 in data:
                    for piece in self.pieces:
                        os.write(self._own, piece)
                        time.sleep(self.pause_s)
                    self.sent.set()
        except OSError:
            return

    def wait_drained(self):
        """Until all that it sent has been read on the other side."""
        assert self.sent.wait(LIMIT_S)
        until(lambda: struct.unpack("i", fcntl.ioctl(self._other, termios.FIONREAD, b"\0" * 4))[0] == 0)

    def unplug(self):
        # Once only, and not before the thread has let go of its end: the numbers are used again.
        if not self._plugged:
            return
        self._plugged = False
        self.join(LIMIT_S)
        assert not self.is_alive()
        os.close(self._other)
        os.close(self._own)


@pytest.fixture
def on_pty(attach):
    made = []

    def on_pty(**options):
        made.append(Ppk2OnAPty(**options))
        attach(listed(made[-1].device, "ABCD1234"))
        return made[-1]

    yield on_pty
    for one in made:
        one.unplug()


def test_none_attached_says_so(attach):
    attach(listed("/dev/ttyACM9", "000683", product="J-Link"))
    with pytest.raises(InstrumentError, match="want exactly one PPK2, attached: none"):
        open_analyzer("ppk2:", markers={}, supply_v=3.0)


def test_two_attached_are_listed_with_their_serial_numbers(attach):
    attach(listed("/dev/ttyACM1", "BBBB2222"), listed("/dev/ttyACM0", "AAAA1111"))
    with pytest.raises(
        InstrumentError, match=r"AAAA1111 \(/dev/ttyACM0\), BBBB2222 \(/dev/ttyACM1\)"
    ) as caught:
        open_analyzer("ppk2:", markers={}, supply_v=3.0)
    assert 'analyzer = "ppk2:AAAA1111"' in caught.value.fix
    with pytest.raises(InstrumentError, match="want PPK2 CCCC"):
        open_analyzer("ppk2:CCCC", markers={}, supply_v=3.0)


def test_the_shell_port_of_newer_firmware_is_no_second_device(attach, monkeypatch):
    attach(
        listed("/dev/ttyACM1", "AAAA1111", location="1-2:1.3"),
        listed("/dev/ttyACM0", "AAAA1111", location="1-2:1.1"),
    )
    assert [str(one) for one in ppk2_port.attached()] == ["AAAA1111 (/dev/ttyACM0)"]
    # Later versions of the package list pairs.
    monkeypatch.setattr(PPK2_API, "list_devices", staticmethod(lambda: [("/dev/ttyACM0", "AAAA1111")]))
    assert [one.device for one in ppk2_port.attached()] == ["/dev/ttyACM0"]


@pytest.mark.parametrize(
    ("uri", "markers", "supply_v", "message"),
    [
        ("ppk2:?mode=both", {}, 3.0, "no mode 'both'"),
        ("ppk2:?keep_on=yes", {}, 3.0, "keep_on=yes is not a choice"),
        ("ppk2:?supply_mv=700", {}, 3.0, "can't supply or assume 700 mV"),
        ("ppk2:?supply_mv=3.0", {}, 3.0, "can't supply or assume 3.0 mV"),
        ("ppk2:", {}, 12.0, "can't supply or assume 12000 mV"),
        ("ppk2:", {}, None, "neither the board nor the URI says the supply voltage"),
        ("ppk2:?d0=P0.13", {}, 3.0, "no option 'd0'"),
        ("ppk2:", {"inference": "d8"}, 3.0, "wired to 'd8', which a PPK2 does not have"),
        ("ppk2:", {"inference": "d1", "phase": "d1"}, 3.0, "both wired to d1"),
        ("ppk2+imaginary:x", {}, 3.0, "no PPK2 port 'imaginary'"),
    ],
)
def test_what_can_not_be_meant_is_refused(attach, uri, markers, supply_v, message):
    attach()
    with pytest.raises(InputError, match=message):
        open_analyzer(uri, markers=markers, supply_v=supply_v)


def test_without_the_package_the_extra_to_install_is_named(attach, monkeypatch):
    attach()
    monkeypatch.setitem(sys.modules, "ppk2_api.ppk2_api", None)  # makes its import fail
    with pytest.raises(InstrumentError, match="ppk2-api package is not installed") as caught:
        open_analyzer("ppk2:", markers={}, supply_v=3.0)
    assert 'pip install "pytest-lan-hil[ppk2]"' in caught.value.fix


def test_a_port_that_another_program_has_is_refused_with_its_name(on_pty):
    port = on_pty()
    program = "import sys, time; f = open(sys.argv[1]); print('ready', flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", program, port.device], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "ready\n"
        with pytest.raises(InstrumentError, match=rf"in use by \S+ \(process {other.pid}\)"):
            open_analyzer("ppk2:", markers={}, supply_v=3.0)
    finally:
        other.kill()
        other.communicate()


def test_a_port_is_not_shared_with_another_part_of_this_program(on_pty):
    port = on_pty()
    analyzer = open_analyzer(f"ppk2:{port.device}", markers={}, supply_v=3.0)
    with pytest.raises(InstrumentError, match=f"opening the port {port.device}"):
        open_analyzer("ppk2:ABCD", markers={}, supply_v=3.0)
    analyzer.close()


def test_mode_voltage_and_output_are_set_and_the_output_is_switched_off_again(on_pty):
    port = on_pty()
    analyzer = open_analyzer("ppk2:?mode=source&supply_mv=1800", markers={}, supply_v=3.0)
    assert str(analyzer.identity) == "Nordic PPK2 ABCD1234"
    assert analyzer.identity.version == "hardware 49625"
    analyzer.close()
    source, volts, on, off = bytes([17, 2]), bytes([13, 1800 // 256, 1800 % 256]), b"\x0c\x01", b"\x0c\x00"
    until(lambda: port.commands.endswith(source + volts + on + off))


@pytest.mark.parametrize("answer", [b"", ppk2_words.metadata(leave_out=("GS2",)), b"\xff\xfe END"])
def test_a_calibration_that_is_not_whole_is_no_calibration(on_pty, answer, monkeypatch):
    monkeypatch.setattr(ppk2_open, "_METADATA_ATTEMPTS", 1)
    on_pty(answer=answer)
    with pytest.raises(InstrumentError, match=r"for its calibration: (none|without GS2)"):
        open_analyzer("ppk2:", markers={}, supply_v=3.0)


def test_a_stream_is_recorded_in_real_time_however_its_words_are_cut_up(on_pty):
    words = ppk2_words.words(np.full(40_000, 2000), 2, lines=np.arange(40_000) // 100 % 2 << 5)
    data = words.astype("<u4").tobytes()
    cuts = [0, *range(997, len(data), 1999), len(data)]
    port = on_pty(pieces=[data[a:b] for a, b in pairwise(cuts)], pause_s=0.0045)
    analyzer = open_analyzer("ppk2:", markers={"phase": "d5"}, supply_v=3.0)
    analyzer.start()
    port.wait_drained()
    capture = analyzer.stop()
    analyzer.close()
    assert capture.complete
    # The last samples may have come after the time that was asked for; nothing is lost or doubled.
    assert 30_000 < capture.count <= 40_000
    level = np.unpackbits(capture.markers["phase"].bits, bitorder="little")[: capture.count]
    assert np.array_equal(level, np.arange(capture.count) // 100 % 2)
    assert np.ptp(capture.current_a) == 0


def test_a_port_that_goes_away_leaves_an_incomplete_record(on_pty):
    data = ppk2_words.words(np.full(2000, 2000), 2).astype("<u4").tobytes()
    port = on_pty(pieces=[data[at : at + 1000] for at in range(0, len(data), 1000)])
    analyzer = open_analyzer("ppk2:", markers={}, supply_v=3.0)
    analyzer.start()
    port.wait_drained()
    port.unplug()
    time.sleep(0.2)
    capture = analyzer.stop()
    assert capture.count == 2000
    assert not capture.complete
    with pytest.raises(InstrumentError, match="unplugged"):
        analyzer.start()
    analyzer.close()


def test_a_ppk2_that_sends_nothing_gives_an_incomplete_record_without_samples(on_pty):
    on_pty()
    analyzer = open_analyzer("ppk2:", markers={}, supply_v=3.0)
    analyzer.start()
    time.sleep(0.3)
    capture = analyzer.stop()
    analyzer.close()
    assert (capture.count, capture.complete, capture.start_s) == (0, False, None)
    assert any("sent samples for 0.000 s" in note for note in capture.notes)
