"""A virtual GPIO chip, its lines wired to a virtual board's pins: entry point `pytest_lan_hil.gpio_chips`.

It queues and numbers edges as Linux does (Documentation/userspace-api/gpio/gpio-v2-line-event-read.rst): a
buffer of limited size for all lines of a request, of which the oldest event is thrown away when it is full,
and numbers that tell. An event is stamped late by a random time, as interrupts are: 95 % of them within the
jitter that the bench file states. The random numbers start anew with every request, so that two records of
the same work are the same.

What this does not model: edges that follow each other faster than an interrupt is served, bias (a line that
is not wired reads low), debouncing, and the time that the host needs.
"""

from __future__ import annotations

import errno
import math
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.virtual.board import acquire, release
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.ina_front import Repetition
from pytest_lan_hil.virtual.measured import MeasuredBoard
from pytest_lan_hil.virtual.options import faults_of, refuse_unknown, understood, wired_pins
from pytest_lan_hil.virtual.traces import Recorder

# As many lines as the chip that a Raspberry Pi 4 has on its header.
LINES = 58
_OPTIONS = ("jitter_us", "seed", "fault")
# No interrupt is served sooner.
_SHORTEST_LATENCY_NS = 1000
# Of an exponential distribution, 95 % lie below 3 times its mean.
_MEAN_SHARE = 1 / math.log(20)
_NOTE = "the virtual GPIO chip's interrupts are late by an exponential distribution (unconfirmed)"


class EventType(Enum):
    """Names of `gpiod.EdgeEvent.Type`."""

    RISING_EDGE = 1
    FALLING_EDGE = 2


@dataclass(frozen=True, slots=True)
class EdgeEvent:
    """Fields of `gpiod.EdgeEvent`."""

    event_type: EventType
    timestamp_ns: int
    line_offset: int
    global_seqno: int
    line_seqno: int


class VirtualLineRequest:
    """Lines that are watched; methods as `gpiod.LineRequest`. None of them lets virtual time pass.

    Args:
        chip: Whose lines.
        offsets: Which.
        size: Events that are kept.
    """

    def __init__(self, chip: VirtualGpioChip, offsets: Sequence[int], size: int) -> None:
        self._chip = chip
        self._board = chip.board
        # The kernel's ring buffers have a power of two of places (kfifo).
        self._kept: deque[EdgeEvent] = deque(maxlen=1 << max(size - 1, 0).bit_length())
        self._late: deque[tuple[int, int, bool]] = deque()
        self._numbers = dict.fromkeys(offsets, 0)
        self._last_ns = dict.fromkeys(offsets, 0)
        self._is_released = False
        self._latency = np.random.Generator(np.random.PCG64(chip.seed))
        with self._board.lock:
            now = self._board.now
            self._recorders: dict[int, Recorder] = {}
            self._levels: dict[int, bool] = {}
            for offset in offsets:
                self._levels[offset] = chip.level(offset)
                if chip.pin(offset) is not None:
                    self._recorders[offset] = self._board.pins.record(str(chip.pin(offset)), now)
            self._board.attach(self)

    # -- the board's listener: edges are fetched now and then, so that an idle request doesn't grow --------

    def next_tick(self) -> int:
        """The board need not stop for this."""
        return self._board.now + self._board.tick_hz

    def advanced(self, now: int) -> None:
        """Virtual time has passed."""
        self._collect(now)

    def _collect(self, now: int) -> None:
        """Interrupts of all edges until now; then those of them that have been served are in the buffer."""
        edges = sorted(
            (tick, offset, level)
            for offset, recorder in self._recorders.items()
            for tick, level in self._edges(offset, recorder, now)
        )
        for tick, offset, level in edges:
            late_ns = _SHORTEST_LATENCY_NS + self._latency.exponential(self._chip.mean_latency_ns)
            stamp_ns = -(-tick * 10**9 // self._board.tick_hz) + round(late_ns)
            stamp_ns = max(stamp_ns, self._last_ns[offset] + 1)
            self._last_ns[offset] = stamp_ns
            self._late.append((stamp_ns, offset, level))
        now_ns = now * 10**9 // self._board.tick_hz
        while self._late and self._late[0][0] <= now_ns:
            self._keep(*self._late.popleft())

    def _edges(self, offset: int, recorder: Recorder, now: int) -> list[tuple[int, bool]]:
        steps = recorder.take(now)
        changes = [(steps.start, bool(steps.initial))]
        changes += zip(steps.ticks.tolist(), (steps.values > 0.5).tolist(), strict=True)
        found = []
        for tick, level in changes:
            if level != self._levels[offset]:
                self._levels[offset] = level
                found.append((tick, level))
        return found

    def _keep(self, stamp_ns: int, offset: int, level: bool) -> None:  # noqa: FBT001 - a signal's value
        self._numbers[offset] += 1
        kind = EventType.RISING_EDGE if level else EventType.FALLING_EDGE
        total = sum(self._numbers.values())
        self._kept.append(EdgeEvent(kind, stamp_ns, offset, total, self._numbers[offset]))

    # -- gpiod.LineRequest -------------------------------------------------------------------------------

    def get_values(self, lines: Sequence[int]) -> list[bool]:
        """Levels by offset.

        Raises:
            OSError: The chip is gone.
        """
        with self._board.lock:
            self._chip.require_present()
            return [self._chip.level(offset) for offset in lines]

    def wait_edge_events(self, timeout: float) -> bool:  # noqa: ARG002 - whoever waits has its own clock
        """True if there are events now, or a read would fail."""
        with self._board.lock:
            self._collect(self._board.now)
            return bool(self._kept) or self._chip.is_gone

    def read_edge_events(self, max_events: int) -> list[EdgeEvent]:
        """The oldest events, which are forgotten here.

        Raises:
            OSError: The chip is gone.
        """
        with self._board.lock:
            self._chip.require_present()
            return [self._kept.popleft() for _ in range(min(max_events, len(self._kept)))]

    def release(self) -> None:
        """Let go of the lines. May be repeated."""
        with self._board.lock:
            for offset, recorder in self._recorders.items():
                self._board.pins.stop(str(self._chip.pin(offset)), recorder)
            if not self._is_released:
                self._is_released = True
                self._board.detach(self)
                self._chip.let_go(self._numbers)


class VirtualGpioChip:
    """See the module; methods as `instruments.gpiod_chip.Chip` says.

    Args:
        board: Whose pins.
        pins: Offset of a line to the pin that it is wired to ("P0.13").
        jitter_s: 95 % of the interrupts are served within this.
        seed: Of the latencies.
        faults: `gpio_vanish`: so many seconds into each record the chip is gone.
        release: Called once when the chip is closed.

    Attributes:
        board: Whose pins.
        seed: Of the latencies.
        mean_latency_ns: Of an interrupt.
    """

    simulated = True
    notes = (_NOTE,)
    label = "a virtual GPIO chip"

    def __init__(
        self,
        board: MeasuredBoard,
        pins: Mapping[int, str],
        *,
        jitter_s: float = 20e-6,
        seed: int = 1,
        faults: Faults | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.board = board
        self.seed = seed
        self.mean_latency_ns = jitter_s * 1e9 * _MEAN_SHARE
        self._pins = dict(pins)
        self._faults = faults or Faults()
        self._release: Callable[[], None] | None = release
        self._held: set[int] = set()
        self._began_s: float | None = None

    @property
    def clock(self) -> Clock:
        """Virtual seconds."""
        return self.board.clock

    def repeat(self, act: Callable[[], float]) -> Repetition:
        """Call `act` as virtual time passes. A record begins with it."""
        self._began_s = self.board.clock.monotonic()
        return Repetition(self.board, act)

    @property
    def is_gone(self) -> bool:
        """True once a scripted fault has unplugged the chip."""
        fault = self._faults.first("gpio_vanish")
        if fault is None or self._began_s is None:
            return False
        return self.board.clock.monotonic() >= self._began_s + fault.at

    def require_present(self) -> None:
        """Fail as Linux does when a chip was unplugged.

        Raises:
            OSError: ENODEV.
        """
        if self.is_gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    def pin(self, offset: int) -> str | None:
        """The pin that a line follows; None if it is not wired, or stuck."""
        return None if self._faults.stuck(str(offset)) is not None else self._pins.get(offset)

    def level(self, offset: int) -> bool:
        """What a line reads now."""
        pin = self.pin(offset)
        return (
            bool(self._faults.stuck(str(offset))) if pin is None else self.board.pins.levels.get(pin, False)
        )

    def let_go(self, offsets: Mapping[int, int]) -> None:
        """These lines are free again."""
        self._held -= set(offsets)

    # -- instruments.gpiod_chip.Chip ---------------------------------------------------------------------

    def line_offset_from_id(self, id: str) -> int:
        """Offset of "17" or "GPIO17".

        Raises:
            OSError: ENOENT: there is no such line.
        """
        digits = id.removeprefix("GPIO")
        if not (digits.isdecimal() and int(digits) < LINES):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return int(digits)

    def consumer(self, offset: int) -> str:
        """Who holds the line."""
        return "this process" if offset in self._held else ""

    def request_lines(self, offsets: Sequence[int], settings: Any) -> VirtualLineRequest:
        """Hold and watch lines.

        Raises:
            OSError: EBUSY: a line is held; ENODEV: the chip is gone.
        """
        self.require_present()
        if self._held.intersection(offsets):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self._held.update(offsets)
        return VirtualLineRequest(self, offsets, settings.event_buffer_size)

    def close(self) -> None:
        """Let go of the board. May be repeated."""
        if self._release is not None:
            release_board, self._release = self._release, None
            release_board()


def open_chip(target: str, options: Mapping[str, str]) -> VirtualGpioChip:
    """Entry point `pytest_lan_hil.gpio_chips`: GPIO lines that are wired to pins of a virtual board.

    Args:
        target: Board, for instance "nrf52840".
        options: An offset = pin ("17=P0.13"), once for each wired line; jitter_us (20); seed (1); fault (see
            `faults`).

    Raises:
        InputError: An unknown option, line, pin or board, or a number that is none.
        LeaseError: Another process holds the board.
    """
    wired = {name: pin for name, pin in options.items() if name not in _OPTIONS}
    unknown = sorted(name for name in wired if not (name.isdecimal() and int(name) < LINES))
    refuse_unknown(
        "GPIO chip",
        unknown,
        f"{', '.join(_OPTIONS)}, those of gpiod, and a line (0 to {LINES - 1}) with the pin that it is wired"
        " to, as 17=P0.13",
    )
    with understood("GPIO chip", "gpiod+virtual:nrf52840?17=P0.13&seed=1"):
        pins = {int(name): pin for name, pin in wired_pins(target, wired, wired).items()}
        jitter_s = float(options.get("jitter_us") or 20) * 1e-6
        seed = int(options.get("seed") or 1)
    faults = faults_of(options)
    board = acquire(target)
    return VirtualGpioChip(
        board, pins, jitter_s=jitter_s, seed=seed, faults=faults, release=lambda: release(board)
    )
