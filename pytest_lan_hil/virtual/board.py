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

from pytest_lan_hil.virtual.clock import VirtualClock
from pytest_lan_hil.virtual.debug_port import DebugPort
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.names import silicon_of
from pytest_lan_hil.virtual.silicon import interrupts
from pytest_lan_hil.virtual.silicon.nrf52840.chip import NONVOLATILE_SIZE, Nrf52840
from pytest_lan_hil.virtual.silicon.nrf52840.ctrl_ap import PORT_NUMBER as CTRL_AP
from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICK_HZ
from pytest_lan_hil.virtual.silicon.nrf52840.gpio import pin_name, pin_number
from pytest_lan_hil.virtual.state import BoardState
from pytest_lan_hil.virtual.traces import PinTrace, PowerTrace
from pytest_lan_hil.virtual.uart_line import UartLine

# How long virtual time runs at a stretch before a waiting host looks again: the frame of a USB serial
# adapter.
_LOOK_TICKS = TICK_HZ // 1000
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
        name: "nrf52840", or "nrf52840-<anything>" for a further one.
        state: What it keeps between processes; None for a board that forgets.

    Attributes:
        chip: The silicon.
        debug_port: Its SWD pins.
        clock: Virtual seconds.
        lock: Held while virtual time passes; hold it to look at several things at one instant.
        power: Supply current.
        pins: Pin levels.
        uart0: The serial line on UARTE0.
        uart1: The serial line on UARTE1.
        faults: Scripted in the environment when the board was made.
    """

    def __init__(self, name: str, *, state: BoardState | None = None) -> None:
        self.name = name
        self.lock = threading.RLock()
        self.faults = Faults.from_environment()
        self.power = PowerTrace()
        self.pins = PinTrace()
        self._state = state
        self._listeners: list[Listener] = []
        self.chip = Nrf52840(serial=name, on_current=self._current, on_level=self._edge)
        self.debug_port = DebugPort(self.chip, {CTRL_AP: self.chip.ctrl_ap})
        timeline = self.chip.timeline
        self.clock = VirtualClock(lambda: timeline.now, self.advance, TICK_HZ)
        self.uart0 = UartLine(timeline, self.faults)
        self.uart1 = UartLine(timeline, Faults())
        self.chip.wire_uarts(self.uart0, self.uart1)
        self.uart0.receiver = self.chip.uarte0
        self.uart1.receiver = self.chip.uarte1
        self.chip.on_nonvolatile_settled = self.save
        if state is not None:
            stored = state.load(NONVOLATILE_SIZE)
            if stored is not None:
                self.chip.load_nonvolatile(stored)
        self.chip.reset("power_on")

    def _current(self, tick: int, current_a: float) -> None:
        if not self.faults.named("load_open"):
            self.power.step(tick, current_a)

    def _edge(self, pin: int, level: bool) -> None:  # noqa: FBT001 - a signal's value
        self.pins.edge(self.now, pin_name(pin), level)

    # -- time --------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The current tick."""
        return self.chip.timeline.now

    @property
    def tick_hz(self) -> int:
        """Ticks per virtual second."""
        return TICK_HZ

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
        limit = self.now + round(limit_s * TICK_HZ)
        while not done():
            if self.now >= limit:
                return False
            self._advance_to(min(self._next_look(), limit))
        return True

    def _next_look(self) -> int:
        """The first look, in steps of a virtual millisecond, that may see something new."""
        with self.lock:
            now, quiet = self.now, self.chip.quiet_until()
        looks = _MOST_LOOKS if quiet is None else min(max(-(-(quiet - now) // _LOOK_TICKS), 1), _MOST_LOOKS)
        return now + looks * _LOOK_TICKS

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
        """The reset button. It works whether or not UICR.PSELRESET selects a pin."""
        with self.lock:
            self.chip.reset("pin")

    def set_supply(self, supply_v: float) -> None:
        """The supply voltage, in volts."""
        with self.lock:
            self.chip.power_model.set_supply(supply_v)

    def drive_pin(self, pin: str, level: bool | None) -> None:  # noqa: FBT001 - a signal
        """Drive a pin from outside (None: let it float).

        Raises:
            ValueError: No such pin.
        """
        with self.lock:
            self.chip.gpio.drive_external(pin_number(pin), level)

    @property
    def identity_notes(self) -> tuple[str, ...]:
        """Figures of the power and timing model that are not confirmed."""
        return self.chip.notes

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
