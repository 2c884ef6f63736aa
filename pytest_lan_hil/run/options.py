"""What the user asked of a run, from the command line, the ini file or the environment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

#: What is compared with unless `--hil-compare` names something else: the committed file of board and bench.
BASELINE = "baseline"


class Inconclusive(str, Enum):
    """What becomes of a test whose comparison the samples can't decide (`--hil-inconclusive`)."""

    BLOCK = "block"
    PASS = "pass"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class TwoImages:
    """`--hil-ab`: names of the board's images, or files, and how many blocks of both."""

    base: str
    head: str
    blocks: int


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Settings of one session.

    Attributes:
        rootdir: The project under test; boards/ and benches/ are looked for here first.
        boards: Names or files, in the order given.
        benches: Names or files, of which each board takes the first that serves it; none: look for a real
            probe.
        output: Folder of run records.
        board_folders, bench_folders: Further folders of board and bench files.
        pushgateway: URL or None.
        job: Pushgateway job name.
        wait_s: How long to wait for a bench that another process holds.
        push_timeout_s: Limit for the push at the end.
        explain: Print the uncertainty budget of each measurement.
        save_captures: Keep captures as files.
        profile: Profile each board after its tests.
        compare: What every judged quantity is compared with (`--hil-compare`); None: only what a marker asks
            for is, with the baseline.
        baselines: Folder of baseline files.
        until_decided_s: Repeat a test until its comparisons are settled, for at most so many seconds; None:
            no test is repeated.
        inconclusive: What becomes of a test whose comparisons are not settled.
        two_images: Compare these two instead of testing the board's own; None: test that.
    """

    rootdir: Path
    boards: tuple[str, ...]
    benches: tuple[str, ...]
    output: Path
    board_folders: tuple[Path, ...] = ()
    bench_folders: tuple[Path, ...] = ()
    pushgateway: str | None = None
    job: str = "lan_hil"
    wait_s: float = 60.0
    push_timeout_s: float = 3.0
    explain: bool = False
    save_captures: bool = False
    profile: bool = False
    compare: str | None = None
    baselines: Path = Path("baselines")
    until_decided_s: float | None = None
    inconclusive: Inconclusive = Inconclusive.BLOCK
    two_images: TwoImages | None = None
