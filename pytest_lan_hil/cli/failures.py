"""From exceptions to one message on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from pytest_lan_hil.model.errors import BlockedError, HilError, InputError

INTERRUPTED = 130  # 128 + SIGINT, as shells count
NO_VERDICT = BlockedError.exit_code


def run(app: typer.Typer, arguments: list[str]) -> int:
    """Run the command line and return its exit code; prints one message where it fails.

    With `--debug` or LAN_HIL_DEBUG=1 the exception itself is let through.
    """
    try:
        code = typer.main.get_command(app).main(args=arguments, prog_name="lan-hil", standalone_mode=False)
        sys.stdout.flush()
    except HilError as error:
        _reraise_when_debugging(arguments)
        return _say(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as leaving:  # what click makes of a broken pipe
        if isinstance(leaving.__context__, BrokenPipeError):
            return _reader_left()
        raise
    except Exception as error:
        if _is_usage_error(error):
            return _usage(error)
        if isinstance(error, typer.Abort):
            return _say("interrupted", INTERRUPTED)
        _reraise_when_debugging(arguments)
        text = f"{type(error).__name__}: {error}"
        return _say(
            f"internal error: {text}\n  fix: run again with --debug and report what it shows", NO_VERDICT
        )
    if code == INTERRUPTED:  # some versions of typer turn Ctrl-C into this code, others raise Abort
        return _say("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def debugging(arguments: list[str]) -> bool:
    """Whether the user asked for tracebacks."""
    return not {"--debug", "--hil-debug"}.isdisjoint(arguments) or os.environ.get(
        "LAN_HIL_DEBUG", ""
    ) not in ("", "0")


def _reraise_when_debugging(arguments: list[str]) -> None:
    if debugging(arguments):
        raise


def _reader_left() -> int:
    """The reader (head, a pager) has enough: not an error. Python must not flush into it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _say(message: str, code: int) -> int:
    sys.stdout.flush()
    print(f"lan-hil: {message}", file=sys.stderr)
    return code


def _is_usage_error(error: Exception) -> bool:
    # typer carries its own copy of click since 0.26; this is whichever click it uses.
    return any(kind.__name__ == "ClickException" for kind in type(error).__mro__)


def _usage(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help text
        print(error.format_message(), file=sys.stderr)
        return InputError.exit_code
    command = getattr(error, "ctx", None)
    usage = f"\n  {command.get_usage()}" if command is not None else ""
    return _say(f"{error.format_message()}{usage}\n  fix: lan-hil --help", InputError.exit_code)
