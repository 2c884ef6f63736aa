"""Scripted faults: a virtual bench that breaks on command, so that the harness's answers can be tested.

Written in the environment (LAN_HIL_VIRTUAL_FAULTS) or as `fault=` in a device URI, separated by commas:

    drop@1.0:0.01            the analyzer loses 10 ms of samples, 1 s into each capture
    stuck_low=gpi0           an input (17: of a GPIO chip) reads low whatever the pin does (also stuck_high)
    analyzer_vanish@1.5      the analyzer is unplugged 1.5 s into a capture
    gpio_vanish@1.5          the GPIO chip is unplugged 1.5 s into a record
    console_garbage@0.5:64   64 bytes of noise on the console 0.5 s after the board was opened
    console_silent@2         nothing more from the console from 2 s after the board was opened
    probe_absent             there is no debug probe
    brown_out@1.5:0.01       the supply falls to 1.5 V for 10 ms, 1.5 s after the board was made
    load_open                no current flows through the analyzer: the load is disconnected (it runs on)

What the virtual bench does not model: supply ripple and slopes, contact bounce and wiring faults, clock
tolerance and drift (every oscillator is exact), temperature, radio and USB, bus contention between CPU and
EasyDMA, and the analog front end of the analyzer (see `sampling`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_lan_hil.model.errors import InputError

ENVIRONMENT = "LAN_HIL_VIRTUAL_FAULTS"
_FORM = re.compile(r"(?P<name>[a-z_]+)(=(?P<target>\w+))?(@(?P<at>\d+(\.\d+)?)(:(?P<length>\d+(\.\d+)?))?)?")
_EXAMPLES: Mapping[str, str] = {
    "drop": "drop@1.0:0.01",
    "stuck_low": "stuck_low=gpi0",
    "stuck_high": "stuck_high=gpi0",
    "analyzer_vanish": "analyzer_vanish@1.5",
    "gpio_vanish": "gpio_vanish@1.5",
    "console_garbage": "console_garbage@0.5:64",
    "console_silent": "console_silent@2",
    "probe_absent": "probe_absent",
    "brown_out": "brown_out@1.5:0.01",
    "load_open": "load_open",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault: its name, what it hits, when (s) and for how long (s, or bytes for garbage)."""

    name: str
    target: str = ""
    at: float = 0.0
    length: float = 0.0


def _parse_one(text: str) -> Fault:
    match = _FORM.fullmatch(text)
    name = match["name"] if match else text.partition("@")[0].partition("=")[0]
    example = _EXAMPLES.get(name)
    if match is None or example is None:
        raise InputError(
            f"virtual fault {text!r} is not understood",
            fix=f"write {example}" if example else f"faults are: {', '.join(_EXAMPLES.values())}",
        )
    missing = ("=" in example and not match["target"]) or (":" in example and not match["length"])
    if missing or ("@" in example and not match["at"]):
        raise InputError(f"virtual fault {text!r} is incomplete", fix=f"write it like {example}")
    return Fault(name, match["target"] or "", float(match["at"] or 0), float(match["length"] or 0))


@dataclass(frozen=True, slots=True)
class Faults:
    """All faults that are scripted for a device."""

    entries: tuple[Fault, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Faults:
        """From the written form.

        Raises:
            InputError: A fault that is not understood.
        """
        return cls(tuple(_parse_one(part.strip()) for part in re.split(r"[,;]", text) if part.strip()))

    @classmethod
    def from_environment(cls) -> Faults:
        """What LAN_HIL_VIRTUAL_FAULTS asks for."""
        return cls.parse(os.environ.get(ENVIRONMENT, ""))

    def plus(self, text: str) -> Faults:
        """These and the ones written in `text`."""
        return Faults(self.entries + Faults.parse(text).entries)

    def named(self, name: str) -> tuple[Fault, ...]:
        """All of one kind."""
        return tuple(fault for fault in self.entries if fault.name == name)

    @property
    def probe_absent(self) -> bool:
        """There is no debug probe."""
        return bool(self.named("probe_absent"))

    def stuck(self, line: str) -> bool | None:
        """The level at which an analyzer input is stuck, or None."""
        for name, level in (("stuck_low", False), ("stuck_high", True)):
            if any(fault.target == line for fault in self.named(name)):
                return level
        return None

    def first(self, name: str) -> Fault | None:
        """The earliest fault of a kind, or None."""
        return min(self.named(name), key=lambda fault: fault.at, default=None)
