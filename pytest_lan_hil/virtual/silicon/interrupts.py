"""Ctrl-C while the emulator runs: kept until it has returned.

The emulator calls back into Python. A KeyboardInterrupt that is raised at the very entry of such a callback
is lost: ctypes prints "Exception ignored" and goes on. Signals wait while C code runs, so that entry is where
most of them would be raised. Therefore a signal is only noted while the emulator runs.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Keeper:
    """Stands before Python's own SIGINT handler."""

    def __init__(self) -> None:
        self.running = False
        self.noted = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.running:
            self.noted = True
        else:
            signal.default_int_handler(number, frame)


_KEEPER = _Keeper()


def install() -> None:
    """Take Ctrl-C over where Python's own handler has it; only the main thread may."""
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _KEEPER)


@contextmanager
def deferred() -> Iterator[None]:
    """Ctrl-C waits until the block ends.

    Raises:
        KeyboardInterrupt: It came meanwhile.
    """
    _KEEPER.running = True
    try:
        yield
    finally:
        _KEEPER.running = False
        if _KEEPER.noted:
            _KEEPER.noted = False
            raise KeyboardInterrupt
