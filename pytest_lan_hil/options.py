"""What a user can set: options and ini keys of pytest, the environment, and the run options they make.

Loaded in every pytest session, so nothing of the package is imported at the top.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_lan_hil.run.options import RunOptions, TwoImages


def add_options(parser: pytest.Parser) -> None:
    """Register options and ini keys."""
    group = parser.getgroup("lan-hil", "hardware-in-the-loop tests")
    group.addoption(
        "--board",
        action="append",
        default=[],
        metavar="NAME",
        help="board to test; may be given several times",
    )
    group.addoption(
        "--bench",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="bench to use (else LAN_HIL_BENCH, ini hil_bench, else the one real probe attached); may be"
        " given several times: each board takes the first that serves it",
    )
    group.addoption(
        "--hil-output",
        metavar="DIR",
        help="folder of run records (else LAN_HIL_OUTPUT, ini hil_output, else .hil)",
    )
    group.addoption(
        "--pushgateway",
        metavar="URL",
        help="push metrics there at the end (else LAN_HIL_PUSHGATEWAY, ini hil_pushgateway)",
    )
    group.addoption(
        "--hil-job", metavar="NAME", help="Pushgateway job (else LAN_HIL_JOB, ini hil_job, else lan_hil)"
    )
    group.addoption(
        "--hil-wait",
        type=float,
        default=60.0,
        metavar="S",
        help="how long to wait for a bench that another process holds",
    )
    group.addoption(
        "--hil-dry-run", action="store_true", help="say what would be flashed and measured, touch nothing"
    )
    group.addoption(
        "--hil-explain", action="store_true", help="print what the uncertainty of each measurement is made of"
    )
    group.addoption(
        "--hil-save-captures",
        action="store_true",
        help="keep the last capture of each test beside the run record, as a .jls file",
    )
    group.addoption(
        "--hil-compare",
        metavar="REF",
        help="compare every judged quantity with what it was: `baseline`, a run id, tag, commit or branch of"
        " the ledger, or a file",
    )
    group.addoption(
        "--hil-until-decided",
        nargs="?",
        type=_seconds,
        const=300.0,
        metavar="S",
        help="measure a test again until its comparisons are settled, for at most S seconds (300)",
    )
    group.addoption(
        "--hil-ab",
        nargs=2,
        metavar=("BASE", "HEAD"),
        help="compare two images (files, or names of the board's) on one board: base, head, head, base, ...",
    )
    group.addoption(
        "--hil-ab-blocks",
        type=int,
        metavar="N",
        help="so many blocks of base, head, head, base (2)",
    )
    group.addoption(
        "--hil-inconclusive",
        choices=("block", "pass", "fail"),
        default="block",
        help="what becomes of a test whose comparison can't be decided (block)",
    )
    group.addoption(
        "--hil-baselines",
        metavar="DIR",
        help="folder of baseline files (else LAN_HIL_BASELINES, ini hil_baselines, else baselines)",
    )
    group.addoption(
        "--hil-profile",
        action="store_true",
        help="after a board's tests, find out which function takes how long (see `lan-hil compare`)",
    )
    group.addoption("--hil-debug", action="store_true", help="show tracebacks of bench and DUT errors")
    parser.addini("hil_bench", "benches to use: names or files, separated by blanks")
    parser.addini("hil_output", "folder of run records")
    parser.addini("hil_baselines", "folder of baseline files")
    parser.addini("hil_pushgateway", "URL of the Pushgateway")
    parser.addini("hil_job", "Pushgateway job")
    parser.addini("hil_boards", "further folders of board files", type="paths", default=[])
    parser.addini("hil_benches", "further folders of bench files", type="paths", default=[])


def run_options(config: pytest.Config) -> RunOptions:
    """What was asked of this session: command line before environment before ini file."""
    from pytest_lan_hil.run.options import Inconclusive, RunOptions

    return RunOptions(
        rootdir=config.rootpath,
        boards=tuple(dict.fromkeys(config.getoption("board"))),
        benches=bench_names(config.getoption("bench"), config.getini("hil_bench")),
        output=_folder(config, _given(config, "hil_output", "output"), "hil_output", ".hil"),
        board_folders=tuple(config.getini("hil_boards")),
        bench_folders=tuple(config.getini("hil_benches")),
        pushgateway=_setting(config, "pushgateway", "pushgateway"),
        job=_setting(config, "hil_job", "job") or "lan_hil",
        wait_s=config.getoption("hil_wait"),
        explain=config.getoption("hil_explain"),
        save_captures=config.getoption("hil_save_captures"),
        profile=config.getoption("hil_profile"),
        compare=config.getoption("hil_compare"),
        baselines=_folder(config, _given(config, "hil_baselines", "baselines"), "hil_baselines", "baselines"),
        until_decided_s=config.getoption("hil_until_decided"),
        inconclusive=Inconclusive(config.getoption("hil_inconclusive")),
        two_images=_two_images(config),
    )


def _two_images(config: pytest.Config) -> TwoImages | None:
    from pytest_lan_hil.run.options import TwoImages

    given, blocks = config.getoption("hil_ab"), config.getoption("hil_ab_blocks")
    if given is None:
        return None
    base, head = given
    return TwoImages(base, head, blocks=2 if blocks is None else blocks)


def bench_names(given: Sequence[str], configured: str | None) -> tuple[str, ...]:
    """Benches in the order in which boards try them: command line, then environment, then ini file.

    Args:
        given: On the command line, one bench each.
        configured: `hil_bench` of the ini file. There and in LAN_HIL_BENCH blanks separate names; quotes keep
            a name with blanks together.
    """
    if given:
        return tuple(given)
    text = os.environ.get("LAN_HIL_BENCH") or configured or ""
    # Without quotes nothing is read as a shell would: a path may have backslashes.
    return tuple(shlex.split(text) if '"' in text or "'" in text else text.split())


def _given(config: pytest.Config, option: str, name: str) -> str | None:
    """Command line, then environment."""
    return config.getoption(option) or os.environ.get(f"LAN_HIL_{name.upper()}")


def _setting(config: pytest.Config, option: str, name: str) -> str | None:
    """Command line, then environment, then ini file."""
    return _given(config, option, name) or config.getini(f"hil_{name}") or None


def _folder(config: pytest.Config, given: str | None, ini: str, default: str) -> Path:
    """A folder of ours: an ini file's is relative to the root directory, as the default is."""
    if given:
        return config.invocation_params.dir / given
    return config.rootpath / (config.getini(ini) or default)


def _seconds(text: str) -> float:
    """A time box; argparse hands over whatever stands behind the option, a path of tests too."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of seconds; write --hil-until-decided=60, or let another option follow it"
        )
    return seconds
