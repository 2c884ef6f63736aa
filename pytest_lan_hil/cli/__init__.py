"""The shell face of pytest-lan-hil: `lan-hil`. Thin: parses, delegates to `run`, prints.

Nothing is imported here but what it takes to start, so that `lan-hil --help` answers at once; each command
imports its room when it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `lan-hil`; ends the process with 0, 1 (DUT failed), 2 (input), 3 (blocked) or 130.

    `bisect-step` alone ends as `git bisect run` wants it.

    Args:
        arguments: Without the program's name; None takes the process's own.
    """
    from pytest_lan_hil.cli.app import app
    from pytest_lan_hil.cli.failures import run

    given = sys.argv[1:] if arguments is None else list(arguments)
    code = run(app, given)
    if next((word for word in given if not word.startswith("-")), "") == "bisect-step":
        from pytest_lan_hil.cli.bisect import exit_code_for_git

        code = exit_code_for_git(code)
    sys.exit(code)
