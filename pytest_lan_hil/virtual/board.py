"""A virtual board: one chip with its supply and pins, shared by every virtual device of this process that
names it.

Time passes only in `advance` and `advance_until`. One process at a time owns a board (see `state`); probe,
serial port and analyzer in that process share it through `acquire` and `release`.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import Protocol

from pytest_lan_hil.virtual.chip import make_chip
from pytest_lan_hil.virtual.clock import VirtualClock
from pytest_lan_hil.virtual.debug_port import DebugPort
from pytest_lan_hil.virtual.faults import Fault, Faults
from pytest_lan_hil.virtual.names import silicon_of
from pytest_lan_hil.virtual.silicon import interrupts
from pytest_lan_hil.virtual.state import BoardState
from pytest_lan_hil.virtual.traces import PinTrace, PowerTrace
from pytest_lan_hil.virtual.uart_line import UartLine

# How often a waiting host looks, at least: the frame of a USB serial adapter is a millisecond.
_LOOKS_HZ = 1000
NOMINAL_SUPPLY_V = 3.0
_SAGGED_V = 1.5  # of a scripted brown-out
# Looks that are left out at most while the chip sleeps: another thread that writes must not wait long.
_MOST_LOOKS = 100


class Listener(Protocol):
    """Somebody who follows virtual time (a capture)."""

    def next_tick(self) -> int:
        """The board stops at this tick at the latest."""
        ...

    def advanced(self, now: int) -> None:
        """Virtual time has come to `now`."""
        ...


class VirtualBoard:
    """One virtual board.

    Args:
        name: A kind of silicon ("nrf52840"), or "nrf52840-<anything>" for a further one.
        state: What it keeps between processes; None for a board that forgets.

    Attributes:
        chip: The silicon.
        debug_port: Its SWD pins.
        clock: Virtual seconds.
        lock: Held while virtual time passes; hold it to look at several things at one instant.
        power: Supply current.
        pins: Pin levels.
        uarts: The serial lines, by the names that URLs use.
        uart0: The console's.
        faults: Scripted in the environment when the board was made.
    """

    def __init__(self, name: str, *, state: BoardState | None = None) -> None:
        self.name = name
        self.lock = threading.RLock()
        self.faults = Faults.from_environment()
        self.power = PowerTrace()
        self.pins = PinTrace()
        self._state = state
        self._supply_v = NOMINAL_SUPPLY_V
        self._listeners: list[Listener] = []
        silicon = silicon_of(name)
        self._pin_names = silicon.pins
        self._lowest_supply_v = silicon.supply_v[0]
        self._brown_outs: list[str] = []
        self.chip = make_chip(silicon, serial=name, on_current=self._current, on_level=self._edge)
        self.debug_port = DebugPort(self.chip, self.chip.access_ports)
        timeline = self.chip.timeline
        self.clock = VirtualClock(lambda: timeline.now, self.advance, timeline.tick_hz)
        self._look_ticks = timeline.tick_hz // _LOOKS_HZ
        self.uarts: dict[str, UartLine] = {}
        for uart, receiver in self.chip.uarts.items():
            line = UartLine(timeline, Faults() if self.uarts else self.faults)
            receiver.line, line.receiver = line, receiver
            self.uarts[uart] = line
        self.uart0 = self.uarts["uart0"]
        self.chip.on_nonvolatile_settled = self.save
        if state is not None:
            stored = state.load(self.chip.nonvolatile_size)
            if stored is not None:
                self.chip.load_nonvolatile(stored)
        for fault in self.faults.named("brown_out"):
            self._script_brown_out(fault)
        self.chip.reset("power_on")

    def _current(self, tick: int, current_a: float) -> None:
        if not self.faults.named("load_open"):
            self.power.step(tick, current_a)

    def _edge(self, pin: int, level: bool) -> None:  # noqa: FBT001 - a signal's value
        self.pins.edge(self.now, self._pin_names.name(pin), level)

    # -- time --------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The current tick."""
        return self.chip.timeline.now

    @property
    def tick_hz(self) -> int:
        """Ticks per virtual second."""
        return self.chip.timeline.tick_hz

    def advance(self, ticks: int) -> None:
        """Let virtual time pass. It passes for a halted, sleeping or switched-off core as well.

        Raises:
            UnmodelledAccess: The firmware touched something that the model lacks.
        """
        with self.lock:
            target = self.now + ticks
        self._advance_to(target)

    def _advance_to(self, target: int) -> None:
        while True:
            with self.lock:
                if self.now >= target:
                    return
                stop = min([target, *(listener.next_tick() for listener in self._listeners)])
                self.chip.run_until(max(stop, self.now + 1))
                for line in self.uarts.values():
                    line.catch_up()
                now = self.now
                # Ctrl-C between two statements of a listener would leave it with half a message.
                with interrupts.deferred():
                    for listener in tuple(self._listeners):
                        listener.advanced(now)

    def advance_until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Let virtual time pass until `done()`, looked at after each virtual millisecond that brings news.

        Returns:
            False if `limit_s` virtual seconds passed first.
        """
        # A wait that rounds to nothing would never end for a caller that waits for the rest of its time.
        limit = self.now + (max(round(limit_s * self.tick_hz), 1) if limit_s > 0 else 0)
        while not done():
            if self.now >= limit:
                return False
            self._advance_to(min(self._next_look(), limit))
        return True

    def _next_look(self) -> int:
        """The first look, in steps of a virtual millisecond, that may see something new."""
        with self.lock:
            now, quiet = self.now, self.chip.quiet_until()
        looks = (
            _MOST_LOOKS if quiet is None else min(max(-(-(quiet - now) // self._look_ticks), 1), _MOST_LOOKS)
        )
        return now + looks * self._look_ticks

    def attach(self, listener: Listener) -> None:
        """Have somebody follow virtual time."""
        self._listeners.append(listener)

    def detach(self, listener: Listener) -> None:
        """No longer."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    # -- the bench around the chip -----------------------------------------------------------------------

    def power_on_reset(self) -> None:
        """The supply was switched off and on."""
        with self.lock:
            self.debug_port.reset()
            self.chip.reset("power_on")

    def hold_pin_reset(self, *, asserted: bool) -> None:
        """The reset line is driven low, or let go: a pin reset follows, as after `pin_reset`."""
        with self.lock:
            self.chip.hold_pin_reset(asserted=asserted)

    def pin_reset(self) -> None:
        """The reset button. (On an nRF52840 it works whether or not UICR.PSELRESET selects a pin.)"""
        with self.lock:
            self.chip.reset("pin")

    def set_supply(self, supply_v: float) -> None:
        """The supply voltage, in volts; below the lowest that the chip works at, it is held in reset."""
        with self.lock:
            self._supply_v = supply_v
            self._apply_supply(supply_v)

    def _apply_supply(self, supply_v: float) -> None:
        if supply_v < self._lowest_supply_v:
            at_s = self.clock.monotonic()
            self._brown_outs.append(
                f"brown-out at {at_s:.6f} s: a supply of {supply_v:g} V is below the "
                f"{self._lowest_supply_v:g} V that the "
                "chip needs; it was held in power-on reset"
            )
            self.debug_port.reset()
        self.chip.set_supply(supply_v)

    def _script_brown_out(self, fault: Fault) -> None:
        timeline = self.chip.timeline

        def sag() -> None:
            self._apply_supply(_SAGGED_V)

        def recover() -> None:
            self._apply_supply(self._supply_v)

        timeline.schedule(timeline.ticks(fault.at), sag)
        timeline.schedule(timeline.ticks(fault.at + fault.length), recover)

    def drive_pin(self, pin: str, level: bool | None) -> None:  # noqa: FBT001 - a signal
        """Drive a pin from outside (None: let it float).

        Raises:
            ValueError: No such pin.
        """
        with self.lock:
            self.chip.drive_pin(self._pin_names.number(pin), level)

    @property
    def identity_notes(self) -> tuple[str, ...]:
        """What a reader must know: brown-outs, then what the chip says (unconfirmed figures among it)."""
        return (*self._brown_outs, *self.chip.notes)

    # -- nonvolatile -------------------------------------------------------------------------------------

    def save(self) -> bool:
        """Write flash and UICR to the state file if they changed. Returns True if it was written."""
        if self._state is None:
            return False
        with self.lock:
            return self._state.save(self.chip.nonvolatile())

    def close(self) -> None:
        """Save, and let other processes have the board."""
        if self._state is None:
            return
        try:
            self.save()
        finally:
            self._state.close()
            self._state = None


_boards: dict[str, tuple[VirtualBoard, int]] = {}
_registry = threading.Lock()


def acquire(name: str) -> VirtualBoard:
    """This process's board of that name; made on first use. Each `acquire` needs a `release`.

    Raises:
        InputError: There is no such virtual silicon.
        LeaseError: Another process owns the board.
    """
    silicon_of(name)
    with _registry:
        if name in _boards:
            board, users = _boards[name]
        else:
            state = BoardState(name)
            try:
                board, users = VirtualBoard(name, state=state), 0
            except BaseException:
                state.close()
                raise
        _boards[name] = board, users + 1
        return board


def release(board: VirtualBoard) -> None:
    """Give up one use of a board; the last one saves it and frees it for other processes."""
    with _registry:
        held, users = _boards.get(board.name, (None, 0))
        if held is not board:
            return
        if users > 1:
            _boards[board.name] = board, users - 1
            return
        del _boards[board.name]
    board.close()


def _release_all() -> None:
    """At exit: whoever forgot to release must not lose the board's flash."""
    with _registry:
        boards = [board for board, _ in _boards.values()]
        _boards.clear()
    for board in boards:
        board.close()


atexit.register(_release_all)
