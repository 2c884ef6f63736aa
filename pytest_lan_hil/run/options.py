"""What the user asked of a run, from the command line, the ini file or the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
