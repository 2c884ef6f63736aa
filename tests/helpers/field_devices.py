"""Devices in the field, made up: a pseudo terminal behind a link that can be pulled out and put back."""

from __future__ import annotations

import os
import select
import threading
import tty
from collections.abc import Callable
from pathlib import Path

from metrics_blocks import a_block, console_line

from pytest_lan_hil.dut.metrics_frame import Block

READY = "m-ready"
IDENTITY = "m-lnn-id-[git=abc,image=def,version=1.2]"


class FieldDevice:
    """Answers as the firmware does; what it says is the test's to change while it runs.

    Attributes:
        path: What the inventory names: a link to the terminal.
        block: What `lnn metrics` tells.
        answer: Lines of the answer to `lnn metrics`, from the block; `None` is silence.
        asked: Every command that it got.
    """

    def __init__(self, path: Path, block: Block | None = None) -> None:
        self.path = path
        self.block = block if block is not None else a_block()
        self.answer: Callable[[Block], list[str] | None] = lambda block: [console_line(block), READY]
        self.asked: list[str] = []
        self._plugged = False

    def __enter__(self) -> FieldDevice:
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def plug_in(self) -> None:
        self._ours, theirs = os.openpty()
        tty.setraw(theirs)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(theirs))
        self._theirs = theirs
        self._plugged = True
        self._thread = threading.Thread(target=self._run, name=f"fake {self.path.name}", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Gone: the file, and whoever reads it is hung up on."""
        if not self._plugged:
            return
        self._plugged = False
        self._thread.join(5)
        self.path.unlink(missing_ok=True)
        os.close(self._theirs)
        os.close(self._ours)

    def say(self, text: str) -> None:
        os.write(self._ours, text.encode("latin-1"))

    def _run(self) -> None:
        typed = ""
        while self._plugged:
            if not select.select([self._ours], [], [], 0.01)[0]:
                continue
            typed += os.read(self._ours, 4096).decode("latin-1")
            while "%" in typed:
                command, _, typed = typed.partition("%")
                self.asked.append(command)
                for line in self._lines(command):
                    self.say(f"{line}\r\n")

    def _lines(self, command: str) -> list[str]:
        if command == "lnn metrics":
            return self.answer(self.block) or []
        if command == "lnn id":
            return [IDENTITY, READY]
        return [f"e-[Unknown command: {command}]", READY]
