"""Every error that a user can meet, and whose fault it is.

    HilError                          what was attempted, what was found, and what to do
    ├── InputError                    the user's input: exit code 2
    │   ├── ConfigError               a board or bench file, with file, line and key
    │   └── ImageError                a firmware image that can't be used
    ├── BlockedError                  the bench is at fault, there is no verdict on the DUT: exit code 3
    │   ├── LeaseError                another process holds the bench
    │   ├── ProbeError                no probe, two probes, or a probe that fails
    │   ├── ConsoleError              the serial port can't be opened or broke
    │   ├── InstrumentError           a power analyzer or edge source that fails
    │   ├── IdentityError             the image on the DUT is not proved to be the image under test
    │   ├── CapabilityMissing         the bench lacks what the test asks for: pytest skips the test
    │   └── MeasurementInvalid        the record can't support a number (gaps, edges, debugger)
    └── DutError                      the device under test is at fault: exit code 1
        ├── DutTimeout                the DUT stopped answering
        ├── DutProtocolError          the DUT answered with an error, or with something else than was asked
        └── DutFault                  the core is in a fault handler or locked up

The tests' outcomes follow: InputError is a usage error, BlockedError makes a test *error* (blocked), and
DutError and an exceeded budget make it fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class HilError(Exception):
    """Base of all errors of this package.

    Args:
        problem: What was being attempted and what was found.
        fix: What the user can do about it, as one sentence; may be empty.
    """

    exit_code = 1

    def __init__(self, problem: str, *, fix: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.problem}\n  fix: {self.fix}" if self.fix else self.problem


class InputError(HilError):
    """The user's input can't be used: an option, an argument, a file."""

    exit_code = 2


class ConfigError(InputError):
    """A board or bench description is wrong.

    Args:
        problem: What was found, and what was expected.
        path: The file.
        line: Line number from 1, or None when the whole file is meant.
        key: The TOML key, dotted.
        fix: What to write instead.
        others: Further errors of the same file, so that all are told at once.
    """

    def __init__(
        self,
        problem: str,
        *,
        path: Path | str,
        line: int | None = None,
        key: str = "",
        fix: str = "",
        others: Sequence[ConfigError] = (),
    ) -> None:
        super().__init__(problem, fix=fix)
        self.path = Path(path)
        self.line = line
        self.key = key
        self.others = tuple(others)

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line is not None else str(self.path)
        key = f" [{self.key}]" if self.key else ""
        fix = f"\n  fix: {self.fix}" if self.fix else ""
        return "\n".join([f"{where}:{key} {self.problem}{fix}", *map(str, self.others)])


class ImageError(InputError):
    """A firmware image is missing, truncated, or made for another chip."""


class BlockedError(HilError):
    """The bench is at fault; nothing can be said about the DUT."""

    exit_code = 3


class LeaseError(BlockedError):
    """Another process holds this bench."""


class ProbeError(BlockedError):
    """The debug probe is absent, ambiguous, or failed."""


class ConsoleError(BlockedError):
    """The serial port can't be opened, or broke while in use."""


class InstrumentError(BlockedError):
    """A measuring instrument is absent or failed."""


class IdentityError(BlockedError):
    """The image that runs on the DUT is not proved to be the image under test."""


class CapabilityMissing(BlockedError):
    """The bench lacks what was asked for: an instrument, an input, a DUT that answers."""


class MeasurementInvalid(BlockedError):
    """The record can't support a number."""


class DutError(HilError):
    """The device under test is at fault."""

    exit_code = 1


class DutTimeout(DutError):
    """The DUT stopped answering within the time limit."""


class DutProtocolError(DutError):
    """The DUT answered with an error, or with something other than was asked."""


class DutFault(DutError):
    """The DUT's core is in a fault handler or locked up."""
