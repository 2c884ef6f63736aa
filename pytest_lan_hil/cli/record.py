"""`lan-hil record`: what the analyzer sees, straight into a JLS file, for as long as the disk has room."""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_lan_hil.cli.devices import require_length, set_up
from pytest_lan_hil.cli.output import note, passing, print_json
from pytest_lan_hil.cli.project import BenchNames, find_project
from pytest_lan_hil.config import Wiring
from pytest_lan_hil.config.uris import PLACEHOLDER
from pytest_lan_hil.instruments import PowerAnalyzer, open_analyzer
from pytest_lan_hil.instruments.streaming import Streaming, StreamReport
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.model.errors import CapabilityMissing, InputError, MeasurementInvalid
from pytest_lan_hil.run.lease import lease

# How soon an unplugged instrument, a full disk or Ctrl-C ends the recording.
_PIECE_S = 0.25


@dataclass(frozen=True, slots=True)
class Target:
    """The file to record into.

    Attributes:
        name: As given.
        replace: Whether it may exist.
    """

    name: str
    replace: bool

    def path(self) -> Path:
        """Where it is.

        Raises:
            InputError: It can't be recorded into.
        """
        path = Path(self.name)
        if path.suffix.lower() != ".jls":
            raise InputError(
                f"--out {path} is not a JLS file", fix=f"name it {path.with_suffix('.jls').name}"
            )
        if path.exists() and not self.replace:
            raise InputError(f"--out {path} exists", fix="choose another name, or replace it with --force")
        if not path.parent.is_dir():
            raise InputError(f"--out {path}: there is no folder {path.parent}", fix="make it first")
        return path


def record(
    target: Target,
    bench_names: BenchNames,
    board_name: str | None,
    *,
    seconds: float,
    wait_s: float,
    as_json: bool,
) -> None:
    """Record with a bench's analyzer; neither probe nor console is opened: the board goes on as it is.

    Raises:
        InputError: Not a length of time, no such bench, or a file that can't be recorded into.
        MeasurementInvalid: The recording broke off; the file holds what there was.
    """
    require_length(seconds, example=3600)
    path = target.path()
    wiring, supply_v = _wiring(bench_names, board_name)
    if wiring.analyzer is None:
        raise CapabilityMissing("the bench has no analyzer", fix="nothing can be recorded on it")
    with (
        lease([wiring.analyzer], wait_s=wait_s),
        closing(open_analyzer(wiring.analyzer, markers=wiring.markers, supply_v=supply_v)) as analyzer,
    ):
        title = f"recording {seconds:g} s with {analyzer.identity}"
        how = _stream if isinstance(analyzer, Streaming) else _hold
        with passing(title, analyzer.clock, seconds), _told_to_stop() as told, _beside(path) as file:
            report = how(analyzer, file, seconds, told)
        report = dataclasses.replace(report, path=path)
        _tell(report, analyzer, as_json=as_json)
    if told.is_set():
        raise KeyboardInterrupt
    if not report.complete:
        raise MeasurementInvalid(
            f"the recording broke off after {report.duration_s:.3f} s of {seconds:g} s: {report.problem}",
            fix=f"{path} holds what was recorded until then, marked incomplete",
        )


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Where to record in place of a file that exists, which is replaced once there is a record."""
    if not path.exists():
        yield path
        return
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        yield part
    finally:
        if part.exists():
            part.replace(path)


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Is set when Ctrl-C or a signal to end comes, which must not break into a message that is being kept.

    The second Ctrl-C is as hard as ever.
    """
    told = threading.Event()

    def tell(number: int, frame: object) -> None:
        del number, frame
        if told.is_set():
            raise KeyboardInterrupt
        told.set()

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not known to every system
    before: dict[int, Any] = {getattr(signal, name): None for name in names if hasattr(signal, name)}
    try:
        before.update({number: signal.signal(number, tell) for number in before})
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wiring(bench_names: BenchNames, board_name: str | None) -> tuple[Wiring, float | None]:
    """The bench for a board; without one, a bench that leaves nothing to fill in."""
    if board_name is not None:
        board, _, wiring = set_up(board_name, bench_names)
        return wiring, board.supply_v
    project = find_project()
    benches = project.benches(bench_names)
    if not benches:
        raise InputError("record: no bench is named", fix="name it: --bench NAME")
    if len(benches) > 1:
        names = ", ".join(bench.name for bench in benches)
        raise InputError(
            f"record: which of the benches {names}?", fix="name one: --bench NAME, or --board NAME"
        )
    (bench,) = benches
    if PLACEHOLDER.search(bench.analyzer or ""):
        raise InputError(
            f"bench {bench.name} serves several boards: its analyzer is {bench.analyzer!r}",
            fix="name the board: --board NAME",
        )
    return Wiring(None, None, bench.analyzer, bench.markers), None


def _stream(analyzer: PowerAnalyzer, path: Path, seconds: float, told: threading.Event) -> StreamReport:
    """Straight into the file."""
    assert isinstance(analyzer, Streaming)
    with analyzer.stream_to(path) as stream:
        _wait(analyzer.clock, seconds, lambda: told.is_set() or bool(stream.problem))
    assert stream.report is not None
    return stream.report


def _hold(analyzer: PowerAnalyzer, path: Path, seconds: float, told: threading.Event) -> StreamReport:
    """In memory first, for an instrument that is slow enough."""
    from pytest_lan_hil.instruments.jls import write_jls

    analyzer.start()
    try:
        _wait(analyzer.clock, seconds, told.is_set)
    finally:
        capture = analyzer.stop()
    write_jls(capture, path)
    return _report(capture, path)


def _report(capture: Capture, path: Path) -> StreamReport:
    return StreamReport(
        path=path,
        duration_s=capture.duration_s,
        lost_share=capture.lost_share,
        size_bytes=path.stat().st_size,
        complete=capture.complete,
        problem="" if capture.complete else "the instrument stopped before it was told to",
    )


def _wait(clock: Clock, seconds: float, over: Callable[[], bool]) -> None:
    end = clock.monotonic() + seconds
    while not over():
        rest = end - clock.monotonic()
        if rest <= 0:
            return
        clock.sleep(min(rest, _PIECE_S))


def _tell(report: StreamReport, analyzer: PowerAnalyzer, *, as_json: bool) -> None:
    if as_json:
        identity = dataclasses.asdict(analyzer.identity)
        print_json({**dataclasses.asdict(report), "instrument": identity})
        return
    print(
        f"{report.path}: {report.duration_s:.3f} s, {report.size_bytes / 1e6:.1f} MB, {analyzer.identity},"
        f" lost {report.lost_share:.3%} of the samples"
    )
    if analyzer.identity.simulated:
        note("simulated: nothing real was recorded")
