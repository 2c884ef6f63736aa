"""Positions in what a console received: each reads on by itself, and waits for what is still to come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_lan_hil.model.errors import DutTimeout
from pytest_lan_hil.model.record import ConsoleLine

if TYPE_CHECKING:
    from pytest_lan_hil.dut.console import Console

RECEIVED = "<"
SENT = ">"
REMARK = "#"
"""Direction of a line that neither end said: a remark of the harness."""


class _Wait:
    """A wait for something with an end, and what to say if it does not come."""

    def __init__(self, console: Console, timeout_s: float, waiting_for: str) -> None:
        self.stop = console.clock.monotonic() + timeout_s
        self._console = console
        self._timeout_s = timeout_s
        self._waiting_for = waiting_for
        self._first = console._received

    def over(self) -> DutTimeout:
        """It did not come."""
        console = self._console
        count = console._received - self._first
        came = f"{count} bytes came meanwhile" if count else "not one byte came meanwhile"
        return DutTimeout(
            f"waiting for {self._waiting_for} on console {console.uri}: not seen within"
            f" {self._timeout_s:g} s, {came}; last bytes: {console.last_bytes() or '(none)'}"
        )


class Cursor:
    """A position in what the console received; reading with it takes nothing from other cursors."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line = 0
        self._column = 0

    def skip(self) -> None:
        """Move behind everything received so far."""
        with self._console._store:
            self._line = len(self._console._lines)
            self._column = len(self._console._assembler.pending)

    def rest(self) -> tuple[ConsoleLine, ...]:
        """Every finished line from here on, received and sent; the cursor stays where it is."""
        self._console.poll()
        with self._console._store:
            return tuple(self._console._lines[self._line :])

    def next_line(self, *, timeout_s: float, waiting_for: str = "a line") -> ConsoleLine:
        """The next finished line that was received.

        Raises:
            DutTimeout: None within `timeout_s`.
            ConsoleError: The port broke.
        """
        return next(self.lines(timeout_s=timeout_s, waiting_for=waiting_for))

    def lines(self, *, timeout_s: float, waiting_for: str) -> Iterator[ConsoleLine]:
        """The finished lines that are received, as they come; never ends by itself.

        Raises:
            DutTimeout: `timeout_s` are over since the first was asked for, and what had come by then was
                given. A device that never stops talking does not put it off.
            ConsoleError: The port broke.
        """
        console = self._console
        wait = _Wait(console, timeout_s, waiting_for)
        end: int | None = None
        while True:
            if end is None and console.clock.monotonic() >= wait.stop:
                console.poll()
                end = len(console._lines)
            if end is not None and self._line >= end:
                raise wait.over()
            line = self._take(None, wait)
            assert isinstance(line, ConsoleLine)
            yield line

    def expect(self, pattern: str | re.Pattern[str], *, timeout_s: float) -> re.Match[str]:
        """Wait for a line in which the regular expression is found, and move behind it.

        Lines are searched one by one. A line that has not ended (a prompt) is searched once the port is
        silent.

        Raises:
            DutTimeout: Not seen within `timeout_s`; says what came last.
            ConsoleError: The port broke.
        """
        regex = re.compile(pattern)
        match = self._take(regex, _Wait(self._console, timeout_s, f"{regex.pattern!r}"))
        assert isinstance(match, re.Match)
        return match

    def _take(self, regex: re.Pattern[str] | None, wait: _Wait) -> ConsoleLine | re.Match[str]:
        console = self._console
        stalled = 0
        found = self._scan(regex)
        if found is None:
            console.poll()
        while True:
            found = found or self._scan(regex)
            if found is not None:
                return found
            now = console.clock.monotonic()
            if now >= wait.stop:
                raise wait.over()
            if not console.wait_bytes(wait.stop - now):
                found = self._scan_unfinished(regex)
                if found is not None:
                    return found
            stalled = stalled + 1 if console.clock.monotonic() <= now else 0
            console._check_clock(stalled)

    def _scan(self, regex: re.Pattern[str] | None) -> ConsoleLine | re.Match[str] | None:
        with self._console._store:
            while self._line < len(self._console._lines):
                line = self._console._lines[self._line]
                if line.direction == RECEIVED:
                    column, self._column = self._column, 0
                    self._line += 1
                    if regex is None:
                        return line
                    match = regex.search(line.text, min(column, len(line.text)))
                    if match is not None:
                        return match
                else:
                    self._line += 1
        return None

    def _scan_unfinished(self, regex: re.Pattern[str] | None) -> re.Match[str] | None:
        if regex is None:
            return None
        with self._console._store:
            text = self._console._assembler.pending
            if len(text) <= self._column:
                return None
            match = regex.search(text, self._column)
            if match is not None:
                self._column = match.end() or len(text)
            return match
