"""`lan-hil selftest`: the bench measures itself, and the result is kept beside the bench file.

What it found becomes a floor: a budget below it is undecidable on this bench, whatever the numbers say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, fields
from pathlib import Path

from pytest_lan_hil.config import Bench, Board, Wiring
from pytest_lan_hil.instruments import open_analyzer
from pytest_lan_hil.measure.selftest import EdgeFloor, IdleFloor, edge_floor, idle_floor
from pytest_lan_hil.model.capture import InstrumentIdentity
from pytest_lan_hil.model.errors import CapabilityMissing, InputError
from pytest_lan_hil.model.measurement import Measurement
from pytest_lan_hil.model.selftest import SelfTest
from pytest_lan_hil.publish.files import write_atomically
from pytest_lan_hil.run.bench import OpenBench
from pytest_lan_hil.run.lease import lease
from pytest_lan_hil.run.recording import record

SUFFIX = ".selftest.json"


def selftest_path(bench: Bench) -> Path | None:
    """Where the result of a bench is kept: beside its file. None for a bench that has no file."""
    return bench.path.with_suffix(SUFFIX) if bench.path.name else None


def load_selftest(bench: Bench) -> SelfTest | None:
    """The stored result; None if there is none.

    Raises:
        InputError: The file is there, but is not a result.
    """
    path = selftest_path(bench)
    if path is None or not path.is_file():
        return None
    try:
        return _checked(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} is not the result of a self-test: {error}",
            fix=f"run `lan-hil selftest --bench {bench.name}` again, or remove the file",
        ) from error


def store_selftest(result: SelfTest, path: Path) -> None:
    """Write the result.

    Raises:
        InputError: It can't be written.
    """
    try:
        write_atomically(path, json.dumps(asdict(result), indent=2) + "\n")
    except InputError as error:
        raise InputError(
            error.problem, fix="copy the bench file into your project's benches/, or give --out FILE"
        ) from error


def measure_idle(
    board: Board, wiring: Wiring, seconds: float, *, wait_s: float
) -> tuple[IdleFloor, InstrumentIdentity]:
    """Offset and noise of the analyzer alone; the load must be disconnected already, so no probe is opened.

    Raises:
        BlockedError: No analyzer, or the record is unusable.
    """
    if wiring.analyzer is None:
        raise CapabilityMissing("the bench has no analyzer", fix="nothing of power can be tested on it")
    with (
        lease([wiring.analyzer], wait_s=wait_s),
        closing(open_analyzer(wiring.analyzer, markers=wiring.markers, supply_v=board.supply_v)) as analyzer,
    ):
        analyzer.start()
        analyzer.clock.sleep(seconds)
        return idle_floor(analyzer.stop()), analyzer.identity


def measure_edges(bench: OpenBench, marker: str, twin: str, count: int) -> EdgeFloor:
    """Jitter of the edges that `count` inferences make on two inputs that are wired to one pin.

    Raises:
        BlockedError: The bench sees no edges, has no DUT that makes them, or the record is unusable.
    """
    bench.require(["edges", "console"])
    for name in (marker, twin):
        if name not in {*bench.wiring.markers, *bench.wiring.edge_lines}:
            raise CapabilityMissing(
                f"bench {bench.bench.name} has no marker line {name!r}",
                fix=f'wire a second input to the pin of {marker} and add it: [markers] {name} = "gpi1"',
            )
    with record(bench) as recording:
        bench.dut.infer(count)
    return edge_floor(recording.capture, marker, twin)


def _checked(value: object) -> SelfTest:
    if not isinstance(value, dict):
        raise TypeError(f"a {type(value).__name__}, not an object")
    known = {field.name: str(field.type) for field in fields(SelfTest)}
    for name, found in value.items():
        if name not in known:
            raise ValueError(f"unknown key {name!r}")
        if not _is_a(found, known[name]):
            raise ValueError(f"{name} is {found!r}, expected {known[name]}")
    return SelfTest(**value)


def _is_a(found: object, wanted: str) -> bool:
    """Whether a value of a JSON file is of a field's type; numbers must be finite."""
    if found is None:
        return "None" in wanted
    if "float" in wanted:
        return isinstance(found, (int, float)) and not isinstance(found, bool) and math.isfinite(found)
    return type(found).__name__ == wanted


def floor_of(selftest: SelfTest | None, quantity: str, measured: Mapping[str, Measurement]) -> float | None:
    """What the bench can't tell from nothing, in the quantity's unit; None where that is not known.

    Args:
        selftest: The bench's own, made with the instrument that measured.
        quantity: Name in the quantity table.
        measured: What the same test measured.
    """
    if selftest is None:
        return None
    windows = measured.get("latency")
    return selftest.floor(quantity, latency_ms=windows.spread.mean if windows else None)
