"""The virtual probe towards pyOCD and the harness: listing, holding, time, errors."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import types
from collections.abc import Iterator

import pytest
from pyocd.core import exceptions
from pyocd.core.session import Session
from pyocd.probe.aggregator import DebugProbeAggregator
from pyocd.probe.debug_probe import DebugProbe

from pytest_lan_hil.dut.find import find_probe
from pytest_lan_hil.dut.probe import Probe
from pytest_lan_hil.model.errors import BlockedError, LeaseError, ProbeError
from pytest_lan_hil.virtual.clock import VirtualClock
from pytest_lan_hil.virtual.probe import SimulationError, VirtualProbe, VirtualProbePlugin
from pytest_lan_hil.virtual.state import BoardState
from pytest_lan_hil.virtual.wire import TransferFault

TICK_HZ = 1_000_000


class FakePort:
    """A debug port that counts its reads, and fails when it is told to."""

    def __init__(self) -> None:
        self.reads = 0
        self.error: Exception | None = None

    def read_ap(self, ap: int, offset: int) -> int:
        if self.error is not None:
            raise self.error
        self.reads += 1
        return ap << 8 | offset

    def read_ap_block(self, ap: int, offset: int, count: int) -> list[int]:
        return [self.read_ap(ap, offset)] * count

    def write_ap(self, ap: int, offset: int, value: int) -> None:
        if self.error is not None:
            raise self.error


class FakeBoard:
    """A board with a debug port and a time that only passes."""

    tick_hz = TICK_HZ
    identity_notes = ("a figure is unconfirmed",)

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.debug_port = FakePort()
        self.now = 0
        self.clock = VirtualClock(lambda: self.now, self.advance, TICK_HZ)
        self.resets: list[tuple[bool, int]] = []
        self.users = 0
        self.broken: BlockedError | None = None

    def advance(self, ticks: int) -> None:
        if self.broken is not None:
            raise self.broken
        self.now += ticks

    def hold_pin_reset(self, *, asserted: bool) -> None:
        self.resets.append((asserted, self.now))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeBoard:
    fake = FakeBoard()

    def acquire(name: str) -> FakeBoard:
        fake.users += 1
        return fake

    def release(released: FakeBoard) -> None:
        released.users -= 1

    module = types.SimpleNamespace(acquire=acquire, release=release)
    monkeypatch.setitem(sys.modules, "pytest_lan_hil.virtual.board", module)
    return fake


@pytest.fixture
def probe(fake: FakeBoard) -> Iterator[VirtualProbe]:
    probe = VirtualProbe.get_probe_with_id("nrf52840")
    assert probe is not None
    probe.open()
    probe.connect()
    yield probe
    probe.close()


def test_listing_imports_no_silicon_and_makes_no_board() -> None:
    script = textwrap.dedent(
        """
        import sys
        from pyocd.probe.aggregator import DebugProbeAggregator
        probes = DebugProbeAggregator.get_all_connected_probes("virtual:nrf52840")
        print([p.unique_id for p in probes], [p.associated_board_info.target for p in probes])
        print(sorted({m.partition(".")[0] for m in sys.modules} & {"unicorn", "numba", "capstone", "numpy"}))
        print([m for m in sys.modules if m.startswith("pytest_lan_hil.virtual.silicon")])
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "['nrf52840'] ['nrf52840']\n[]\n[]\n"


def test_every_board_that_was_used_here_is_listed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAN_HIL_VIRTUAL_STATE", str(tmp_path))
    BoardState("nrf52840-lab").close()
    (tmp_path / "something else").mkdir()
    assert [p.unique_id for p in VirtualProbe.get_all_connected_probes()] == [
        "nrf52840",
        "stm32f412",
        "nrf52840-lab",
    ]


def test_a_further_board_must_be_named_with_its_kind(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAN_HIL_VIRTUAL_STATE", str(tmp_path))
    (named,) = DebugProbeAggregator.get_all_connected_probes("virtual:NRF52840-7")
    assert named.unique_id == "nrf52840-7"
    assert [p.unique_id for p in DebugProbeAggregator.get_all_connected_probes("virtual:nrf52840")] == [
        "nrf52840"
    ]
    assert DebugProbeAggregator.get_all_connected_probes("nrf52840-7") == []
    assert DebugProbeAggregator.get_all_connected_probes("virtual:esp32") == []


def test_an_absent_probe_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAN_HIL_VIRTUAL_FAULTS", "probe_absent")
    assert VirtualProbe.get_probe_with_id("nrf52840", is_explicit=True) is None
    with pytest.raises(ProbeError, match="virtual:nrf52840: not there"):
        find_probe("virtual:nrf52840")


def test_without_the_emulator_installed_there_is_no_virtual_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    assert VirtualProbePlugin().should_load()
    monkeypatch.setattr(
        "pytest_lan_hil.virtual.probe.find_spec", lambda name: None if name == "unicorn" else 1
    )
    assert not VirtualProbePlugin().should_load()


def test_the_harness_finds_it_simulated_and_holds_the_board_between_sessions(fake: FakeBoard) -> None:
    with Probe.open("virtual:nrf52840", target="nrf52840") as probe:
        assert probe.simulated
        assert "simulated" in probe.description
        assert probe.clock is fake.clock
        assert probe.notes == fake.identity_notes
        assert fake.users == 1
    assert fake.users == 0


def test_a_hold_outlives_the_session_and_is_let_go_once(fake: FakeBoard) -> None:
    probe = VirtualProbe("nrf52840")
    hold = probe.keep_powered()
    probe.open()
    probe.open()
    assert fake.users == 2
    probe.close()
    probe.close()
    assert (fake.users, probe.is_open, probe.clock) == (1, False, fake.clock)
    hold.close()
    hold.close()
    assert fake.users == 0
    with pytest.raises(exceptions.ProbeError, match="not open"):
        _ = probe.clock


def test_deferred_reads_share_one_round_trip(probe: VirtualProbe, fake: FakeBoard) -> None:
    first = probe.read_ap(0x0100_00FC, now=False)
    second = probe.read_ap(0x0C, now=False)
    assert fake.now == 0
    assert (first(), second()) == (0x1FC, 0x00C)
    assert fake.now == TICK_HZ // 1000


def test_a_block_takes_the_time_of_its_words_at_the_swd_clock(probe: VirtualProbe, fake: FakeBoard) -> None:
    probe.set_clock(500_000)
    assert probe.read_ap_multiple(0x0C, 100) == [0x00C] * 100
    assert fake.now == pytest.approx(100 * 46 * 2, rel=0.01)


def test_polling_a_busy_target_takes_few_calls(probe: VirtualProbe, fake: FakeBoard) -> None:
    while fake.now < 0.169 * TICK_HZ:  # the erase of everything, polled as pyOCD does
        probe.read_ap(0x0100_0008)
    assert fake.debug_port.reads <= 10


def test_a_write_costs_nothing_until_somebody_waits(probe: VirtualProbe, fake: FakeBoard) -> None:
    probe.write_ap(0x04, 0x2000_0000)
    assert fake.now == 0
    probe.flush()
    assert fake.now == TICK_HZ // 1000


def test_a_refused_access_is_a_transfer_fault(probe: VirtualProbe, fake: FakeBoard) -> None:
    fake.debug_port.error = TransferFault("nothing at 0x30000000")
    with pytest.raises(exceptions.TransferFaultError, match="nothing at 0x30000000"):
        probe.read_ap(0x0C)


@pytest.mark.parametrize("where", ["access", "time"])
def test_a_limit_of_the_model_is_told_in_its_own_words_to_pyocd_and_harness(
    probe: VirtualProbe, fake: FakeBoard, where: str
) -> None:
    error = BlockedError("unmodelled access: RADIO.STATE", fix="use a real bench")
    if where == "access":
        fake.debug_port.error = error
    else:
        fake.broken = error
    with pytest.raises(SimulationError) as caught:
        probe.read_ap(0x0C)
    fake.broken = None
    assert isinstance(caught.value, exceptions.ProbeError)
    assert isinstance(caught.value, BlockedError)
    assert str(caught.value) == str(error)


def test_a_board_that_another_process_holds_is_told_so(
    fake: FakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def acquire(name: str) -> None:
        raise LeaseError("in use by process 1", fix="wait for it")

    monkeypatch.setattr(sys.modules["pytest_lan_hil.virtual.board"], "acquire", acquire)
    with pytest.raises(exceptions.ProbeError, match=r"in use by process 1\n  fix: wait for it"):
        VirtualProbe("nrf52840").open()
    with pytest.raises(BlockedError, match="in use by process 1"):
        Probe.open("virtual:nrf52840", target="nrf52840")


def test_the_reset_line_is_held_in_virtual_time(fake: FakeBoard) -> None:
    probe = VirtualProbe("nrf52840")
    session = Session(probe, auto_open=False, options={"no_config": True, "reset.hold_time": 0.25})
    probe.session = session
    probe.open()
    probe.reset()
    assert fake.resets == [(True, 0), (False, TICK_HZ // 4)]
    assert not probe.is_reset_asserted()
    probe.close()


def test_only_swd_is_spoken(probe: VirtualProbe) -> None:
    with pytest.raises(exceptions.ProbeError, match="SWD only"):
        probe.connect(DebugProbe.Protocol.JTAG)
    with pytest.raises(exceptions.ProbeError, match="0 Hz"):
        probe.set_clock(0)


@pytest.mark.parametrize(("asked", "used"), [(None, 0.0), (0.3, 0.3)])
def test_a_reset_costs_no_host_time_unless_that_was_asked_for(
    fake: FakeBoard, asked: float | None, used: float
) -> None:
    options = {"no_config": True} | ({} if asked is None else {"reset.post_delay": asked})
    session = Session(VirtualProbe("nrf52840"), auto_open=False, options=options)
    session.probe.open()
    try:
        assert session.options.get("reset.post_delay") == used
    finally:
        session.probe.close()
